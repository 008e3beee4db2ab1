import { describe, expect, it } from "vitest";
import type { NodeId } from "../base/ids.ts";
import type { PartitionTable } from "./partition-table.ts";
import { plannedMoves } from "./plan-moves.ts";

const [a, b, c] = ["a", "b", "c"] as unknown as [NodeId, NodeId, NodeId];

const table = (version: number, hosts: NodeId[], rows: number[][]): PartitionTable => ({
  version,
  partitions: rows.length,
  hosts,
  rows,
});

describe("planned moves", () => {
  const old = table(
    1,
    [a, b],
    [
      [0, 1],
      [1, 0],
      [0, 1],
      [1, 0],
    ],
  );
  // The same hosts by another numbering, and c in place of a in the first row.
  const next = table(
    2,
    [c, b, a],
    [
      [0, 1],
      [1, 2],
      [2, 1],
      [1, 2],
    ],
  );

  it("V1: are none from a table to itself", () => {
    expect(plannedMoves(old, old)).toMatchObject({ moved: 0, movedShare: 0 });
  });

  it("V1: are what hosts hold that they did not hold before", () => {
    expect(plannedMoves(old, next, 2)).toEqual({
      moved: 1,
      movedShare: 1 / 8,
      hosts: [
        { id: a, shareBefore: 0.5, shareAfter: 0.375, gains: 0, drops: 1 },
        { id: b, shareBefore: 0.5, shareAfter: 0.5, gains: 0, drops: 0 },
        { id: c, shareBefore: 0, shareAfter: 0.125, gains: 1, drops: 0 },
      ],
    });
  });

  it("count over as many copies as asked", () => {
    const swapped = table(
      2,
      [a, b],
      [
        [1, 0],
        [1, 0],
        [0, 1],
        [1, 0],
      ],
    );
    expect(plannedMoves(old, swapped, 1).moved).toBe(1);
    expect(plannedMoves(old, swapped, 2).moved).toBe(0);
  });

  it("compare tables of different fineness", () => {
    const finer = table(
      2,
      [a, b],
      old.rows.flatMap((row) => [[...row], [...row]]),
    );
    expect(plannedMoves(old, finer).moved).toBe(0);
  });
});
