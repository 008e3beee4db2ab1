/**
 * Questions to nodes about what they lack, gathered into batches: one at a time to each node.
 *
 * A1  An answer counts once, and only while nothing happened to the node since it was asked.
 *     Tested.
 * A2  A node that failed to answer is left alone until the next retry. Tested.
 */
import { present } from "../base/errors.ts";
import type { BlockId, NodeId } from "../base/ids.ts";
import type { RepairEffect } from "./repair-words.ts";

export interface Ask {
  readonly node: NodeId;
  readonly ids: readonly BlockId[];
}

export class InventoryAsks {
  readonly #waiting = new Map<NodeId, Set<BlockId>>();
  readonly #open = new Map<number, Ask>();
  readonly #busy = new Set<NodeId>();
  readonly #mute = new Set<NodeId>();
  #number = 0;

  add(node: NodeId, block: BlockId): void {
    const ids = this.#waiting.get(node) ?? new Set();
    this.#waiting.set(node, ids.add(block));
  }

  /** The question of this number, which is thereby answered. */
  close(number: number): Ask | undefined {
    const ask = this.#open.get(number);
    if (ask === undefined) return undefined;
    this.#open.delete(number);
    this.#busy.delete(ask.node);
    return ask;
  }

  /** The node is gone or has started anew: nothing that it was asked counts. */
  forget(node: NodeId): void {
    for (const [number, ask] of this.#open) if (ask.node === node) this.#open.delete(number);
    this.#busy.delete(node);
    this.#waiting.delete(node);
    this.#mute.delete(node);
  }

  mute(node: NodeId): void {
    this.#mute.add(node);
  }

  unmute(): void {
    this.#mute.clear();
  }

  /** The next question to each node that has none open. */
  effects(batch: number): RepairEffect[] {
    return [...this.#waiting.keys()]
      .filter((node) => !this.#busy.has(node) && !this.#mute.has(node))
      .sort()
      .map((node) => {
        const ids = this.#nextIds(node, batch);
        const ask = ++this.#number;
        this.#open.set(ask, { node, ids });
        this.#busy.add(node);
        return { kind: "ask-inventory", ask, node, ids };
      });
  }

  #nextIds(node: NodeId, batch: number): BlockId[] {
    const waiting = present(this.#waiting.get(node), "a node to ask has ids");
    const ids = [...waiting].slice(0, batch);
    for (const id of ids) waiting.delete(id);
    if (waiting.size === 0) this.#waiting.delete(node);
    return ids;
  }
}
