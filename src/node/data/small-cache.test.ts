import { describe, expect, it } from "vitest";
import { blockIdOf } from "../../base/hash.ts";
import { SmallCache } from "./small-cache.ts";

const entry = (n: number) => {
  const bytes = new Uint8Array(20).fill(n);
  return { id: blockIdOf(bytes), bytes };
};

describe("the cache of small blocks", () => {
  it("keeps what was asked for last, within its capacity", () => {
    const cache = new SmallCache(100);
    const entries = [1, 2, 3, 4, 5, 6].map(entry);
    for (const { id, bytes } of entries.slice(0, 5)) cache.set(id, bytes);
    expect(cache.get(entries[0]?.id as never)).toEqual(entries[0]?.bytes);
    cache.set(entries[5]?.id as never, entries[5]?.bytes as never);
    const kept = entries.map(({ id }) => cache.get(id) !== undefined);
    expect(kept).toEqual([true, false, true, true, true, true]);
  });

  it("does not take what would push out a quarter of it", () => {
    const cache = new SmallCache(79);
    const { id, bytes } = entry(1);
    cache.set(id, bytes);
    expect(cache.get(id)).toBeUndefined();
  });
});
