import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dueShares, zoneLimit } from "./shares.ts";

const equal = (zones: readonly string[]) => zones.map((zone) => ({ zone, weight: 1 }));
const weighing = (weights: readonly number[]) => weights.map((weight) => ({ zone: "z", weight }));
const rounded = (dues: readonly number[]): number[] => dues.map((due) => Math.round(due * 10) / 10);

const anyHosts = fc.array(
  fc.record({
    zone: fc.constantFrom("a", "b", "c", "d"),
    weight: fc.double({ min: 0.5, max: 4, noNaN: true }),
  }),
  { minLength: 3, maxLength: 50 },
);

describe("what a host is due", () => {
  it("S1: adds up to all cells, and is never above one cell a row, nor a zone's limit", () => {
    fc.assert(
      fc.property(anyHosts, fc.integer({ min: 1, max: 3 }), (hosts, copies) => {
        const dues = dueShares(hosts, 1024, copies);
        expect(dues.reduce((a, b) => a + b)).toBeCloseTo(copies * 1024, 4);
        for (const due of dues) expect(due).toBeLessThanOrEqual(1024 + 1e-6);
        const zones = new Set(hosts.map((host) => host.zone));
        for (const zone of zones) {
          const total = dues.reduce((sum, due, i) => sum + (hosts[i]?.zone === zone ? due : 0), 0);
          expect(total).toBeLessThanOrEqual(1024 * zoneLimit(copies, zones.size) + 1e-4);
        }
      }),
    );
  });

  it("S2: is in proportion to weights where nothing caps it", () => {
    expect(rounded(dueShares(weighing([1, 2, 3, 2]), 1024, 1))).toEqual([128, 256, 384, 256]);
    expect(rounded(dueShares(weighing([1, 2, 3, 2]), 1024, 2))).toEqual([256, 512, 768, 512]);
  });

  it("S3: never shrinks when the copies grow", () => {
    fc.assert(
      fc.property(anyHosts, (hosts) => {
        const [one, two, three] = [1, 2, 3].map((copies) => dueShares(hosts, 1024, copies));
        for (const i of hosts.keys()) {
          expect(two?.[i]).toBeGreaterThanOrEqual((one?.[i] ?? 0) - 1e-4);
          expect(three?.[i]).toBeGreaterThanOrEqual((two?.[i] ?? 0) - 1e-4);
        }
      }),
    );
  });

  it("is one cell of every row for a host of more than its weight's worth, the rest is shared", () => {
    expect(rounded(dueShares(weighing([4, 0.5, 0.5]), 1000, 1))).toEqual([800, 100, 100]);
    expect(rounded(dueShares(weighing([4, 0.5, 0.5]), 1000, 2))).toEqual([1000, 500, 500]);
    expect(rounded(dueShares(weighing([4, 0.5, 0.5]), 1000, 3))).toEqual([1000, 1000, 1000]);
  });

  it("gives a small zone a cell of every row once there are as many copies as zones", () => {
    const hosts = equal(["a", "b", "b", "b", "b"]);
    expect(rounded(dueShares(hosts, 1000, 1))).toEqual([200, 200, 200, 200, 200]);
    expect(rounded(dueShares(hosts, 1000, 2))).toEqual([1000, 250, 250, 250, 250]);
    expect(rounded(dueShares(hosts, 1000, 3))).toEqual([1000, 500, 500, 500, 500]);
  });
});
