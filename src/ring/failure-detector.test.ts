import { describe, expect, it } from "vitest";
import type { NodeId } from "../base/ids.ts";
import { type DetectorEffect, FailureDetector } from "./failure-detector.ts";
import type { MemberList } from "./member.ts";
import { neighbours } from "./neighbours.ts";
import { testList, testNode } from "./test-members.ts";

const self = testNode(0);
const other = testNode(1);

function watching(list: MemberList = testList(1, 3)) {
  const detector = new FailureDetector(self);
  const first = detector.step({ kind: "members-changed", list, now: 0 });
  return { detector, first };
}

const reports = (effects: readonly DetectorEffect[]) =>
  effects.flatMap((e) => (e.kind === "report-suspect" ? [e] : []));

/** Ticks every 250 ms up to `until`, hearing everybody but `silent`. */
function pass(
  detector: FailureDetector,
  from: number,
  until: number,
  heard: readonly NodeId[],
): DetectorEffect[] {
  const effects: DetectorEffect[] = [];
  for (let now = from + 250; now <= until; now += 250) {
    for (const node of heard) {
      effects.push(...detector.step({ kind: "heartbeat-heard", node, incarnation: 1, now }));
    }
    effects.push(...detector.step({ kind: "timer-fired", now }));
  }
  return effects;
}

describe("the failure detector", () => {
  it("sends a heartbeat to each neighbour every 250 ms", () => {
    const { detector, first } = watching(testList(1, 9));
    expect(first).toEqual([{ kind: "set-timer", at: 250 }]);
    const effects = detector.step({ kind: "timer-fired", now: 250 });
    const sent = effects.flatMap((e) => (e.kind === "send-heartbeat" ? [e.to] : []));
    expect(sent.toSorted()).toEqual(neighbours(testList(1, 9).members, self).toSorted());
    expect(effects).toContainEqual({ kind: "set-timer", at: 500 });
  });

  it("suspects a neighbour after two seconds of silence, not before", () => {
    const { detector } = watching();
    expect(reports(pass(detector, 0, 1750, [testNode(2)]))).toEqual([]);
    expect(reports(detector.step({ kind: "timer-fired", now: 2000 }))).toEqual([
      { kind: "report-suspect", node: other, incarnation: 1, epoch: 1, reason: "silent" },
    ]);
    expect(detector.suspects).toEqual([other]);
  });

  it("D1: says nothing about nodes that it does not watch", () => {
    const list = testList(1, 9);
    const { detector } = watching(list);
    const near = neighbours(list.members, self);
    const far = list.members.find((m) => m.id !== self && !near.includes(m.id))?.id ?? self;
    for (const node of [far, testNode(77)]) {
      expect(detector.step({ kind: "peer-closed", node, incarnation: 1, now: 1 })).toEqual([]);
      expect(detector.step({ kind: "probe-failed", node, now: 1 })).toEqual([]);
    }
  });

  it("D2: reports once per incarnation and epoch, and again in a new epoch or to a new leader", () => {
    const { detector } = watching();
    const both = reports(pass(detector, 0, 4000, []));
    expect(both.length).toBe(2);
    const epoch2 = testList(2, 3);
    expect(
      reports(detector.step({ kind: "members-changed", list: epoch2, now: 4001 })).length,
    ).toBe(2);
    expect(reports(detector.step({ kind: "members-changed", list: epoch2, now: 4002 }))).toEqual(
      [],
    );
    expect(reports(detector.step({ kind: "leader-changed", now: 4003 })).length).toBe(2);
    expect(reports(pass(detector, 4000, 8000, []))).toEqual([]);
  });

  it("D3: dials once when a connection closes, and suspects when that fails", () => {
    const { detector } = watching();
    const closed = { kind: "peer-closed", node: other, incarnation: 1, now: 10 } as const;
    expect(detector.step(closed)).toEqual([{ kind: "probe", node: other }]);
    expect(detector.step(closed)).toEqual([]);
    expect(detector.step({ kind: "probe-failed", node: other, now: 11 })).toEqual([
      { kind: "report-suspect", node: other, incarnation: 1, epoch: 1, reason: "closed" },
    ]);
    expect(detector.step({ kind: "probe-failed", node: other, now: 12 })).toEqual([]);
    expect(detector.step(closed)).toEqual([]);
  });

  it("D3: forgets the closed connection when the dial succeeds", () => {
    const { detector } = watching();
    detector.step({ kind: "peer-closed", node: other, incarnation: 1, now: 10 });
    const heard = { kind: "heartbeat-heard", node: other, incarnation: 1, now: 11 } as const;
    expect(detector.step(heard)).toEqual([]);
    expect(detector.step({ kind: "probe-failed", node: other, now: 12 })).toEqual([]);
    expect(detector.suspects).toEqual([]);
  });

  it("D4: takes a suspect back when it is heard, once", () => {
    const { detector } = watching();
    pass(detector, 0, 2000, [testNode(2)]);
    const heard = { kind: "heartbeat-heard", node: other, incarnation: 1, now: 2100 } as const;
    expect(detector.step(heard)).toEqual([{ kind: "report-alive", node: other, incarnation: 1 }]);
    expect(detector.step(heard)).toEqual([]);
    expect(reports(pass(detector, 2100, 4500, [testNode(2)])).length).toBe(1);
  });

  it("D4: speaks up for a member listed as down that is heard, once", () => {
    const list = testList(2, 3, { 1: { state: "down" } });
    const { detector } = watching(list);
    const heard = { kind: "heartbeat-heard", node: other, incarnation: 1, now: 5 } as const;
    expect(detector.step(heard)).toEqual([{ kind: "report-alive", node: other, incarnation: 1 }]);
    expect(detector.step(heard)).toEqual([]);
    detector.step({ kind: "leader-changed", now: 6 });
    expect(detector.step(heard).length).toBe(1);
  });

  it("D5: accuses nobody after standing still itself", () => {
    const { detector } = watching();
    pass(detector, 0, 1000, [other, testNode(2)]);
    expect(reports(detector.step({ kind: "timer-fired", now: 31_000 }))).toEqual([]);
    const later = reports(pass(detector, 31_000, 33_000, [testNode(2)]));
    expect(later.map((r) => r.node)).toEqual([other]);
  });

  it("D6: ignores a closed connection and a sound of an older incarnation", () => {
    const { detector } = watching(testList(2, 3, { 1: { incarnation: 3 } }));
    const closed = { kind: "peer-closed", node: other, incarnation: 2, now: 1 } as const;
    expect(detector.step(closed)).toEqual([]);
    pass(detector, 0, 1750, [testNode(2)]);
    const stale = { kind: "heartbeat-heard", node: other, incarnation: 2, now: 1900 } as const;
    detector.step(stale);
    expect(reports(detector.step({ kind: "timer-fired", now: 2000 })).length).toBe(1);
  });

  it("gives a new incarnation a clean sheet, and an older list no hearing", () => {
    const { detector } = watching(testList(2, 3));
    pass(detector, 0, 2000, [testNode(2)]);
    const list = testList(3, 3, { 1: { incarnation: 2 } });
    detector.step({ kind: "members-changed", list, now: 2001 });
    expect(detector.suspects).toEqual([]);
    detector.step({ kind: "members-changed", list: testList(1, 1), now: 2002 });
    const beat = detector.step({ kind: "timer-fired", now: 2250 });
    expect(beat.filter((e) => e.kind === "send-heartbeat").length).toBe(2);
  });
});
