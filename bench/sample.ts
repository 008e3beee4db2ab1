/** Figures out of repeated runs. */
import { RingfoldError } from "../src/base/errors.ts";
import type { Bytes, Millis } from "../src/base/ids.ts";

/** The middle one, or the mean of the two in the middle. @throws bad-option without a sample */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) {
    throw new RingfoldError("bad-option", "a median needs at least one run");
  }
  return (upper + lower) / 2;
}

/** Decimal megabytes a second. */
export const rateOf = (bytes: Bytes, ms: Millis): number => bytes / 1000 / ms;

/** Three digits that mean something. */
export const rounded = (value: number): number => Number(value.toPrecision(3));

export interface Contender {
  readonly name: string;
  /** How often it runs; the others run on. */
  readonly runs: number;
  /** One run, in milliseconds as the contender itself defines them. */
  run(round: number): Promise<Millis>;
}

/**
 * Runs in turns, so that a slow moment of the machine meets all alike; each one's times, in the
 * order of the contenders.
 */
export async function interleaved(contenders: readonly Contender[]): Promise<Millis[][]> {
  const times = contenders.map((): Millis[] => []);
  const rounds = Math.max(...contenders.map(({ runs }) => runs));
  for (let round = 0; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      if (round < contender.runs) times[i]?.push(await contender.run(round));
    }
  }
  return times;
}
