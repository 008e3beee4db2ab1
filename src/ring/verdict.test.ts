import { describe, expect, it } from "vitest";
import type { NodeId } from "../base/ids.ts";
import type { Member } from "./member.ts";
import { neighbours } from "./neighbours.ts";
import { testList, testNode } from "./test-members.ts";
import { type LeaderView, type VerdictEffect, VerdictJudge } from "./verdict.ts";

const leader = testNode(0);

function judging(size: number, over: Readonly<Record<number, Partial<Member>>> = {}) {
  const judge = new VerdictJudge(leader);
  let epoch = 1;
  const change = (changed: Readonly<Record<number, Partial<Member>>>): VerdictEffect[] =>
    judge.step({ kind: "members-changed", list: testList(++epoch, size, changed) });
  change(over);
  const suspects = (watcher: NodeId, node: NodeId, incarnation = 1): VerdictEffect[] =>
    judge.step({ kind: "suspected", watcher, node, incarnation, reason: "silent" });
  const alive = (watcher: NodeId, node: NodeId): VerdictEffect[] =>
    judge.step({ kind: "alive", watcher, node, incarnation: 1 });
  const sees = (node: NodeId, view: LeaderView): VerdictEffect[] =>
    judge.step({ kind: "own-view", node, view });
  return { judge, change, suspects, alive, sees };
}

const downs = (effects: readonly VerdictEffect[]): NodeId[] =>
  effects.flatMap((e) => (e.kind === "member-down" ? [e.node] : []));

describe("the verdict", () => {
  it("is down when the leader has lost the node and a watcher suspects it, in either order", () => {
    const one = judging(5);
    expect(one.sees(testNode(1), "lost")).toEqual([]);
    expect(downs(one.suspects(testNode(2), testNode(1)))).toEqual([testNode(1)]);
    const two = judging(5);
    expect(two.suspects(testNode(2), testNode(1))).toEqual([]);
    expect(downs(two.sees(testNode(1), "silent"))).toEqual([testNode(1)]);
  });

  it("is down when all live watchers suspect the node, though the leader's connection stands", () => {
    const { suspects } = judging(12);
    const { members } = testList(1, 12);
    const far = members.find((m) => !neighbours(members, m.id).includes(leader) && m.id !== leader);
    const node = far?.id ?? leader;
    const watchers = neighbours(members, node);
    for (const watcher of watchers.slice(1)) expect(suspects(watcher, node)).toEqual([]);
    expect(downs(suspects(watchers[0] ?? leader, node))).toEqual([node]);
  });

  it("J1: one link alone decides nothing while there is a third member", () => {
    for (const size of [3, 5, 12]) {
      expect(judging(size).sees(testNode(1), "lost")).toEqual([]);
      expect(judging(size).suspects(testNode(2), testNode(1))).toEqual([]);
      expect(judging(size).suspects(leader, testNode(1))).toEqual([]);
    }
  });

  it("where only the leader and the node live, the leader's loss decides", () => {
    expect(downs(judging(2).sees(testNode(1), "lost"))).toEqual([testNode(1)]);
    expect(downs(judging(2).suspects(leader, testNode(1)))).toEqual([testNode(1)]);
    const three = judging(3, { 2: { state: "down" } });
    expect(downs(three.sees(testNode(1), "lost"))).toEqual([testNode(1)]);
  });

  it("does not wait for a watcher that died at the same time", () => {
    const { sees } = judging(3);
    expect(sees(testNode(1), "lost")).toEqual([]);
    expect(downs(sees(testNode(2), "lost")).toSorted()).toEqual(
      [testNode(1), testNode(2)].toSorted(),
    );
  });

  it("J2: does not count members that are down, strangers, or another incarnation", () => {
    const { suspects, sees } = judging(6, { 1: { incarnation: 2 }, 3: { state: "down" } });
    sees(testNode(1), "lost");
    expect(suspects(testNode(2), testNode(1), 1)).toEqual([]);
    expect(suspects(testNode(2), testNode(1), 3)).toEqual([]);
    expect(suspects(testNode(3), testNode(1), 2)).toEqual([]);
    expect(suspects(testNode(77), testNode(1), 2)).toEqual([]);
    expect(suspects(testNode(1), testNode(1), 2)).toEqual([]);
    expect(downs(suspects(testNode(2), testNode(1), 2))).toEqual([testNode(1)]);
  });

  it("J3: is given once, and again in a new epoch in which nothing has changed", () => {
    const { suspects, sees, change } = judging(5);
    sees(testNode(1), "lost");
    expect(suspects(testNode(2), testNode(1)).length).toBe(1);
    expect(suspects(testNode(3), testNode(1))).toEqual([]);
    expect(downs(change({}))).toEqual([testNode(1)]);
    expect(change({ 1: { state: "down" } })).toEqual([]);
  });

  it("takes a suspicion back when the watcher hears the node", () => {
    const { suspects, sees, alive } = judging(5);
    suspects(testNode(2), testNode(1));
    alive(testNode(2), testNode(1));
    expect(sees(testNode(1), "lost")).toEqual([]);
  });

  it("J4: is up again when somebody hears it and the leader has not lost it", () => {
    const { suspects, sees, change, alive } = judging(5);
    sees(testNode(1), "lost");
    suspects(testNode(2), testNode(1));
    change({ 1: { state: "down" } });
    expect(alive(testNode(2), testNode(1))).toEqual([]);
    expect(sees(testNode(1), "connected").map((e) => [e.kind, e.node])).toEqual([
      ["member-up", testNode(1)],
    ]);
  });

  it("J4: is not up only because a connection to a paused node still stands", () => {
    const { sees } = judging(5, { 1: { state: "down" } });
    expect(sees(testNode(1), "connected")).toEqual([]);
  });

  it("a new incarnation starts with a clean sheet", () => {
    const { suspects, sees, change } = judging(5);
    suspects(testNode(2), testNode(1));
    change({ 1: { incarnation: 2 } });
    expect(sees(testNode(1), "lost")).toEqual([]);
  });

  it("J5: never concerns the leader itself", () => {
    const { suspects, sees } = judging(3);
    sees(leader, "lost");
    suspects(testNode(1), leader);
    expect(suspects(testNode(2), leader)).toEqual([]);
  });
});
