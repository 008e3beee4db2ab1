/**
 * A node that does nothing: how soon it is ready, what memory it takes, how fast `status` answers.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Bytes, Millis } from "../src/base/ids.ts";
import { type ChildNode, RINGFOLD } from "../src/cli/child-node.ts";
import { showBytes } from "../src/cli/quantity.ts";
import type { Benchmark, BenchOptions, BenchPlace, BenchResult } from "./benchmark.ts";
import { type ProcessMemory, treeMemory } from "./process-memory.ts";
import { runProgram } from "./program.ts";
import { interleaved, median, rounded } from "./sample.ts";

const DEFAULT_RUNS = 10;
const SLOTS = 2;
/** Long enough for all processes to have started and to have nothing left to do. */
const SETTLE_MS: Millis = 3000;

export const idle: Benchmark = {
  about: "ready time, idle memory and the answer time of `ringfold status`",
  run,
};

interface Idle {
  readonly ready: Millis;
  readonly status: Millis;
  readonly processes: readonly ProcessMemory[];
}

async function run(place: BenchPlace, options: BenchOptions): Promise<BenchResult> {
  const samples: Idle[] = [];
  const runs = options.runs ?? DEFAULT_RUNS;
  await interleaved([
    {
      name: "idle",
      runs,
      run: async (round) => {
        const sample = await lookAt(place, round);
        samples.push(sample);
        place.say(`run ${round + 1} of ${runs}: ready after ${Math.round(sample.ready)} ms`);
        return sample.ready;
      },
    },
  ]);
  return resultOf(samples);
}

async function lookAt(place: BenchPlace, round: number): Promise<Idle> {
  const began = performance.now();
  const node = await place.nodes.start({ name: `node-${round}`, slots: SLOTS });
  const ready = performance.now() - began;
  await delay(SETTLE_MS);
  const processes = treeMemory(node.pid);
  const status = await statusTime(place, node);
  node.kill();
  return { ready, status, processes };
}

/** The second call: the first one finds the compile cache of a fresh checkout empty. */
async function statusTime(place: BenchPlace, node: ChildNode): Promise<Millis> {
  const args = ["status", "--node", node.http];
  await runProgram(place.nodes, RINGFOLD, args);
  return (await runProgram(place.nodes, RINGFOLD, args)).ms;
}

const sum = (processes: readonly ProcessMemory[], of: (one: ProcessMemory) => Bytes): Bytes =>
  processes.reduce((total, one) => total + of(one), 0);

function resultOf(samples: readonly Idle[]): BenchResult {
  const ready = median(samples.map((one) => one.ready));
  const status = median(samples.map((one) => one.status));
  const pss = median(samples.map(({ processes }) => sum(processes, (one) => one.proportional)));
  const rss = median(samples.map(({ processes }) => sum(processes, (one) => one.resident)));
  const each = samples[0]?.processes.map(
    ({ name, proportional, resident }) =>
      `  ${name}: ${showBytes(proportional)} of its own share, ${showBytes(resident)} resident`,
  );
  return {
    heading: ["what", "median", "runs"],
    rows: [
      ["up, until it is ready", `${Math.round(ready)} ms`, samples.length],
      ["memory, shared pages counted once (PSS)", showBytes(pss), samples.length],
      ["memory, shared pages counted by each (RSS)", showBytes(rss), samples.length],
      ["status, its own start included", `${Math.round(status)} ms`, samples.length],
    ],
    notes: [
      `A new node of ${SLOTS} slots each time, looked at after ${SETTLE_MS / 1000} s. Processes of the first:`,
      ...(each ?? []),
    ],
    figures: {
      readyMs: rounded(ready),
      statusMs: rounded(status),
      pssMB: rounded(pss / 1e6),
      rssMB: rounded(rss / 1e6),
    },
  };
}
