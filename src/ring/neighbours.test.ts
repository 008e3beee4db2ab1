import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { neighbours } from "./neighbours.ts";
import { testList, testNode } from "./test-members.ts";

describe("neighbours", () => {
  it("N1: watch each other, and nobody watches itself", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(19)), (size, downs) => {
        const over = Object.fromEntries(downs.map((n) => [n, { state: "down" as const }]));
        const { members } = testList(1, size, over);
        const live = members.filter((m) => m.state !== "down").map((m) => m.id);
        for (const id of live) {
          const watched = neighbours(members, id);
          expect(watched).not.toContain(id);
          expect(watched.every((other) => live.includes(other))).toBe(true);
          expect(new Set(watched).size).toBe(Math.min(4, live.length - 1));
          for (const other of watched) expect(neighbours(members, other)).toContain(id);
        }
      }),
    );
  });

  it("are the two nearest on either side on the circle", () => {
    const { members } = testList(1, 9);
    const ids = members.map((m) => m.id);
    const around = neighbours(members, ids[0] ?? testNode(0));
    expect(new Set(around)).toEqual(new Set([ids[1], ids[2], ids[7], ids[8]]));
  });

  it("N2: passes over members that are down, but places one that is down itself as if it were up", () => {
    const ids = testList(1, 7).members.map((m) => m.id);
    const numberOf = (id: string): number =>
      [0, 1, 2, 3, 4, 5, 6].findIndex((n) => testNode(n) === id);
    const down = { [numberOf(ids[1] ?? "")]: { state: "down" as const } };
    const { members } = testList(2, 7, down);
    const passed = neighbours(members, ids[0] ?? testNode(0));
    expect(new Set(passed)).toEqual(new Set([ids[2], ids[3], ids[5], ids[6]]));
    expect(neighbours(members, ids[1] ?? testNode(0)).length).toBe(4);
  });

  it("of somebody who is no member are nobody", () => {
    expect(neighbours(testList(1, 5).members, testNode(77))).toEqual([]);
  });
});
