import { beforeEach, describe, expect, test, vi } from "vitest";
import { RingfoldError } from "../../base/errors.ts";
import { nodeId, ringId } from "../../base/ids.ts";
import { EMPTY_TABLE } from "../../ring/partition-table.ts";
import type { Vitals } from "../../wire/control.ts";
import { Leaving, type LeavingParts } from "./leaving.ts";
import { ViewHolder, viewOf } from "./view-holder.ts";

const leader = nodeId("a".repeat(64));
const self = nodeId("b".repeat(64));

const viewMessage = (state: "up" | "leaving", filesVersion: number) => ({
  ring: ringId("c".repeat(32)),
  leader,
  epoch: state === "up" ? 1 : 2,
  members: [leader, self].map((id, n) => ({
    id,
    name: `n${n}`,
    zone: "z",
    weight: 1,
    slots: 1,
    incarnation: 1,
    since: 0,
    state: id === self ? state : ("up" as const),
    position: String(n).repeat(40),
    addresses: { control: "127.0.0.1:1", bulk: "127.0.0.1:2", http: "127.0.0.1:3" },
  })),
  table: { ...EMPTY_TABLE, hosts: [], rows: [] },
  filesVersion,
});

/** What both nodes tell. */
let told: Vitals;
let asked: string[];
let answers: Record<string, () => Promise<unknown>>;
let vitals: () => Promise<Record<string, Vitals>>;
let gone: number;
let leaving: Leaving;

beforeEach(() => {
  vi.useFakeTimers();
  const view = new ViewHolder();
  view.offer(viewOf(viewMessage("up", 5)));
  const copies = { total: 10, short: 0, lastCopy: 0, none: 0 };
  const figures = { blocks: 0, bytes: 0, free: 0, memory: 0, running: 0 };
  told = { ...figures, copies, settled: true, filesVersion: 7, epoch: 2 };
  asked = [];
  gone = 0;
  answers = {
    leaving: async () => void view.offer(viewOf(viewMessage("leaving", 7))),
    left: async () => undefined,
  };
  vitals = async () => ({ [leader]: told, [self]: told });
  const request = (_to: unknown, method: string): Promise<unknown> => {
    asked.push(method);
    return answers[method]?.() ?? Promise.resolve();
  };
  const parts = { self, view, gone: () => gone++, leader: () => ({ node: leader, address: "" }) };
  const others = { transport: { request }, asks: { vitals: () => vitals() } };
  leaving = new Leaving({ ...parts, ...others } as unknown as LeavingParts);
  return () => vi.useRealTimers();
});

/** One step, with the two seconds that it may take. */
async function step(): Promise<unknown> {
  const [done] = await Promise.allSettled([leaving.step(), vi.advanceTimersByTimeAsync(2000)]);
  return done.status === "fulfilled" ? done.value : done.reason;
}

const fails = (code: "deadline" | "peer-unreachable" | "not-a-member") => () =>
  Promise.reject(new RingfoldError(code, "no"));
const waits = (blocksLeft: number) => ({ state: "leaving", blocksLeft });
const left = { state: "left", blocksLeft: 0 };

describe("a node that leaves", () => {
  test("is off the list, and ends, when everybody has counted and nobody lacks a copy", async () => {
    expect(await step()).toEqual(left);
    expect(asked).toEqual(["leaving", "left"]);
    expect(gone).toBe(1);
    expect(await step()).toEqual(left);
    expect(gone).toBe(1);
  });

  test("stays while a holder lacks a copy", async () => {
    told = { ...told, copies: { ...told.copies, short: 2 } };
    expect(await step()).toEqual(waits(4));
    expect(asked).not.toContain("left");
    told = { ...told, copies: { ...told.copies, short: 0 } };
    expect(await step()).toEqual(left);
  });

  test("stays until the files are counted that came just before it began to leave", async () => {
    told = { ...told, filesVersion: 6 };
    expect(await step()).toEqual(waits(1));
    told = { ...told, filesVersion: 7 };
    expect(await step()).toEqual(left);
  });

  test.each(["deadline", "peer-unreachable"] as const)(
    "asks again when the leader did not answer: %s",
    async (code) => {
      vitals = fails(code);
      expect(await step()).toEqual(waits(1));
      vitals = async () => ({ [leader]: told, [self]: told });
      answers["left"] = fails(code);
      expect(await step()).toEqual(waits(0));
      answers["left"] = async () => undefined;
      expect(await step()).toEqual(left);
    },
  );

  test("says so when the leader does not answer for long", async () => {
    vitals = fails("peer-unreachable");
    for (let second = 0; second <= 30; second += 2) expect(await step()).toEqual(waits(1));
    expect(await step()).toMatchObject({ code: "peer-unreachable" });
  });

  test("has left when the leader does not know it any more: only the answer was lost", async () => {
    answers["left"] = fails("peer-unreachable");
    expect(await step()).toEqual(waits(0));
    vitals = fails("not-a-member");
    expect(await step()).toEqual(left);
    expect(gone).toBe(1);
  });
});
