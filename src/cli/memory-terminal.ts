/** A terminal in memory, for tests of commands. */
import { PassThrough, Writable } from "node:stream";
import type { Terminal } from "./terminal.ts";

export interface MemoryTerminal extends Terminal {
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** What the person types. */
  readonly keys: PassThrough;
  /** Ctrl-C. */
  readonly interrupt: () => void;
}

export interface MemoryTerminalOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly interactive?: boolean;
  readonly screen?: boolean;
}

export function memoryTerminal(options: MemoryTerminalOptions = {}): MemoryTerminal {
  const [out, err] = [new Collected(), new Collected()];
  const keys = new PassThrough();
  const handlers: (() => void)[] = [];
  return {
    out,
    err,
    keys,
    input: keys,
    interactive: options.interactive ?? false,
    screen: options.screen ?? false,
    columns: 80,
    env: options.env ?? {},
    cwd: options.cwd ?? "/nowhere",
    onInterrupt: (handler) => {
      handlers.push(handler);
      return () => void handlers.splice(handlers.indexOf(handler), 1);
    },
    stdout: () => out.text(),
    stderr: () => err.text(),
    interrupt: () => handlers.at(-1)?.(),
  };
}

class Collected extends Writable {
  private readonly chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.chunks.push(chunk);
    done();
  }

  text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}
