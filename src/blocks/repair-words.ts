/** The words of the repair core (`repair.ts`): what it is told, what it orders. */
import type { BlockId, Bytes, Millis, NodeId } from "../base/ids.ts";

/** How many hosts keep a block: a number, or every host that stores. */
export type Copies = number | "all";

export interface WantedBlock {
  readonly block: BlockId;
  readonly length: Bytes;
  readonly copies: Copies;
}

/** What repair needs to know of a member. */
export interface RepairMember {
  readonly id: NodeId;
  readonly incarnation: number;
  readonly state: "up" | "down" | "leaving";
}

/**
 * Where blocks belong; the ring's `placement(table, members)` is one. Blocks of one partition have
 * the same holders.
 */
export interface BlockPlacement {
  partitionOf(block: BlockId): number;
  holders(block: BlockId, copies: Copies, usable: (id: NodeId) => boolean): NodeId[];
}

export type RepairInput = {
  readonly now: Millis;
} /** Blocks newly wanted (or with other copies), and blocks wanted no more. */ & (
  | {
      readonly kind: "wanted-changed";
      readonly set: readonly WantedBlock[];
      readonly removed: readonly BlockId[];
    }
  | {
      readonly kind: "view-changed";
      readonly members: readonly RepairMember[];
      readonly placement: BlockPlacement;
    }
  /** `missing`: those of the asked ids that the node does not have. */
  | {
      readonly kind: "inventory-answer";
      readonly ask: number;
      readonly missing: readonly BlockId[];
    }
  | { readonly kind: "inventory-failed"; readonly ask: number }
  | { readonly kind: "copy-done"; readonly block: BlockId; readonly to: NodeId }
  | {
      readonly kind: "copy-failed";
      readonly block: BlockId;
      readonly from: NodeId;
      readonly to: NodeId;
    }
  /** A read or a scrub found that the node's copy is gone or bad. */
  | { readonly kind: "copy-lost"; readonly block: BlockId; readonly node: NodeId }
  | { readonly kind: "timer-fired" }
);

export type RepairEffect =
  /** Which of these blocks does the node (perhaps this one) have? Answered once, by its number. */
  | {
      readonly kind: "ask-inventory";
      readonly ask: number;
      readonly node: NodeId;
      readonly ids: readonly BlockId[];
    }
  /** `to` fetches the block from `from`. Answered once, by `copy-done` or `copy-failed`. */
  | {
      readonly kind: "order-copy";
      readonly block: BlockId;
      readonly length: Bytes;
      readonly from: NodeId;
      readonly to: NodeId;
    }
  /** Replaces the timer set before. */
  | { readonly kind: "set-timer"; readonly at: Millis }
  | ({ readonly kind: "report" } & RepairReport);

/** Of the blocks that this node plans for. */
export interface RepairReport {
  readonly planned: number;
  /** Copies that holders lack. */
  readonly missing: number;
  /** Blocks that want more and have one live copy. */
  readonly oneCopyLeft: number;
  /** Blocks of which no live node has a copy. */
  readonly noCopy: number;
  /** Blocks of which not every holder has been heard. */
  readonly unknown: number;
}

export interface RepairOptions {
  /** From a member's going down until its copies are made elsewhere. */
  readonly grace: Millis;
  /** Copies ordered at a time. */
  readonly inFlight: number;
  /** Block ids in one question. */
  readonly batch: number;
  /** Before a failed question or copy, or a search for a block without copies, is tried again. */
  readonly retry: Millis;
  /** Between two rounds in which everything known is asked anew. */
  readonly audit: Millis;
}

export const REPAIR_DEFAULTS: RepairOptions = {
  grace: 15_000,
  inFlight: 8,
  batch: 4096,
  retry: 1000,
  audit: 600_000,
};
