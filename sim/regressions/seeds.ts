/** Seeds that once broke a promise: run first, kept for ever. Each proved itself by failing with its fix taken out. */
import type { RunOptions } from "../cluster.ts";

export interface Regression extends RunOptions {
  /** What it found. */
  readonly found: string;
}

export const REGRESSIONS: readonly Regression[] = [];
