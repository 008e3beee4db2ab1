/** How the tests of bad input call the program, and what they ask of each message. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect } from "vitest";
import { ERRORS, type ErrorCode } from "../../src/base/errors.ts";
import { RINGFOLD } from "../../src/cli/child-node.ts";
import type { Ended } from "./cluster.ts";

/** A command that does not end by itself is a fault; nothing of it stays. */
const PATIENCE_MS = 45_000;

export interface CallOptions {
  /** Its HTTP address; none for `up`. */
  readonly node?: string;
  readonly cwd: string;
  readonly input?: string;
  /** Done while the command runs, such as a signal to it. */
  readonly act?: (child: ChildProcess) => Promise<void>;
}

/** `ringfold …`, in a process group that is killed when it hangs. */
export async function ringfold(args: readonly string[], options: CallOptions): Promise<Ended> {
  const { node, cwd, input, act } = options;
  const env = { ...process.env, ...(node === undefined ? {} : { RINGFOLD_NODE: node }) };
  const child = spawn(RINGFOLD, args, {
    cwd,
    env: { ...env, TMPDIR: cwd },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => undefined).end(input);
  const late = setTimeout(() => killGroup(child), PATIENCE_MS);
  const closed = once(child, "close");
  try {
    const [output, errors] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      act?.(child),
    ]);
    const [code, signal] = (await closed) as [number | null, NodeJS.Signals | null];
    // As a shell tells it.
    return { code: signal === "SIGINT" ? 130 : code, output, errors };
  } finally {
    clearTimeout(late);
    killGroup(child);
  }
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended, and all of it.
  }
}

/** One message: what and where (`says`), its code, what to do; the code's exit; no stack, nothing twice, no output. */
export function expectRefusal(
  ended: Ended,
  code: ErrorCode,
  says: readonly (string | RegExp)[],
): void {
  const lines = ended.errors.split("\n");
  const messages = lines.filter((line) => line.startsWith("ringfold: "));
  expect(messages, ended.errors).toHaveLength(1);
  const [message = ""] = messages;
  expect(message).toMatch(new RegExp(`\\(${code}\\)$`));
  for (const part of says) expect(message).toMatch(part);
  // The system's and the language's words are not the user's.
  expect(message).not.toMatch(/\b(E[A-Z]{4,}|ERR_\w+|undefined|\[object)/);
  expect(lines.filter((line) => line.startsWith("→ fix: "))).toEqual([
    `→ fix: ${ERRORS[code].fix}`,
  ]);
  expect(ended.errors).not.toMatch(/^\s+at /m);
  expect(ended).toMatchObject({ code: ERRORS[code].exit, output: "" });
}
