/**
 * The member list of a closed ring: every host, its place and its state, with the epoch that the
 * catalog gave out.
 *
 * M1  Ownership never follows from a node's opinion: nothing here is ever derived from what one
 *     host saw; lists come out of the catalog, and of two lists the one with the higher epoch
 *     counts. By {@link newerList}, tested.
 * M2  Members are sorted by position, and no two share a position or an id. Asserted by
 *     {@link memberList}.
 */
import { assert } from "../base/errors.ts";
import type { Epoch, Millis, NodeId } from "../base/ids.ts";
import { comparePositions, type Position } from "./position.ts";

/**
 * `up`: holds, computes and watches. `down`: judged dead; its copies are being made elsewhere after
 * the grace. `leaving`: still serves what it has, is given nothing new.
 */
export type MemberState = "up" | "down" | "leaving";

export interface Member {
  readonly id: NodeId;
  readonly name: string;
  readonly zone: string;
  /** How much it takes of data and work beside the others; 0 stores nothing. */
  readonly weight: number;
  /** Tasks that it runs at once. */
  readonly slots: number;
  readonly position: Position;
  /** Each as HOST:PORT. */
  readonly addresses: { readonly control: string; readonly bulk: string; readonly http: string };
  /** Grows at each start of the node. */
  readonly incarnation: number;
  readonly state: MemberState;
  /** When the state became what it is, by the catalog leader's clock. */
  readonly since: Millis;
}

export interface MemberList {
  readonly epoch: Epoch;
  /** Sorted by position. */
  readonly members: readonly Member[];
}

export const EMPTY_LIST: MemberList = { epoch: 0, members: [] };

/** A list with its members in circle order (M2). */
export function memberList(epoch: Epoch, members: readonly Member[]): MemberList {
  const sorted = members.toSorted((a, b) => comparePositions(a.position, b.position));
  assert(new Set(sorted.map((m) => m.id)).size === sorted.length, "M2: one entry per node");
  assert(
    new Set(sorted.map((m) => m.position)).size === sorted.length,
    "M2: one node per position",
  );
  return { epoch, members: sorted };
}

/** Of two lists the one of the higher epoch; the known one when equal (M1). */
export const newerList = (known: MemberList, heard: MemberList): MemberList =>
  heard.epoch > known.epoch ? heard : known;

export const memberById = (list: MemberList, id: NodeId): Member | undefined =>
  list.members.find((member) => member.id === id);

/** Members that answer: up or leaving. */
export const isLive = (member: Member): boolean => member.state !== "down";
