/** One run of one seed, and what came of it. */
import { performance } from "node:perf_hooks";
import type { Millis } from "../src/base/ids.ts";
import { Cluster, type RunOptions } from "./cluster.ts";

export interface Outcome {
  readonly options: RunOptions;
  /** Digest of the trace: two runs of one seed have the same. */
  readonly hash: string;
  readonly virtual: Millis;
  readonly real: Millis;
  readonly events: number;
  readonly files: number;
  readonly jobs: number;
  readonly failure?: string;
  /** Lines, when they were kept. */
  readonly trace: readonly string[];
}

export function runSeed(options: RunOptions): Outcome {
  const begin = performance.now();
  const cluster = new Cluster(options);
  const failure = failureOf(() => cluster.run());
  if (failure !== undefined) cluster.world.tell(`VIOLATED ${failure}`);
  const hash = cluster.world.digest();
  return {
    options,
    hash,
    virtual: cluster.world.now,
    real: performance.now() - begin,
    ...cluster.figures,
    ...(failure === undefined ? {} : { failure }),
    trace: cluster.world.trace,
  };
}

/** The one command that runs the seed again. */
export const replay = ({ seed, scenario, nodes }: RunOptions): string =>
  `node sim/main.ts --seed ${seed} --scenario ${scenario} --nodes ${nodes} --trace`;

function failureOf(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof Error)) return String(thrown);
    return thrown.name === "InvariantError" ? thrown.message : (thrown.stack ?? thrown.message);
  }
}
