import { describe, expect, it } from "vitest";
import type { NodeId } from "../base/ids.ts";
import { seededRandom } from "../base/random.ts";
import { RepairPlanner } from "./repair.ts";
import { RepairCluster, rendezvous, testBlock, testNode } from "./repair-cluster.ts";
import type { RepairEffect, RepairMember, RepairOptions, WantedBlock } from "./repair-words.ts";

const wantedBlock = (n: number, copies: WantedBlock["copies"] = 2): WantedBlock => ({
  block: testBlock(n),
  length: 100,
  copies,
});

const everybody = (): boolean => true;

/** One planner that the test talks to itself; nodes are in the order of the holders of the first block. */
function alone(size: number, copies: WantedBlock["copies"], options: Partial<RepairOptions> = {}) {
  const ids = Array.from({ length: size }, (_, n) => testNode(n));
  const placement = rendezvous(ids);
  const wanted = wantedBlock(0, copies);
  const order = placement.holders(wanted.block, "all", everybody);
  const planner = new RepairPlanner(order[0] as NodeId, options);
  const view = (states: Record<number, RepairMember["state"]>, now = 0): RepairEffect[] => {
    const members = order.map((id, n) => ({ id, incarnation: 1, state: states[n] ?? "up" }));
    return planner.step({ kind: "view-changed", members, placement, now });
  };
  /** Answers every question: only `has` have the blocks. */
  const answer = (effects: RepairEffect[], has: readonly number[], now = 0): RepairEffect[] => {
    const out: RepairEffect[] = [];
    for (const effect of effects) {
      if (effect.kind !== "ask-inventory") continue;
      const missing = has.some((n) => order[n] === effect.node) ? [] : effect.ids;
      const next = planner.step({ kind: "inventory-answer", ask: effect.ask, missing, now });
      out.push(...next.filter((e) => e.kind !== "ask-inventory"), ...answer(next, has, now));
    }
    return out;
  };
  const want = (now = 0): RepairEffect[] =>
    planner.step({ kind: "wanted-changed", set: [wanted], removed: [], now });
  return { planner, wanted, order, view, answer, want };
}

const copiesIn = (effects: readonly RepairEffect[]) =>
  effects.flatMap((e) => (e.kind === "order-copy" ? [e] : []));

describe("repair", () => {
  it("orders a copy to a holder that lacks it, from one that has it", () => {
    const { view, want, answer, order, planner, wanted } = alone(4, 2);
    view({});
    const effects = answer(want(), [1]);
    expect(copiesIn(effects)).toEqual([
      { kind: "order-copy", block: wanted.block, length: 100, from: order[1], to: order[0] },
    ]);
    expect(planner.report).toMatchObject({ planned: 1, missing: 1, oneCopyLeft: 1 });
    planner.step({ kind: "copy-done", block: wanted.block, to: order[0] as NodeId, now: 1 });
    expect(planner.report).toEqual({
      planned: 1,
      missing: 0,
      oneCopyLeft: 0,
      noCopy: 0,
      unknown: 0,
    });
  });

  it("leaves to the first live holder what is not its own to plan (planning follows the first holder)", () => {
    const { view, want, planner } = alone(4, 2);
    view({ 0: "down" });
    expect(want().filter((e) => e.kind === "ask-inventory")).toEqual([]);
    expect(planner.report.planned).toBe(0);
  });

  it("R2: keeps the place of a member that went down, for the grace", () => {
    const { view, want, answer, order, planner } = alone(5, 3, { grace: 15_000 });
    view({});
    answer(want(), [0, 1, 2]);
    expect(copiesIn(answer(view({ 2: "down" }, 1000), [0, 1], 1000))).toEqual([]);
    expect(copiesIn(planner.step({ kind: "timer-fired", now: 15_999 }))).toEqual([]);
    const asks = planner.step({ kind: "timer-fired", now: 16_000 });
    expect(copiesIn(answer(asks, [0, 1], 16_000)).map((c) => c.to)).toEqual([order[3]]);
  });

  it("R2: replaces at once where one live copy is left", () => {
    const { view, want, answer, order } = alone(5, 2);
    view({});
    answer(want(), [0, 1]);
    const effects = answer(view({ 1: "down" }, 1000), [0], 1000);
    expect(copiesIn(effects).map((c) => c.to)).toEqual([order[2]]);
  });

  it("R5: a member that returns within the grace costs no copy", () => {
    const { view, want, answer, planner } = alone(5, 3, { grace: 15_000 });
    view({});
    answer(want(), [0, 1, 2]);
    const effects = [...answer(view({ 2: "down" }, 1000), [0, 1], 1000)];
    effects.push(...answer(view({}, 9000), [0, 1, 2], 9000));
    effects.push(...answer(planner.step({ kind: "timer-fired", now: 16_000 }), [0, 1, 2], 16_000));
    expect(copiesIn(effects)).toEqual([]);
    expect(planner.report.missing).toBe(0);
  });

  it("R5: a member that goes down a second time gets a whole grace again", () => {
    const { view, want, answer, planner } = alone(5, 3, { grace: 15_000 });
    view({});
    answer(want(), [0, 1, 2]);
    view({ 2: "down" }, 0);
    planner.step({ kind: "timer-fired", now: 15_000 });
    answer(view({}, 16_000), [0, 1, 2], 16_000);
    const effects = answer(view({ 2: "down" }, 20_000), [0, 1], 20_000);
    effects.push(...answer(planner.step({ kind: "timer-fired", now: 30_000 }), [0, 1], 30_000));
    expect(copiesIn(effects)).toEqual([]);
  });

  it("R6: tries another source after a failed copy, and asks the failed one again later", () => {
    const { view, want, answer, order, planner, wanted } = alone(4, 3);
    view({});
    const [first] = copiesIn(answer(want(), [1, 2]));
    const failed = { block: wanted.block, to: order[0] as NodeId };
    const again = copiesIn(
      planner.step({ kind: "copy-failed", ...failed, from: first?.from as NodeId, now: 5 }),
    );
    expect(again.map((c) => c.to)).toEqual([order[0]]);
    expect(again[0]?.from).not.toBe(first?.from);
    const last = {
      kind: "copy-failed",
      ...failed,
      from: again[0]?.from as NodeId,
      now: 6,
    } as const;
    const effects = planner.step(last);
    expect(copiesIn(effects)).toEqual([]);
    expect(effects).toContainEqual({ kind: "set-timer", at: 1006 });
    const asks = planner.step({ kind: "timer-fired", now: 1006 });
    expect(asks.some((e) => e.kind === "ask-inventory" && e.node === again[0]?.from)).toBe(true);
    expect(copiesIn([...asks, ...answer(asks, [1, 2], 1006)]).length).toBe(1);
  });

  it("R6: looks everywhere for a block that no holder has, and again later", () => {
    const { view, want, answer, order, planner } = alone(5, 2);
    view({});
    const found = copiesIn(answer(want(), [4]));
    expect(found.map((c) => c.from)).toEqual([order[4], order[4]]);
    const lost = alone(5, 2);
    lost.view({});
    expect(copiesIn(lost.answer(lost.want(), []))).toEqual([]);
    expect(lost.planner.report).toMatchObject({ noCopy: 1 });
    const later = lost.planner.step({ kind: "timer-fired", now: 10_000 });
    expect(copiesIn(lost.answer(later, [3], 10_000)).length).toBe(2);
    expect(planner.report.noCopy).toBe(0);
  });

  it("R7: a leaving member is a source and never a target", () => {
    const { view, want, answer, order } = alone(4, 2);
    view({ 1: "leaving" });
    const effects = copiesIn(answer(want(), [1]));
    expect(effects.map((c) => [c.from, c.to])).toEqual([
      [order[1], order[0]],
      [order[1], order[2]],
    ]);
  });

  it("A1: an answer given before a restart of the node does not count after it", () => {
    const { view, want, planner, order } = alone(3, 2);
    view({});
    const asks = want().flatMap((e) => (e.kind === "ask-inventory" ? [e] : []));
    const toSecond = asks.find((e) => e.node === order[1]);
    view({ 1: "down" }, 1);
    const old = { kind: "inventory-answer", ask: toSecond?.ask ?? 0, missing: [], now: 2 } as const;
    planner.step(old);
    const anew = view({}, 3).filter((e) => e.kind === "ask-inventory" && e.node === order[1]);
    expect(anew.length).toBe(1);
  });

  it("A2: a node that does not answer is asked again after a moment, not at once", () => {
    const { view, want, planner } = alone(3, 2);
    view({});
    const asks = want().flatMap((e) => (e.kind === "ask-inventory" ? [e] : []));
    const failed = planner.step({ kind: "inventory-failed", ask: asks[1]?.ask ?? 0, now: 100 });
    expect(failed.filter((e) => e.kind === "ask-inventory")).toEqual([]);
    const later = planner.step({ kind: "timer-fired", now: 1100 });
    expect(later.some((e) => e.kind === "ask-inventory" && e.node === asks[1]?.node)).toBe(true);
  });

  it("replaces a copy that a read found bad", () => {
    const { view, want, answer, order, planner, wanted } = alone(4, 2);
    view({});
    answer(want(), [0, 1]);
    const node = order[1] as NodeId;
    const effects = planner.step({ kind: "copy-lost", block: wanted.block, node, now: 5 });
    expect(copiesIn(effects).map((c) => c.to)).toEqual([node]);
  });

  it("asks everything anew once in the audit's time, and finds what vanished from a disk", () => {
    const { view, want, answer, planner } = alone(4, 2, { audit: 60_000 });
    view({});
    answer(want(), [0, 1]);
    const asks = planner.step({ kind: "timer-fired", now: 60_000 });
    expect(copiesIn(answer(asks, [0], 60_000)).length).toBe(1);
  });

  it("forgets a block that is wanted no more", () => {
    const { view, want, planner, wanted } = alone(4, 2);
    view({});
    want();
    planner.step({ kind: "wanted-changed", set: [], removed: [wanted.block], now: 1 });
    expect(planner.report.planned).toBe(0);
  });

  it("makes more copies when more are wanted", () => {
    const { view, want, answer, planner, wanted, order } = alone(5, 2);
    view({});
    answer(want(), [0, 1]);
    const set = [{ ...wanted, copies: "all" as const }];
    const asks = planner.step({ kind: "wanted-changed", set, removed: [], now: 1 });
    const targets = copiesIn(answer(asks, [0, 1], 1)).map((c) => c.to);
    expect(targets.sort()).toEqual(order.slice(2).sort());
  });
});

/** Many blocks on one planner: of each, `has(n)` tells which hosts have it. */
function crowd(blocks: number, options: Partial<RepairOptions>, has: (n: number) => number) {
  const self = testNode(0);
  const ids = [self, testNode(1), testNode(2)];
  const placement = { partitionOf: () => 0, holders: () => ids };
  const planner = new RepairPlanner(self, options);
  const members = ids.map((id) => ({ id, incarnation: 1, state: "up" as const }));
  planner.step({ kind: "view-changed", members, placement, now: 0 });
  const set = Array.from({ length: blocks }, (_, n) => wantedBlock(n, 3));
  const indexOf = new Map(set.map((w, n) => [w.block, n]));
  const orders: RepairEffect[] = [];
  let open = planner.step({ kind: "wanted-changed", set, removed: [], now: 0 });
  const asked: number[] = [];
  // Hold the orders back until all is known, as if copies took long.
  while (open.length > 0) {
    const next: RepairEffect[] = [];
    for (const effect of open) {
      if (effect.kind === "order-copy") orders.push(effect);
      if (effect.kind !== "ask-inventory") continue;
      asked.push(effect.ids.length);
      const rank = ids.indexOf(effect.node);
      const missing = effect.ids.filter((id) => rank >= has(indexOf.get(id) ?? 0));
      next.push(...planner.step({ kind: "inventory-answer", ask: effect.ask, missing, now: 0 }));
    }
    open = next;
  }
  return { planner, orders: copiesIn(orders), indexOf, asked };
}

describe("repair of many blocks", () => {
  it("R3: orders the blocks with the fewest live copies first", () => {
    const { planner, orders, indexOf } = crowd(40, { inFlight: 1 }, (n) => (n % 4 === 3 ? 1 : 2));
    const order: number[] = [];
    let [next] = orders;
    // Whatever was ordered before all was known, the rest goes by urgency.
    while (next !== undefined) {
      order.push(indexOf.get(next.block) ?? -1);
      const { block, to } = next;
      [next] = copiesIn(planner.step({ kind: "copy-done", block, to, now: 1 }));
    }
    const later = order.slice(1).map((n) => n % 4 === 3);
    const firstCalm = later.indexOf(false);
    expect(firstCalm).toBeGreaterThanOrEqual(9);
    expect(planner.report.missing).toBe(0);
    expect(order.length).toBe(50);
  });

  it("R4: orders at most so many at a time, none twice, and asks in batches", () => {
    const { planner, orders, asked } = crowd(100, { inFlight: 8, batch: 30 }, () => 1);
    expect(orders.length).toBe(8);
    expect(Math.max(...asked)).toBe(30);
    const open = new Map(orders.map((o) => [`${o.block} ${o.to}`, o]));
    expect(open.size).toBe(8);
    let made = 0;
    while (open.size > 0) {
      const [[key, order]] = [...open] as [[string, (typeof orders)[number]]];
      open.delete(key);
      made++;
      const { block, to } = order;
      for (const next of copiesIn(planner.step({ kind: "copy-done", block, to, now: 1 }))) {
        expect(open.has(`${next.block} ${next.to}`)).toBe(false);
        open.set(`${next.block} ${next.to}`, next);
      }
      expect(open.size).toBeLessThanOrEqual(8);
    }
    expect(made).toBe(200);
    expect(planner.report.missing).toBe(0);
  });
});

/** A cluster with random blocks, crashes, returns, joins and lost messages. */
function stormy(seed: number): RepairCluster {
  const random = seededRandom(seed);
  const options = { grace: 3000, inFlight: 4, batch: 7, retry: 300, audit: 20_000 };
  const cluster = new RepairCluster(random, 3 + random.below(6), options, 0.15);
  for (let n = 0; n < 40; n++) {
    const copies = random.pick([1, 2, 2, 3, 5, "all"] as const);
    cluster.put(wantedBlock(n, copies), random.pick([1, 2, 9]));
  }
  for (let round = 0; round < 25; round++) {
    const host = random.pick(cluster.hosts);
    if (!host.up) cluster.restart(host);
    else if (random.next() < 0.1) cluster.join();
    else if (cluster.mayCrash(host)) cluster.crash(host);
    cluster.run(random.below(4000));
  }
  cluster.quiet();
  cluster.run(60_000);
  return cluster;
}

describe("repair in a cluster", () => {
  it("R1: after random crashes, joins and losses every block is at all its holders again", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const cluster = stormy(seed);
      for (let n = 0; n < 40; n++) {
        const wanted = cluster.wanted(n);
        const lacking = cluster
          .liveHolders(wanted)
          .filter((id) => !cluster.hosts.find((h) => h.id === id)?.disk.has(wanted.block));
        expect(lacking, `seed ${seed}, block ${n}, copies ${wanted.copies}`).toEqual([]);
      }
      for (const host of cluster.hosts.filter((h) => h.up)) {
        expect(host.planner.report, `seed ${seed}`).toMatchObject({ missing: 0, noCopy: 0 });
      }
    }
  }, 30_000);

  it("becomes quiet: once whole, only audits go on and no copy is made", () => {
    const cluster = stormy(7);
    const before = cluster.copies;
    const asks = cluster.trace.length;
    cluster.run(100_000);
    expect(cluster.copies).toBe(before);
    const live = cluster.hosts.filter((host) => host.up).length;
    const perAudit = live * (live * 7 + 2);
    expect(cluster.trace.length - asks).toBeLessThanOrEqual(5 * perAudit);
  });

  it("R8: the same seed gives the same trace", () => {
    expect(stormy(3).trace).toEqual(stormy(3).trace);
  });
});
