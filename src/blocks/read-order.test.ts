import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Candidate, readOrder } from "./read-order.ts";
import { testBlock, testNode } from "./repair-cluster.ts";

const candidate = (n: number, zone: string, live = true): Candidate => ({
  id: testNode(n),
  zone,
  live,
});
const reader = { id: testNode(0), zone: "here" };

describe("the order of reading", () => {
  it("O1: has every candidate once, those that are down last", () => {
    const any = fc.array(fc.tuple(fc.nat(8), fc.constantFrom("here", "there"), fc.boolean()));
    fc.assert(
      fc.property(any, fc.nat(), (list, n) => {
        const candidates = list.map(([id, zone, live]) => candidate(id, zone, live));
        const order = readOrder(reader, testBlock(n), candidates);
        const last = new Map(candidates.map((c) => [c.id, c]));
        expect(new Set(order)).toEqual(new Set(last.keys()));
        expect(order.length).toBe(last.size);
        const live = order.map((id) => last.get(id)?.live);
        expect(live).toEqual(live.toSorted((a, b) => Number(b) - Number(a)));
      }),
    );
  });

  it("O2: is the reader itself, then its zone, then the others", () => {
    const candidates = [
      candidate(3, "there"),
      candidate(2, "here"),
      candidate(0, "here"),
      candidate(4, "here", false),
    ];
    expect(readOrder(reader, testBlock(1), candidates)).toEqual([0, 2, 3, 4].map(testNode));
  });

  it("O3: starts elsewhere for other blocks, and the same for the same block", () => {
    const candidates = [1, 2, 3].map((n) => candidate(n, "there"));
    const firsts = Array.from(
      { length: 60 },
      (_, n) => readOrder(reader, testBlock(n), candidates)[0],
    );
    expect(new Set(firsts).size).toBe(3);
    const again = readOrder(reader, testBlock(5), candidates);
    expect(readOrder(reader, testBlock(5), candidates)).toEqual(again);
  });

  it("of no candidates is empty", () => {
    expect(readOrder(reader, testBlock(1), [])).toEqual([]);
  });
});
