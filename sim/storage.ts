/**
 * What a node does with blocks: serves and stores copies, reads from whoever has one, puts files.
 */
import { blockIdOf } from "../src/base/hash.ts";
import type { BlockId, Bytes, Millis, NodeId } from "../src/base/ids.ts";
import type { Random } from "../src/base/random.ts";
import { BlockCutter } from "../src/blocks/cut.ts";
import {
  type Manifest,
  type ManifestBlock,
  manifestOf,
  parseManifest,
} from "../src/blocks/manifest.ts";
import { readOrder } from "../src/blocks/read-order.ts";
import { holders } from "../src/ring/holders.ts";
import type { Disk } from "./disk.ts";
import { all, type Flow, pause } from "./flow.ts";
import type { Network } from "./network.ts";
import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

const BLOCK_DEADLINE: Millis = 1000;
const STORE_ROUNDS = 4;
const BLOCK_SIZE: Bytes = 8 * 1024;

export type Copies = number | "all";

export interface StoredFile {
  readonly manifest: BlockId;
  readonly manifestBytes: Bytes;
  readonly bytes: Bytes;
  readonly blocks: readonly ManifestBlock[];
}

export const encodeManifest = (manifest: Manifest): Uint8Array =>
  Buffer.from(JSON.stringify(manifest));

export const decodeManifest = (bytes: Uint8Array): Manifest =>
  parseManifest(JSON.parse(Buffer.from(bytes).toString()));

export class Storage {
  readonly disk: Disk;
  readonly #node: SimNode;
  readonly #world: World;
  readonly #network: Network;
  readonly #random: Random;

  constructor(node: SimNode, disk: Disk, world: World, network: Network) {
    this.#node = node;
    this.disk = disk;
    this.#world = world;
    this.#network = network;
    this.#random = world.random("disks");
  }

  /** Stores a copy here; returns when it is synced. */
  *store(block: BlockId, bytes: Uint8Array): Flow<null> {
    if (this.disk.blocks.has(block)) return null;
    yield* this.disk.write(this.#world, this.#random, this.#node.life, block, bytes);
    return null;
  }

  /** Fetches a copy from that node. */
  *copy(block: BlockId, from: NodeId): Flow<boolean> {
    if (this.disk.blocks.has(block)) return true;
    const reply = yield* this.#network.call(this.#node, from, "read-block", block, BLOCK_DEADLINE);
    if (!reply.ok || reply.answer === undefined) return false;
    if (blockIdOf(reply.answer) !== block) return false;
    yield* this.store(block, reply.answer);
    return true;
  }

  /** The bytes from here or anybody, each asked once. */
  *read(block: BlockId): Flow<Uint8Array | undefined> {
    const here = this.disk.blocks.get(block);
    if (here !== undefined && blockIdOf(here) === block) return here;
    for (const node of this.#candidates(block)) {
      const reply = yield* this.#network.call(
        this.#node,
        node,
        "read-block",
        block,
        BLOCK_DEADLINE,
      );
      const bytes = reply.ok ? reply.answer : undefined;
      if (bytes !== undefined && blockIdOf(bytes) === block) return bytes;
    }
    return undefined;
  }

  /** A whole file; undefined when a block of it could not be had. */
  *get(manifest: BlockId): Flow<string | undefined> {
    const listed = yield* this.read(manifest);
    if (listed === undefined) return undefined;
    const parts: Uint8Array[] = [];
    for (const { id } of decodeManifest(listed).blocks) {
      const bytes = yield* this.read(id);
      if (bytes === undefined) return undefined;
      parts.push(bytes);
    }
    return Buffer.concat(parts).toString();
  }

  /** Stores the blocks of a file and its manifest; undefined when not enough hosts took a copy. */
  *putBlocks(text: string, copies: Copies): Flow<StoredFile | undefined> {
    const cutter = new BlockCutter({ blockSize: BLOCK_SIZE });
    const cut = [...cutter.push(Buffer.from(text)), ...cutter.end()];
    const pieces = cut.map((piece) => {
      const own = new Uint8Array(piece.bytes);
      piece.release();
      return { id: blockIdOf(own), bytes: own };
    });
    const blocks = pieces.map(({ id, bytes }) => ({ id, length: bytes.length }));
    const manifest = encodeManifest(manifestOf(blocks, "lines", "text/plain"));
    const key = { id: blockIdOf(manifest), bytes: manifest };
    for (const { id, bytes } of [...pieces, key]) this.#node.checkers.remember(id, bytes);
    const flows = [...pieces, key].map((piece) => this.#place(piece.id, piece.bytes, copies));
    const placed = yield* all(flows, this.#node.life);
    if (placed.includes(false)) return undefined;
    const bytes = blocks.reduce((sum, block) => sum + block.length, 0);
    return { manifest: key.id, manifestBytes: manifest.length, bytes, blocks };
  }

  /** True when as many hosts as there are, up to the copies asked for, have synced one. */
  *#place(block: BlockId, bytes: Uint8Array, copies: Copies): Flow<boolean> {
    const have = new Set<NodeId>();
    const failed = new Set<NodeId>();
    for (let round = 0; round < STORE_ROUNDS; round++) {
      const wanted = this.#holders(block, copies, failed);
      const open = wanted.filter((id) => !have.has(id));
      if (wanted.length > 0 && open.length === 0) return true;
      const flows = open.map((to) => this.#storeOn(to, block, bytes));
      for (const [i, ok] of (yield* all(flows, this.#node.life)).entries()) {
        const to = open[i];
        if (to !== undefined) (ok ? have : failed).add(to);
      }
      if (failed.size > 0) yield* pause(this.#world, this.#node.life, 100);
    }
    return have.size > 0 && this.#holders(block, copies, failed).every((id) => have.has(id));
  }

  *#storeOn(to: NodeId, block: BlockId, bytes: Uint8Array): Flow<boolean> {
    const body = { block, bytes };
    const reply = yield* this.#network.call(this.#node, to, "store-block", body, BLOCK_DEADLINE);
    return reply.ok;
  }

  #holders(block: BlockId, copies: Copies, failed: ReadonlySet<NodeId>): NodeId[] {
    const { view } = this.#node;
    if (view === undefined) return [];
    const { members } = view.members;
    const up = new Set(members.filter((it) => it.state === "up").map((it) => it.id));
    const usable = (id: NodeId): boolean => up.has(id) && !failed.has(id);
    return holders(view.table, members, block, copies, usable);
  }

  #candidates(block: BlockId): readonly NodeId[] {
    const { view, id, zone } = this.#node;
    if (view === undefined) return [];
    const { members } = view.members;
    const first = holders(view.table, members, block, 3);
    const listed = [...first, ...members.map((member) => member.id)].flatMap((it) =>
      members.filter((member) => member.id === it && it !== id),
    );
    const candidates = listed.map((it) => ({
      id: it.id,
      zone: it.zone,
      live: it.state !== "down",
    }));
    return readOrder({ id, zone }, block, candidates);
  }
}
