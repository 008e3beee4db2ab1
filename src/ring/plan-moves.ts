/**
 * What a new partition table would move, before it is put in force (`ringfold nodes plan`).
 *
 * V1  A table moves nothing to itself; what a host gains over R columns is what it did not hold
 *     over R before. Tested.
 */
import type { NodeId } from "../base/ids.ts";
import { type PartitionTable, ROW_DEPTH } from "./partition-table.ts";

export interface HostPlan {
  readonly id: NodeId;
  /** Part of all data that the host has before and after, 0 to 1. */
  readonly shareBefore: number;
  readonly shareAfter: number;
  /** Partitions that it must fetch, and that it may drop. */
  readonly gains: number;
  readonly drops: number;
}

export interface MovePlan {
  /** Copies of partitions to be made. */
  readonly moved: number;
  /** The same as a part of all copies, 0 to 1. */
  readonly movedShare: number;
  /** Sorted by id: every host of either table. */
  readonly hosts: readonly HostPlan[];
}

/**
 * @param old the table in force, @param next the one planned
 * @param copies how many copies of each partition are counted (the replication factor), at most 3
 */
export function plannedMoves(
  old: PartitionTable,
  next: PartitionTable,
  copies: number = ROW_DEPTH,
): MovePlan {
  const partitions = Math.max(old.partitions, next.partitions);
  const hosts = new Map<NodeId, { before: number; after: number; gains: number; drops: number }>();
  const of = (id: NodeId) => {
    const known = hosts.get(id) ?? { before: 0, after: 0, gains: 0, drops: 0 };
    hosts.set(id, known);
    return known;
  };
  for (let p = 0; p < partitions; p++) {
    const before = rowOf(old, p, partitions, copies);
    const after = rowOf(next, p, partitions, copies);
    for (const id of before) of(id).before++;
    for (const id of after) of(id).after++;
    for (const id of after) if (!before.includes(id)) of(id).gains++;
    for (const id of before) if (!after.includes(id)) of(id).drops++;
  }
  const all = [...hosts.values()];
  const sum = (pick: (host: (typeof all)[number]) => number): number =>
    all.reduce((total, host) => total + pick(host), 0);
  const [cellsBefore, cellsAfter] = [
    Math.max(
      1,
      sum((h) => h.before),
    ),
    sum((h) => h.after),
  ];
  const moved = sum((h) => h.gains);
  return {
    moved,
    movedShare: moved / Math.max(1, cellsAfter),
    hosts: [...hosts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([id, host]) => ({
        id,
        shareBefore: host.before / cellsBefore,
        shareAfter: host.after / Math.max(1, cellsAfter),
        gains: host.gains,
        drops: host.drops,
      })),
  };
}

function rowOf(table: PartitionTable, p: number, partitions: number, copies: number): NodeId[] {
  const row = table.rows[Math.floor((p * table.partitions) / partitions)] ?? [];
  return row.slice(0, copies).flatMap((index) => table.hosts[index] ?? []);
}
