/** Seeds that once broke a promise: run first, kept for ever. Each proved itself by failing with its fix taken out. */
import type { RunOptions } from "../cluster.ts";

export interface Regression extends RunOptions {
  /** What it found. */
  readonly found: string;
}

export const REGRESSIONS: readonly Regression[] = [
  {
    seed: 29,
    scenario: "crash",
    nodes: 5,
    found: "a job ended while a map was withdrawn, without that map's counters",
  },
  {
    seed: 1347,
    scenario: "mix",
    nodes: 5,
    found: "a block whose last source had failed once was not copied again before the audit",
  },
  {
    seed: 1905,
    scenario: "mix",
    nodes: 5,
    found: "for the same reason a node could not leave",
  },
];
