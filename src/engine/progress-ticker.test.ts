import { expect, test } from "vitest";
import { ProgressTicker } from "./progress-ticker.ts";

/** Records at which the ticker looked, when each record takes what `cost` says. */
function looks(records: number, cost: (record: number) => number): number[] {
  let time = 0;
  let record = 0;
  const seen: number[] = [];
  const ticker = new ProgressTicker(
    () => seen.push(record),
    () => time,
  );
  for (record = 1; record <= records; record++) {
    time += cost(record);
    ticker.tick();
  }
  return seen;
}

test("slow records are each looked at, from the first", () => {
  expect(looks(5, () => 50)).toEqual([1, 2, 3, 4, 5]);
});

test("fast records are looked at every sixteen", () => {
  const seen = looks(100, () => 0.001);
  expect(seen.slice(0, 6)).toEqual([1, 3, 7, 15, 31, 47]);
});

test("records that become slow are each looked at after sixteen at most", () => {
  const seen = looks(100, (record) => (record > 50 ? 100 : 0));
  const slow = seen.filter((record) => record > 50);
  expect(slow[0]).toBeLessThan(50 + 17);
  expect(slow.slice(1)).toEqual(slow.slice(1).map((_, i) => (slow[0] as number) + 1 + i));
});
