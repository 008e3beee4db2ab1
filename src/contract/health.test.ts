import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { healthOf } from "./health.ts";

describe("health in words", () => {
  it.each([
    [{ total: 340, healing: 0, lastCopy: 0, missing: 0 }, "healthy", "Healthy"],
    [{ total: 0, healing: 0, lastCopy: 0, missing: 0 }, "healthy", "Healthy"],
    [{ total: 340, healing: 12, lastCopy: 0, missing: 0 }, "healing", "Healing 12 of 340 blocks"],
    [
      { total: 340, healing: 12, lastCopy: 3, missing: 0 },
      "at-risk",
      "3 blocks have one copy left",
    ],
    [{ total: 340, healing: 12, lastCopy: 1, missing: 0 }, "at-risk", "1 block has one copy left"],
    [
      { total: 340, healing: 12, lastCopy: 3, missing: 2 },
      "broken",
      "2 blocks have no copy on a live node",
    ],
  ] as const)("%j is %s: %s", (counts, state, text) => {
    expect(healthOf(counts)).toMatchObject({ state, text });
  });

  it("is healthy exactly when nothing is missing, last or healing", () => {
    const count = fc.nat({ max: 3 });
    fc.assert(
      fc.property(count, count, count, (healing, lastCopy, missing) => {
        const { state } = healthOf({ total: 9, healing, lastCopy, missing });
        expect(state === "healthy").toBe(healing + lastCopy + missing === 0);
      }),
    );
  });
});
