import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { nodeId } from "../src/base/ids.ts";
import { Checkers } from "./checkers.ts";
import { Cluster } from "./cluster.ts";
import { all, type Flow, launch, pause, until } from "./flow.ts";
import { type Host, Network } from "./network.ts";
import { REGRESSIONS } from "./regressions/seeds.ts";
import { runSeed } from "./run.ts";
import { SCENARIOS, type ScenarioName } from "./scenario.ts";
import { expectedCount } from "./text.ts";
import { newLife, World } from "./world.ts";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));
/** Whole clusters take a while on a machine that does much else. */
const PATIENCE = 60_000;
const scenarios = Object.keys(SCENARIOS) as ScenarioName[];

describe("seeds", () => {
  test.each(REGRESSIONS)(
    "seed $seed of $scenario stays repaired: $found",
    (options) => {
      expect(runSeed(options).failure).toBeUndefined();
    },
    PATIENCE,
  );

  test.each(scenarios)(
    "%s keeps every promise on a few seeds",
    (scenario) => {
      for (let seed = 1; seed <= 6; seed++) {
        const { failure } = runSeed({ seed, scenario, nodes: 3 + (seed % 5) });
        expect(failure, `seed ${seed}`).toBeUndefined();
      }
    },
    PATIENCE,
  );

  test(
    "one seed twice is the same to the last event",
    () => {
      const [one, two] = [1, 2].map(() =>
        runSeed({ seed: 3, scenario: "mix", nodes: 5, keepTrace: true }),
      );
      expect(one?.trace.length).toBeGreaterThan(100);
      expect(one?.trace).toEqual(two?.trace);
      expect(one?.hash).toBe(two?.hash);
    },
    PATIENCE,
  );

  test(
    "the trace does not depend on being kept, another seed gives another",
    () => {
      const options = { scenario: "crash", nodes: 4 } as const;
      const [one, kept, other] = [
        runSeed({ ...options, seed: 5 }),
        runSeed({ ...options, seed: 5, keepTrace: true }),
        runSeed({ ...options, seed: 6 }),
      ];
      expect(one.hash).toBe(kept.hash);
      expect(one.hash).not.toBe(other.hash);
    },
    PATIENCE,
  );
});

describe("the simulator finds what it is there to find", () => {
  test(
    "a lost block",
    () => {
      const cluster = new Cluster({ seed: 1, scenario: "loss", nodes: 4 });
      cluster.world.after(11_000, undefined, () => cluster.harm("lose-block"));
      expect(() => cluster.run()).toThrow(/is not on|not lost/);
    },
    PATIENCE,
  );

  test(
    "a block that is not what it was",
    () => {
      const cluster = new Cluster({ seed: 1, scenario: "loss", nodes: 4 });
      cluster.world.after(11_000, undefined, () => cluster.harm("garble-block"));
      expect(() => cluster.run()).toThrow(/is what its id says|still/);
    },
    PATIENCE,
  );

  test("a completion that counts twice", () => {
    const checkers = new Checkers();
    const command = { type: "job-tasks-done", job: "j000000000001" as never, tasks: [] } as const;
    const result = { running: true, recorded: [{ stage: "map", task: 0 }], ignored: [] };
    checkers.applied(command, { ok: true, result });
    expect(() => checkers.applied(command, { ok: true, result })).toThrow(/recorded once/);
  });
});

describe("time, flows and the network", () => {
  test("events run in the order of their times, and of their making among equals", () => {
    const world = new World("order", false);
    const seen: number[] = [];
    for (const [i, at] of [5, 1, 5, 3, 1].entries()) {
      world.after(at, undefined, () => seen.push(i));
    }
    world.run(10);
    expect(seen).toEqual([1, 4, 3, 0, 2]);
    expect(world.now).toBe(5);
  });

  test("what a life planned ends with it, and waits while it stands still", () => {
    const world = new World("life", false);
    const [dead, paused] = [newLife(), newLife()];
    const seen: string[] = [];
    world.after(5, dead, () => seen.push("dead"));
    world.after(5, paused, () => seen.push(`paused until ${world.now}`));
    dead.alive = false;
    paused.pausedUntil = 20;
    world.run(100);
    expect(seen).toEqual(["paused until 20"]);
  });

  test("flows wait, run side by side, and are resumed once", () => {
    const world = new World("flow", false);
    const life = newLife();
    function* work(ms: number): Flow<number> {
      yield* pause(world, life, ms);
      return yield* until<number>((resume) => {
        resume(ms);
        resume(-1);
      });
    }
    let result: number[] = [];
    launch(all([work(5), work(2)], life), life, (values) => {
      result = values;
    });
    world.run(10);
    expect(result).toEqual([5, 2]);
  });

  const host = (letter: string, answer: string): Host => ({
    id: nodeId(letter.repeat(64)),
    incarnation: 1,
    life: newLife(),
    serve: () => ({ answer }),
    peerClosed: () => {},
  });

  test("a request is answered, fails soon when the process is gone, and at its deadline when it is lost", () => {
    const world = new World("network", false);
    const network = new Network(world);
    const [a, b, c] = [host("a", "from a"), host("b", "from b"), host("c", "from c")];
    for (const one of [a, b, c]) network.enter(one);
    network.vanish(b);
    network.cut(a.id, c.id);
    const replies: unknown[] = [];
    for (const to of [a, b, c]) {
      network.ask(a, to.id, "heartbeat", { epoch: 1 }, 500, (reply) =>
        replies.push([Math.round(world.now), reply.ok || reply.why]),
      );
    }
    world.run(1000);
    expect(replies.map((it) => (it as unknown[])[1])).toEqual([
      true,
      "peer-unreachable",
      "deadline",
    ]);
    expect((replies[2] as unknown[])[0]).toBe(500);
  });
});

test("the oracle counts by itself", () => {
  expect(expectedCount(["ba ko\nba\n", "zé"])).toEqual(["ba 2", "ko 1", "zé 1"]);
});

describe("the command line", () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });

  test(
    "prints the digest, the same each time, and ends with 0",
    () => {
      const args = [main, "--seed", "4", "--nodes", "3", "--scenario", "crash"];
      const [one, two] = [1, 2].map(() =>
        execFileSync(process.execPath, args, { encoding: "utf8" }),
      );
      const digest = /seed 4 crash ([0-9a-f]{16}) /;
      expect(one).toMatch(digest);
      expect(digest.exec(one ?? "")?.[1]).toBe(digest.exec(two ?? "")?.[1]);
    },
    PATIENCE,
  );

  test.each([
    [["--seed", "x"], "--seed is a whole number"],
    [["--seeds", "0"], "--seeds is 1 or more"],
    [["--nodes", "2"], "--nodes is 3 to 50"],
    [["--scenario", "war"], 'no scenario is called "war"'],
    [["--what"], "Unknown option"],
  ])(
    "%j is refused with 2 and a reason",
    (args, reason) => {
      const { status, stderr } = run(...args);
      expect(status).toBe(2);
      expect(stderr).toContain(reason);
    },
    PATIENCE,
  );
});
