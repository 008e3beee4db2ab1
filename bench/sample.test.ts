import { describe, expect, test } from "vitest";
import { interleaved, median, rateOf, rounded } from "./sample.ts";

describe("figures", () => {
  test("the median is the middle one, or the mean of the two in the middle, in any order", () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 1, 3, 2])).toBe(2.5);
    expect(median([10, 9, 100])).toBe(10);
    expect(() => median([])).toThrow(/at least one run/);
  });

  test("rates are decimal megabytes a second", () => {
    expect(rateOf(256 * 1024 * 1024, 1000)).toBeCloseTo(268.4, 1);
    expect(rounded(268.435)).toBe(268);
    expect(rounded(0.98765)).toBe(0.988);
  });

  test("contenders run in turns, each as often as it asked", async () => {
    const order: string[] = [];
    const contender = (name: string, runs: number) => ({
      name,
      runs,
      run: async (round: number) => {
        order.push(`${name}${round}`);
        return round;
      },
    });
    const times = await interleaved([contender("a", 3), contender("b", 1), contender("c", 2)]);
    expect(order).toEqual(["a0", "b0", "c0", "a1", "c1", "a2"]);
    expect(times).toEqual([[0, 1, 2], [0], [0, 1]]);
  });
});
