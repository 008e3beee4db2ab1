import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteBudget } from "./byte-budget.ts";

describe("a byte budget", () => {
  it("never has more out than its capacity, a larger request alone apart (Y1)", async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.scheduler(), async (requests, scheduler) => {
        const budget = new ByteBudget(100);
        let out = 0;
        let users = 0;
        const all = requests.map(async (bytes) => {
          const release = await budget.take(bytes);
          out += bytes;
          users++;
          expect(out <= 100 || users === 1 || out - bytes === 0 || bytes === 0).toBe(true);
          await scheduler.schedule(Promise.resolve());
          out -= bytes;
          users--;
          release();
          release();
        });
        await scheduler.waitFor(Promise.all(all));
        expect(out).toBe(0);
      }),
    );
  });

  it("serves in the order asked, so that a large request is not starved by small ones", async () => {
    const budget = new ByteBudget(10);
    const order: string[] = [];
    const first = await budget.take(6);
    const large = budget.take(10).then((release) => {
      order.push("large");
      release();
    });
    const small = budget.take(1).then((release) => {
      order.push("small");
      release();
    });
    first();
    await Promise.all([large, small]);
    expect(order).toEqual(["large", "small"]);
  });
});
