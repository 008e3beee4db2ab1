/**
 * What a command sees of the world: streams, environment, folder and Ctrl-C. Tests give their own.
 */
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

/** What the shell gives when Ctrl-C ended a program. */
export const INTERRUPTED = 130;

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
  /** Takes Ctrl-C (SIGINT) over until the returned function is called; whoever came last has it. */
  onInterrupt(handler: () => void): () => void;
}

/**
 * The real one. Ctrl-C that nobody took over ends the program, past its `exit` handlers, which
 * clean up.
 */
export function processTerminal(): Terminal {
  const screen = process.stderr.isTTY === true;
  const handlers: (() => void)[] = [];
  process.on("SIGINT", () => {
    const handler = handlers.at(-1);
    if (handler !== undefined) return handler();
    if (screen) process.stderr.write("\n");
    process.exit(INTERRUPTED);
  });
  return {
    out: process.stdout,
    err: process.stderr,
    input: process.stdin,
    interactive: process.stdin.isTTY === true && screen,
    screen,
    columns: process.stderr.columns || 80,
    env: process.env,
    cwd: process.cwd(),
    onInterrupt: (handler) => {
      handlers.push(handler);
      return () => void handlers.splice(handlers.indexOf(handler), 1);
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
