/**
 * The simulator's command line.
 *
 *     node sim/main.ts --seed 7                     one seed, all faults; prints the digest of its trace
 *     node sim/main.ts --seed 7 --trace             and every event
 *     node sim/main.ts --seeds 1000 --scenario loss a thousand seeds, the known bad ones first
 *
 * Ends with 0 when every promise was kept, 1 when one was broken (and says how to run that seed
 * again), 2 on a wrong option.
 */
import { parseArgs } from "node:util";
import type { RunOptions } from "./cluster.ts";
import { REGRESSIONS } from "./regressions/seeds.ts";
import { type Outcome, replay, runSeed } from "./run.ts";
import { isScenario, SCENARIOS } from "./scenario.ts";

const USAGE = `usage: node sim/main.ts [--seed N] [--seeds COUNT] [--nodes N] [--scenario ${Object.keys(SCENARIOS).join("|")}] [--trace]`;
const TAIL = 15;

interface Wish {
  readonly runs: readonly RunOptions[];
  readonly trace: boolean;
}

/** What was asked for, or what is wrong with it. */
function wishOf(args: readonly string[]): Wish | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string", default: "1" },
      seeds: { type: "string" },
      nodes: { type: "string", default: "5" },
      scenario: { type: "string", default: "mix" },
      trace: { type: "boolean", default: false },
    },
  });
  const [first, count, nodes] = [values.seed, values.seeds ?? "1", values.nodes].map(Number);
  const { scenario, trace } = values;
  if (!isScenario(scenario)) return `no scenario is called "${scenario}"`;
  if (first === undefined || !Number.isSafeInteger(first)) return "--seed is a whole number";
  if (count === undefined || !Number.isSafeInteger(count) || count < 1)
    return "--seeds is 1 or more";
  if (nodes === undefined || !Number.isSafeInteger(nodes) || nodes < 3 || nodes > 50) {
    return "--nodes is 3 to 50";
  }
  const known = values.seeds === undefined ? [] : REGRESSIONS;
  const fresh = Array.from({ length: count }, (_, i) => ({ seed: first + i, scenario, nodes }));
  return { runs: [...known, ...fresh], trace };
}

/** A function of the seed alone: two runs print the same. */
function lineOf({ options, hash, virtual, events, files, jobs }: Outcome): string {
  const { seed, scenario, nodes } = options;
  const figures = `${nodes} nodes ${files} files ${jobs} jobs ${events} events`;
  return `seed ${seed} ${scenario} ${hash}  ${figures}  ${(virtual / 1000).toFixed(1)} s`;
}

const speedOf = (virtual: number, real: number): string =>
  `${(virtual / 1000).toFixed(1)} s in ${(real / 1000).toFixed(2)} s (${Math.round(virtual / real)} x)`;

function tellFailure({ options, failure }: Outcome): void {
  const { trace } = runSeed({ ...options, keepTrace: true });
  console.error(trace.slice(-TAIL).join("\n"));
  console.error(`\nseed ${options.seed} (${options.scenario}): ${failure}`);
  console.error(`run it again: ${replay(options)}`);
}

function main(args: readonly string[]): number {
  const wish = parsed(args);
  if (typeof wish === "string") {
    console.error(`${wish}\n${USAGE}`);
    return 2;
  }
  let [failed, virtual, real] = [0, 0, 0];
  for (const options of wish.runs) {
    const outcome = runSeed({ ...options, keepTrace: wish.trace });
    if (wish.trace) console.log(outcome.trace.join("\n"));
    console.log(lineOf(outcome));
    virtual += outcome.virtual;
    real += outcome.real;
    if (outcome.failure === undefined) continue;
    failed += 1;
    tellFailure(outcome);
  }
  if (wish.runs.length > 1) console.log(`${wish.runs.length} runs, ${failed} failed`);
  console.error(speedOf(virtual, real));
  return failed === 0 ? 0 : 1;
}

function parsed(args: readonly string[]): Wish | string {
  try {
    return wishOf(args);
  } catch (wrong) {
    return wrong instanceof Error ? wrong.message : String(wrong);
  }
}

process.exitCode = main(process.argv.slice(2));
