/** Waits at a terminal for `q`, Ctrl-C, or the end of the input. */
import { once } from "node:events";
import type { Terminal } from "./terminal.ts";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const ENDS = ["q", "Q", CTRL_C, CTRL_D];

export async function untilKey(terminal: Terminal): Promise<void> {
  const input = terminal.input as NodeJS.ReadStream;
  const interrupted = Promise.withResolvers<void>();
  const release = terminal.onInterrupt(interrupted.resolve);
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.once(signal, interrupted.resolve);
  // Raw, so that one key is enough; Ctrl-C then comes as a key.
  input.setRawMode?.(true);
  try {
    await Promise.race([keyPressed(input), interrupted.promise]);
  } finally {
    input.setRawMode?.(false);
    input.pause();
    release();
    for (const signal of ["SIGTERM", "SIGHUP"] as const) process.off(signal, interrupted.resolve);
  }
}

async function keyPressed(input: NodeJS.ReadStream): Promise<void> {
  const ended = once(input, "end");
  const pressed = Promise.withResolvers<void>();
  const read = (chunk: Buffer | string): void => {
    if (ENDS.some((key) => chunk.toString().includes(key))) pressed.resolve();
  };
  input.on("data", read);
  await Promise.race([pressed.promise, ended]);
  input.off("data", read);
}
