/**
 * Blocks waiting for copies: fewest live copies first, first in first out among equals.
 *
 * Q1  A block waits in one place at most. By construction.
 */
import type { BlockId } from "../base/ids.ts";

export class RepairQueue {
  readonly #lanes: Set<BlockId>[] = [new Set(), new Set(), new Set()];
  readonly #laneOf = new Map<BlockId, number>();

  /** Lets the block wait with so many live copies; moves it when that number is new. */
  add(block: BlockId, live: number): void {
    const lane = Math.min(Math.max(live - 1, 0), this.#lanes.length - 1);
    if (this.#laneOf.get(block) === lane) return;
    this.delete(block);
    this.#laneOf.set(block, lane);
    this.#lanes[lane]?.add(block);
  }

  delete(block: BlockId): void {
    const lane = this.#laneOf.get(block);
    if (lane === undefined) return;
    this.#lanes[lane]?.delete(block);
    this.#laneOf.delete(block);
  }

  /** The most urgent block, taken out. */
  next(): BlockId | undefined {
    for (const lane of this.#lanes) {
      for (const block of lane) {
        this.delete(block);
        return block;
      }
    }
    return undefined;
  }
}
