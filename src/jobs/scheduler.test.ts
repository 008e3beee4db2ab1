import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SchedulerEffect, SchedulerInput } from "./scheduler-events.ts";
import { block, job, node, Play, part, segments } from "./scheduler-play.ts";
import { RandomCluster } from "./scheduler-storm.ts";

const started = (effects: readonly SchedulerEffect[]): string[] =>
  effects.flatMap((it) =>
    it.type === "start-task"
      ? [
          `${it.order.phase === "map" ? "m" : "r"}${it.order.task}.${it.order.attempt}@${it.node[0]}`,
        ]
      : [],
  );
const endOf = (effects: readonly SchedulerEffect[]) => effects.find((it) => it.type === "end-job");

describe("storms: crashes, joins, losses, repeated and late messages", () => {
  test("every job ends once, with all its parts, each recorded once, and every slot free again (J1 J4 J5 J7 J10)", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const storm = new RandomCluster(seed);
        storm.blow(150);
        storm.calm();
        storm.checkEnd();
      }),
      { numRuns: 300 },
    );
  });

  test("the same inputs give the same effects (J9)", () => {
    const [one, two] = [7, 7].map((seed) => {
      const storm = new RandomCluster(seed);
      storm.blow(300);
      storm.calm();
      return storm.trace;
    });
    expect(one).toEqual(two);
    expect(one?.length).toBeGreaterThan(100);
  });
});

describe("where tasks go", () => {
  test("every map runs beside its block when the holders have slots", () => {
    const play = new Play({ b0: "a", b1: "b", b2: "c" });
    play.up("abc");
    expect(started(play.submit({ blocks: ["b2", "b1", "b0"] })).sort()).toEqual([
      "m0.1@c",
      "m1.1@b",
      "m2.1@a",
    ]);
  });

  test("a node without local work takes what others hold, without delay", () => {
    const play = new Play({ b0: "a", b1: "a" });
    play.up("ab");
    expect(started(play.submit({ blocks: ["b0", "b1"] }))).toEqual(["m0.1@a", "m1.1@b"]);
  });

  test("a node that leaves finishes what it runs and is given nothing more", () => {
    const play = new Play();
    play.up("a");
    play.submit({ maps: 2 });
    play.step("leaving", { type: "node-leaving", node: node("a") });
    expect(play.scheduler.needs(node("a"))).toEqual({ running: 1, outputs: 0 });
    expect(started(play.done("m0.1", "a"))).toEqual([]);
    expect(play.recorded("m0.1")).toEqual([]);
    expect(play.scheduler.needs(node("a"))).toEqual({ running: 0, outputs: 1 });
    play.up("a");
    expect(started(play.effects)).toEqual(["m0.1@a"]);
  });

  test("old news of a node changes nothing (W2)", () => {
    const play = new Play();
    play.up("a");
    play.up("a", 1, 3);
    play.submit({ maps: 1 });
    const old = { slots: 5, zone: "z", incarnation: 2, epoch: 9 };
    play.step("old up", { type: "node-up", node: node("a"), ...old });
    expect(play.step("old down", { type: "node-down", node: node("a"), epoch: 1 })).toEqual([]);
    expect(play.scheduler.view(job("x"))?.map.running).toBe(1);
  });

  test("a node that restarted gets its tasks anew, under new numbers", () => {
    const play = new Play();
    play.up("a");
    play.submit({ maps: 1 });
    play.up("a", 1, 2);
    expect(started(play.effects)).toEqual(["m0.1@a", "m0.2@a"]);
  });
});

describe("failures", () => {
  const kinds = ["infra", "missing-input", "corrupt-input"] as const;
  test.each(kinds)(
    "%s does not count toward the attempts, is paused, and is bounded (J8)",
    (kind) => {
      const play = new Play();
      play.up("abc");
      play.submit({ maps: 1, maxAttempts: 1 });
      let tries = 0;
      for (; endOf(play.effects) === undefined && tries < 100; tries++) {
        const running = play.scheduler.view(job("x"))?.tasks[0]?.attempts.at(-1);
        const letter = running?.node[0] ?? "";
        play.failed(`m0.${running?.attempt}`, letter, { kind, code: "disk-full" });
        play.wait(6000);
      }
      expect(tries).toBe(20);
      expect(endOf(play.effects)).toMatchObject({ state: "failed", error: { code: "disk-full" } });
    },
  );

  test("what a crash took does not count toward the attempts", () => {
    const play = new Play();
    play.submit({ maps: 1, maxAttempts: 1 });
    for (let i = 1; i <= 30; i++) {
      play.up("a", 1, i);
      play.down("a");
    }
    expect(endOf(play.effects)).toBeUndefined();
    expect(play.scheduler.view(job("x"))?.attempts).toBe(30);
  });

  test("a job whose nodes went away a thousand times is given up, not wrapped around (J2)", () => {
    const play = new Play();
    play.submit({ maps: 1 });
    for (let i = 1; i <= 1000; i++) {
      play.up("a", 1, i);
      play.down("a");
    }
    expect(endOf(play.effects)).toMatchObject({ state: "failed" });
    expect(play.effects.at(-1)?.type).toBe("end-job");
  });

  test("a node where tasks of two jobs failed that went well elsewhere is passed over for a while", () => {
    const play = new Play();
    play.up("ab");
    for (const id of ["x", "y"]) {
      play.submit({ id, maps: 1, reducers: 0 });
      play.failed("m0.1", "a", {}, id);
      play.done("m0.2", "b", id);
      play.recorded("m0.2", id);
    }
    expect(started(play.submit({ id: "z", maps: 2, reducers: 0 }))).toEqual(["m0.1@b"]);
    play.now += 30_000;
    const at = { job: job("z"), phase: "map", task: 0, attempt: 1, node: node("b") } as const;
    play.step("progress", { type: "task-progress", ...at });
    expect(started(play.wait(0))).toEqual(["m1.1@a"]);
  });

  test("a job's own fault blames no node", () => {
    const play = new Play();
    play.up("ab");
    for (const id of ["x", "y"]) {
      play.submit({ id, maps: 1, maxAttempts: 2 });
      play.failed("m0.1", "a", {}, id);
      play.failed("m0.2", "b", {}, id);
    }
    expect(started(play.submit({ id: "z", maps: 2 }))).toEqual(["m0.1@a", "m1.1@b"]);
  });

  test("when every node is blamed, none is passed over (W3)", () => {
    const play = new Play();
    play.up("a");
    play.submit({ maps: 1 });
    for (let i = 1; i <= 3; i++) {
      play.failed(`m0.${i}`, "a", { kind: "infra", code: "disk-full" });
      play.wait(1000);
    }
    expect(started(play.effects)).toHaveLength(4);
  });

  test("a result of another shape than the plan's is refused and blames its node (J7)", () => {
    const play = new Play();
    play.up("a");
    play.submit({ maps: 1, reducers: 2 });
    for (const result of [part(), segments(1)]) {
      const attempt = play.scheduler.view(job("x"))?.tasks[0]?.attempts.at(-1)?.attempt ?? 0;
      const at = { job: job("x"), phase: "map", task: 0, attempt, node: node("a") } as const;
      const effects = play.step("odd", { type: "task-done", ...at, result });
      expect(effects.filter((it) => it.type === "record")).toEqual([]);
      play.wait(1000);
    }
    expect(play.scheduler.view(job("x"))?.tasks[0]?.attempts[0]?.failure?.kind).toBe("infra");
  });

  test("a lost segment that has been made again since the order is not made a third time", () => {
    const play = new Play();
    play.up("ab", 2);
    play.submit({ maps: 1, reducers: 2 });
    play.done("m0.1", "a");
    play.recorded("m0.1");
    const lost = { kind: "lost-segment", code: "peer-unreachable", lostMaps: [0, 99] } as const;
    const [r0, r1] = started(play.effects)
      .slice(1)
      .map((it) => it.slice(-1));
    play.failed("r0.1", r0 ?? "", lost);
    play.done("m0.2", "b");
    play.recorded("m0.2");
    play.failed("r1.1", r1 ?? "", lost);
    expect(play.effects.filter((it) => it.type === "record-lost")).toHaveLength(1);
  });
});

test("a death after every reduce was ordered repeats a map only if a reduce comes back for it (J6, J11)", () => {
  const play = new Play();
  play.up("abc");
  play.submit({ maps: 1, reducers: 2 });
  play.done("m0.1", "a");
  play.recorded("m0.1");
  play.done("r0.1", "a");
  play.recorded("r0.1");
  expect(play.down("a")).toEqual([]);
  const effects = play.failed("r1.1", "b", { kind: "died", code: "task-died" });
  expect(effects.map((it) => it.type)).toEqual(["record-lost", "start-task"]);
  play.done("m0.2", "b");
  expect(started(play.recorded("m0.2"))).toEqual(["r1.2@c"]);
});

describe("the ledger", () => {
  const ignore = (play: Play, winner = false) =>
    play.step("ignored", {
      type: "tasks-recorded",
      job: job("x"),
      accepted: [],
      ignored: [
        {
          phase: "map",
          task: 0,
          attempt: 1,
          ...(winner
            ? { winner: { phase: "map", task: 0, attempt: 9, node: node("b"), result: part("f9") } }
            : {}),
        },
      ],
    });

  test("another attempt that it has already is the one that counts (J4)", () => {
    const play = new Play();
    play.up("a");
    play.submit({ maps: 1, reducers: 0 });
    play.done("m0.1", "a");
    const outputs = [{ task: 0, output: { manifest: block("f9") } }];
    expect(endOf(ignore(play, true))).toMatchObject({ state: "done", outputs });
  });

  test("a result that it refuses is made again", () => {
    const play = new Play();
    play.up("a");
    play.submit({ maps: 1, reducers: 0 });
    play.done("m0.1", "a");
    ignore(play);
    expect(started(play.wait(1000))).toEqual(["m0.2@a"]);
  });

  test("a job that it has whole ends at once when restored", () => {
    const play = new Play();
    const done = [
      { phase: "map", task: 0, attempt: 1, node: node("a"), result: part() },
      { phase: "map", task: 7, attempt: 1, node: node("a"), result: part() },
    ] as const;
    const effects = play.submit({ maps: 1, reducers: 0 }, { done, generation: 1 });
    expect(effects.map((it) => it.type)).toEqual(["end-job"]);
  });

  test("counters are summed over recorded attempts, once each", () => {
    const play = new Play();
    play.up("a", 2);
    play.submit({ maps: 2, reducers: 1 });
    for (const [task, words] of [3, 4].entries()) {
      const at = { job: job("x"), phase: "map", task, attempt: 1, node: node("a") } as const;
      const input = { type: "task-done", ...at, result: segments(1, { words }) } as const;
      play.step("done", input);
      play.step("done again", input);
    }
    expect(play.scheduler.view(job("x"))?.counters).toEqual({});
    play.recorded("m0.1");
    play.recorded("m1.1");
    expect(play.scheduler.view(job("x"))?.counters).toEqual({ words: 7 });
  });
});

describe("the view", () => {
  test("tells what a waiting job waits for", () => {
    const play = new Play();
    play.submit({ maps: 1 });
    const waits = () => play.scheduler.view(job("x"))?.waitingFor;
    expect(waits()).toBe("nodes");
    play.up("a");
    expect(waits()).toBeUndefined();
    play.failed("m0.1", "a", { kind: "infra", code: "disk-full" });
    expect(waits()).toBe("retry-pause");
    play.wait(1000);
    play.submit({ id: "y", maps: 1 });
    expect(play.scheduler.view(job("y"))?.waitingFor).toBe("slots");
    play.done("m0.2", "a");
    expect(waits()).toBe("ledger");
  });

  test("counts, rows and revision follow what happens, and stay after the end", () => {
    const play = new Play({ b0: "a" });
    play.up("a");
    play.submit({ blocks: ["b0"], reducers: 0 });
    const before = play.scheduler.view(job("x"));
    const at = { job: job("x"), phase: "map", task: 0, attempt: 1, node: node("a") } as const;
    play.step("progress", { type: "task-progress", ...at, share: 0.5 });
    const during = play.scheduler.view(job("x"));
    expect(during?.tasks[0]?.share).toBe(0.5);
    expect(during?.revision).toBeGreaterThan(before?.revision ?? 0);
    play.done("m0.1", "a");
    play.recorded("m0.1");
    expect(play.scheduler.view(job("x"))).toMatchObject({
      state: "done",
      map: { total: 1, recorded: 1, bytes: 1_000_000, bytesRecorded: 1_000_000 },
      attempts: 1,
      retries: 0,
      outputs: [{ task: 0 }],
    });
    expect(endOf(play.effects)).toMatchObject({ stats: { localMaps: 1, maps: 1 } });
  });

  test("a job submitted twice runs once", () => {
    const play = new Play();
    play.up("a");
    play.submit({ maps: 1 });
    expect(play.submit({ maps: 1 })).toEqual([]);
  });
});

test("the driver's word for a dead node that was never up loses the outputs restored from it", () => {
  const play = new Play();
  const done = [0].map((task) => ({
    phase: "map" as const,
    task,
    attempt: 1,
    node: node("a"),
    result: segments(1),
  }));
  play.submit({ maps: 1 }, { done, generation: 1 });
  const effects = play.down("a");
  expect(effects.some((it) => it.type === "record-lost")).toBe(true);
});

test("ten thousand tasks on four nodes are all recorded, in batches", () => {
  const cluster = new Play();
  cluster.up("abcd", 4);
  const effects = [...cluster.submit({ maps: 10_000, reducers: 0 })];
  const step = (input: SchedulerInput): void => {
    effects.push(...cluster.scheduler.step(input, 0));
  };
  for (let i = 0; i < effects.length; i++) {
    const effect = effects[i];
    if (effect?.type === "start-task") {
      const { job: id, phase, task, attempt } = effect.order;
      const at = { job: id, phase, task, attempt, node: effect.node };
      step({ type: "task-done", ...at, result: part() });
    } else if (effect?.type === "record") {
      step({ type: "tasks-recorded", job: effect.job, accepted: effect.tasks, ignored: [] });
    }
  }
  const batches = effects.filter((it) => it.type === "record").map((it) => it.tasks.length);
  expect(batches.reduce((sum, size) => sum + size, 0)).toBe(10_000);
  expect(batches.length).toBeLessThan(5000);
  expect(endOf(effects)).toMatchObject({ state: "done", stats: { attempts: 10_000 } });
});
