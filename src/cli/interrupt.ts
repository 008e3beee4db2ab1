/** Ctrl-C in the middle of a transfer: one line says what is left, and the command ends. */
import type { ByteProgress } from "./progress.ts";
import { Ended } from "./report-error.ts";
import { INTERRUPTED, type Terminal } from "./terminal.ts";

/**
 * @param words what the user finds afterwards
 * @throws Ended after Ctrl-C; the work is then left to the end of the program, which breaks it off
 */
export async function orInterrupted<T>(
  work: Promise<T>,
  terminal: Terminal,
  progress: ByteProgress,
  words: () => string,
): Promise<T> {
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const release = terminal.onInterrupt(() => {
    progress.clear();
    terminal.err.write(`${words()}\n`);
    reject(new Ended(INTERRUPTED));
  });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    release();
    work.catch(() => undefined);
    interrupted.catch(() => undefined);
  }
}
