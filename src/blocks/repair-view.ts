/**
 * Who is there and where blocks belong, as repair sees it: members that went down keep their places
 * for a grace. The grace is counted from when this node learnt it, by its own clock; the leader's
 * clock may differ.
 *
 * W1  A grace ends for all plans at one moment, when the timer fires. By {@link RepairView.expire}.
 */
import type { BlockId, Millis, NodeId } from "../base/ids.ts";
import type { BlockPlacement, Copies, RepairMember } from "./repair-words.ts";

/** The holders of a partition's blocks. */
export interface Holding {
  /** With places kept for those in their grace. */
  readonly kept: readonly NodeId[];
  /** Only those that are up. */
  readonly strict: readonly NodeId[];
}

const NOWHERE: BlockPlacement = { partitionOf: () => 0, holders: () => [] };

export class RepairView {
  readonly #grace: Millis;
  #members = new Map<NodeId, RepairMember>();
  #placement: BlockPlacement = NOWHERE;
  readonly #downSince = new Map<NodeId, Millis>();
  readonly #over = new Set<NodeId>();
  #holding = new Map<string, Holding>();

  constructor(grace: Millis) {
    this.#grace = grace;
  }

  /**
   * Takes a new view; returns the nodes of which nothing known holds any longer, being down, gone
   * or started anew.
   */
  update(members: readonly RepairMember[], placement: BlockPlacement, now: Millis): NodeId[] {
    const before = this.#members;
    this.#members = new Map(members.map((member) => [member.id, member]));
    this.#placement = placement;
    this.#holding = new Map();
    for (const id of this.#downSince.keys()) {
      if (this.#members.get(id)?.state === "down") continue;
      this.#downSince.delete(id);
      this.#over.delete(id);
    }
    for (const { id, state } of members) {
      if (state === "down" && !this.#downSince.has(id)) this.#downSince.set(id, now);
    }
    return [...before.values()].flatMap(({ id, incarnation }) =>
      this.isLive(id) && this.#members.get(id)?.incarnation === incarnation ? [] : [id],
    );
  }

  isLive(id: NodeId): boolean {
    return (this.#members.get(id)?.state ?? "down") !== "down";
  }

  nodes(): NodeId[] {
    return [...this.#members.keys()];
  }

  holding(block: BlockId, copies: Copies): Holding {
    const key = `${this.#placement.partitionOf(block)} ${copies}`;
    const known = this.#holding.get(key);
    if (known !== undefined) return known;
    const up = (id: NodeId): boolean => this.#members.get(id)?.state === "up";
    const inGrace = (id: NodeId): boolean => this.#downSince.has(id) && !this.#over.has(id);
    const holding = {
      kept: this.#placement.holders(block, copies, (id) => up(id) || inGrace(id)),
      strict: this.#placement.holders(block, copies, up),
    };
    this.#holding.set(key, holding);
    return holding;
  }

  /** Ends the graces that are over; whether there was one. */
  expire(now: Millis): boolean {
    const ended = this.#running().filter(([, end]) => now >= end);
    for (const [id] of ended) this.#over.add(id);
    if (ended.length > 0) this.#holding = new Map();
    return ended.length > 0;
  }

  /** When the next grace ends. */
  nextEnd(): Millis | undefined {
    const ends = this.#running().map(([, end]) => end);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  #running(): (readonly [NodeId, Millis])[] {
    return [...this.#downSince].flatMap(([id, since]) =>
      this.#over.has(id) ? [] : [[id, since + this.#grace] as const],
    );
  }
}
