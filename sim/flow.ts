/**
 * A procedure that waits, as a generator: `const reply = yield* network.call(…)`. Like async
 * functions, but each step happens inside an event of the world, so that nothing depends on when
 * promises settle.
 */
import type { Millis } from "../src/base/ids.ts";
import type { Life, World } from "./world.ts";

export type Wait = (resume: (value: unknown) => void) => void;
export type Flow<T> = Generator<Wait, T, unknown>;

/** Waits until `start` calls back, once. */
export function* until<T>(start: (resume: (value: T) => void) => void): Flow<T> {
  // What `start` hands to its callback is what comes out of the yield.
  return (yield start as Wait) as T;
}

export const pause = (world: World, life: Life, ms: Millis): Flow<void> =>
  until((resume) => world.after(ms, life, () => resume(undefined)));

/**
 * Runs a flow to its first wait, and on whenever it is called back; it stays where it is once its
 * life has ended.
 */
export function launch<T>(flow: Flow<T>, life: Life, done: (value: T) => void = () => {}): void {
  const step = (value: unknown): void => {
    if (!life.alive) return;
    const { done: over, value: result } = flow.next(value);
    if (over === true) return done(result);
    let called = false;
    result((next) => {
      if (called) return;
      called = true;
      step(next);
    });
  };
  step(undefined);
}

/** Runs flows side by side and waits for all of them. */
export function* all<T>(flows: readonly Flow<T>[], life: Life): Flow<T[]> {
  if (flows.length === 0) return [];
  return yield* until<T[]>((resume) => {
    const results: T[] = [];
    let left = flows.length;
    for (const [i, flow] of flows.entries()) {
      launch(flow, life, (value) => {
        results[i] = value;
        left -= 1;
        if (left === 0) resume(results);
      });
    }
  });
}
