/** What a command sees of the world: streams, environment, folder and Ctrl-C. Tests give their own. */
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

export interface Terminal {
  readonly out: Writable;
  readonly err: Writable;
  readonly input: Readable;
  /** A person sees standard error and can answer on standard input. */
  readonly interactive: boolean;
  /** Standard error is a screen: a line may be drawn over. */
  readonly screen: boolean;
  readonly columns: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Takes Ctrl-C (SIGINT) over until the returned function is called. */
  onInterrupt(handler: () => void): () => void;
}

export function processTerminal(): Terminal {
  return {
    out: process.stdout,
    err: process.stderr,
    input: process.stdin,
    interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    screen: process.stderr.isTTY === true,
    columns: process.stderr.columns ?? 80,
    env: process.env,
    cwd: process.cwd(),
    onInterrupt: (handler) => {
      process.on("SIGINT", handler);
      return () => process.off("SIGINT", handler);
    },
  };
}

/** Waits while the reader is slow. */
export async function write(to: Writable, data: string | Uint8Array): Promise<void> {
  if (!to.write(data)) await once(to, "drain");
}

export const line = (to: Writable, text: string): Promise<void> => write(to, `${text}\n`);

/** One stable line for programs. */
export const jsonLine = (to: Writable, value: unknown): Promise<void> =>
  line(to, JSON.stringify(value));
