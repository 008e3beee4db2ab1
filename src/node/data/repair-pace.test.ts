import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RepairPace } from "./repair-pace.ts";

describe("the pace of repair", () => {
  it("never lets through more than its rate and a second's worth, over any time", () => {
    const moves = fc.array(
      fc.record({
        bytes: fc.integer({ min: 1, max: 500 }),
        later: fc.integer({ min: 0, max: 900 }),
      }),
      { minLength: 1, maxLength: 50 },
    );
    fc.assert(
      fc.property(moves, (list) => {
        const pace = new RepairPace(100);
        let now = 0;
        let moved = 0;
        for (const { bytes, later } of list) {
          now += later;
          moved += bytes;
          const when = now + pace.delay(bytes, now);
          expect(moved).toBeLessThanOrEqual(100 * (when / 1000) + 100 + 1e-6);
        }
      }),
    );
  });

  it("lets single blocks through at once", () => {
    const pace = new RepairPace(100);
    expect([pace.delay(100, 5000), pace.delay(50, 5000), pace.delay(50, 9000)]).toEqual([
      0, 500, 0,
    ]);
  });
});
