import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockIdOf, sha256Hex } from "../base/hash.ts";
import type { BlockId, NodeId } from "../base/ids.ts";
import { holders, partitionOf, partitionStart } from "./holders.ts";
import { type Member, type MemberList, memberById } from "./member.ts";
import { claimPartitions, type PartitionTable } from "./partition-table.ts";
import { position, positionOfBlock } from "./position.ts";
import { testList, testNode } from "./test-members.ts";

const key = (n: number): BlockId => blockIdOf(Buffer.from(`block ${n}`));

function cluster(
  size: number,
  zones = 1,
  over: Readonly<Record<number, Partial<Member>>> = {},
): { list: MemberList; table: PartitionTable } {
  const all = Object.fromEntries(
    Array.from({ length: size }, (_, n) => [n, { zone: `z${n % zones}`, ...over[n] }]),
  );
  const list = testList(1, size, all);
  return { list, table: claimPartitions(undefined, list.members, { partitions: 64 }) };
}

const rowOf = (table: PartitionTable, block: BlockId): NodeId[] =>
  (table.rows[partitionOf(block, table.partitions)] ?? []).flatMap((i) => table.hosts[i] ?? []);

const anyCluster = fc.record({
  size: fc.integer({ min: 1, max: 12 }),
  zones: fc.integer({ min: 1, max: 4 }),
  copies: fc.integer({ min: 1, max: 8 }),
  n: fc.nat(1000),
  dead: fc.array(fc.nat(11)),
});

describe("holders", () => {
  it("H1, H2: are distinct usable members, as many as asked for or as there are", () => {
    fc.assert(
      fc.property(anyCluster, ({ size, zones, copies, n, dead }) => {
        const { list, table } = cluster(size, zones);
        const down = new Set(dead.map((d) => testNode(d)));
        const usable = (id: NodeId): boolean => !down.has(id);
        const found = holders(table, list.members, key(n), copies, usable);
        const live = list.members.filter((m) => usable(m.id)).length;
        expect(new Set(found).size).toBe(found.length);
        expect(found.length).toBe(Math.min(copies, live));
        expect(found.every(usable)).toBe(true);
      }),
    );
  });

  it("H1: pass over weight 0, and hosts of the table that are members no more", () => {
    const { list, table } = cluster(6);
    const without = list.members.filter((m) => m.id !== testNode(2));
    const zeroed = without.map((m) => (m.id === testNode(3) ? { ...m, weight: 0 } : m));
    for (let n = 0; n < 50; n++) {
      const found = holders(table, zeroed, key(n), "all");
      expect(new Set(found)).toEqual(new Set([0, 1, 4, 5].map((m) => testNode(m))));
    }
  });

  it("H3: are the row's first hosts while those are usable", () => {
    const { list, table } = cluster(9, 3);
    for (let n = 0; n < 50; n++) {
      for (const copies of [1, 2, 3]) {
        const found = holders(table, list.members, key(n), copies);
        expect(found).toEqual(rowOf(table, key(n)).slice(0, copies));
      }
    }
  });

  it("H4: keep those before a host that is passed over", () => {
    fc.assert(
      fc.property(anyCluster, ({ size, zones, n, dead }) => {
        const { list, table } = cluster(size, zones);
        const all = holders(table, list.members, key(n), "all");
        const skipped = all[(dead[0] ?? 0) % all.length] as NodeId;
        const found = holders(table, list.members, key(n), "all", (id) => id !== skipped);
        const before = all.indexOf(skipped);
        expect(found.slice(0, before)).toEqual(all.slice(0, before));
        expect(new Set([...found, skipped])).toEqual(new Set(all));
      }),
    );
  });

  it("H5: beyond the row, a zone not yet named comes first", () => {
    const { list, table } = cluster(12, 4);
    const zoneOf = (id: NodeId) => memberById(list, id)?.zone;
    for (let n = 0; n < 50; n++) {
      const [first] = rowOf(table, key(n));
      const four = holders(table, list.members, key(n), 4);
      expect(new Set(four.map(zoneOf)).size).toBe(4);
      const without = holders(table, list.members, key(n), 4, (id) => id !== first);
      expect(new Set(without.map(zoneOf)).size).toBe(4);
    }
  });

  it("beyond the row follow the circle from the partition's start", () => {
    const { list, table } = cluster(8);
    const block = key(3);
    const row = rowOf(table, block);
    const start = partitionStart(partitionOf(block, table.partitions), table.partitions);
    const places = list.members.map((m) => m.position);
    const first = Math.max(
      0,
      places.findIndex((place) => place >= start),
    );
    const circle = [...list.members.slice(first), ...list.members.slice(0, first)].map((m) => m.id);
    const expected = [...row, ...circle.filter((id) => !row.includes(id))];
    expect(holders(table, list.members, block, "all")).toEqual(expected);
  });

  it("of nothing are nobody", () => {
    const table = claimPartitions(undefined, []);
    expect(holders(table, [], key(1), 3)).toEqual([]);
    expect(holders(table, [], key(1), "all")).toEqual([]);
  });

  it("answer for a new member list with the same table", () => {
    const { list, table } = cluster(4);
    expect(holders(table, list.members, key(1), "all").length).toBe(4);
    const fewer = list.members.filter((m) => m.id !== testNode(0));
    expect(holders(table, fewer, key(1), "all").length).toBe(3);
  });
});

describe("the partition of a key", () => {
  it("is its first bits, whether block or position", () => {
    expect(partitionOf("f".repeat(64) as BlockId, 1024)).toBe(1023);
    expect(partitionOf("0".repeat(64) as BlockId, 1024)).toBe(0);
    expect(partitionOf(`8${"0".repeat(63)}` as BlockId, 2)).toBe(1);
    expect(partitionOf("f".repeat(64) as BlockId, 1)).toBe(0);
    for (let n = 0; n < 20; n++) {
      expect(partitionOf(positionOfBlock(key(n)), 64)).toBe(partitionOf(key(n), 64));
    }
  });

  it("starts where its keys do", () => {
    for (let n = 0; n < 50; n++) {
      const at = positionOfBlock(sha256Hex(`${n}`) as BlockId);
      const partition = partitionOf(at, 64);
      expect(partitionStart(partition, 64) <= at).toBe(true);
      if (partition < 63) expect(partitionStart(partition + 1, 64) > at).toBe(true);
    }
    expect(partitionStart(32, 64)).toBe(position(`8${"0".repeat(39)}`));
  });
});
