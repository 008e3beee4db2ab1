import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BlockId } from "../base/ids.ts";
import {
  admissionPosition,
  arc,
  between,
  CIRCLE,
  comparePositions,
  distance,
  FIRST_POSITION,
  numberAt,
  type Position,
  position,
  positionAt,
  positionOf,
  positionOfBlock,
} from "./position.ts";

const anyPosition = fc.bigInt({ min: 0n, max: CIRCLE - 1n }).map(positionAt);

describe("a position", () => {
  it("P1: distances there and back make the whole circle, or nothing", () => {
    fc.assert(
      fc.property(anyPosition, anyPosition, (a, b) => {
        expect(distance(a, b) + distance(b, a)).toBe(a === b ? 0n : CIRCLE);
        expect(positionAt(numberAt(a) + distance(a, b))).toBe(b);
        expect(arc(a, a)).toBe(CIRCLE);
      }),
    );
  });

  it("P2: is 40 hex digits whose text order is the circle's", () => {
    fc.assert(
      fc.property(anyPosition, anyPosition, (a, b) => {
        expect(position(a)).toBe(a);
        expect(Math.sign(comparePositions(a, b))).toBe(
          numberAt(a) < numberAt(b) ? -1 : numberAt(a) > numberAt(b) ? 1 : 0,
        );
      }),
    );
  });

  it.each(["", "0", "G".repeat(40), "A".repeat(40), "0".repeat(41), `${"0".repeat(40)}\n`])(
    "P2: refuses %j",
    (text) => {
      expect(() => position(text)).toThrow(expect.objectContaining({ code: "bad-id" }));
    },
  );

  it("of a key is the start of its SHA-256, of a block the start of its id", () => {
    expect(positionOf("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a3");
    expect(positionOf(Buffer.from("abc"))).toBe(positionOf("abc"));
    const id = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" as BlockId;
    expect(positionOfBlock(id)).toBe(positionOf("abc"));
  });

  it("lies between two others going clockwise, as Zave defines it", () => {
    fc.assert(
      fc.property(anyPosition, anyPosition, anyPosition, (a, x, b) => {
        const inside = x !== a && x !== b && distance(a, x) < arc(a, b);
        expect(between(a, x, b)).toBe(inside);
      }),
    );
  });
});

const grow = (weights: readonly number[]): { position: Position; weight: number }[] => {
  const members: { position: Position; weight: number }[] = [];
  for (const weight of weights) members.push({ position: admissionPosition(members), weight });
  return members;
};

describe("the admission position", () => {
  it("of the first member is fixed, of the second the other side", () => {
    expect(admissionPosition([])).toBe(FIRST_POSITION);
    const second = admissionPosition([{ position: FIRST_POSITION, weight: 1 }]);
    expect(numberAt(second)).toBe(CIRCLE / 2n);
  });

  it("P3: is nobody's, and the same in whatever order the members are listed", () => {
    const weight = fc.constantFrom(0, 0.5, 1, 2, 4);
    fc.assert(
      fc.property(fc.array(weight, { maxLength: 60 }), fc.nat(), (weights, turn) => {
        const members = grow(weights);
        expect(new Set(members.map((m) => m.position)).size).toBe(members.length);
        const start = turn % Math.max(1, members.length);
        const turned = [...members.slice(start), ...members.slice(0, start)];
        expect(admissionPosition(turned)).toBe(admissionPosition(members));
      }),
      { numRuns: 40 },
    );
  });

  it("keeps the arcs of equal members within a factor of two", () => {
    for (const size of [2, 3, 5, 8, 13, 50]) {
      const places = grow(Array.from({ length: size }, () => 1))
        .map((m) => m.position)
        .sort(comparePositions);
      const arcs = places.map((place, i) => arc(place, places[(i + 1) % size] ?? place));
      const longest = arcs.reduce((a, b) => (a > b ? a : b));
      const shortest = arcs.reduce((a, b) => (a < b ? a : b));
      expect(longest <= 2n * shortest).toBe(true);
    }
  });

  it("takes from the arc that is largest for its owner's weight", () => {
    const quarter = CIRCLE / 4n;
    const members = [
      { position: positionAt(0n), weight: 1 },
      { position: positionAt(quarter), weight: 0.5 },
      { position: positionAt(3n * quarter), weight: 4 },
    ];
    // Arcs: a quarter for weight 1, a quarter for 0.5, half for 4: per weight 1/4, 1/2, 1/8.
    expect(numberAt(admissionPosition(members))).toBe(quarter / 2n);
  });
});
