/** A node's disk: blocks that were synced. What was not synced at a crash was never written. */
import type { BlockId } from "../src/base/ids.ts";
import type { Random } from "../src/base/random.ts";
import { type Flow, pause } from "./flow.ts";
import type { Life, World } from "./world.ts";

export class Disk {
  readonly blocks = new Map<BlockId, Uint8Array>();

  /** Returns when the block is synced. */
  *write(world: World, random: Random, life: Life, id: BlockId, bytes: Uint8Array): Flow<void> {
    yield* pause(world, life, 0.2 + random.next() * 4);
    this.blocks.set(id, bytes);
  }
}
