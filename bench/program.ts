/** Programs that a benchmark runs and waits for. */
import { once } from "node:events";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { RingfoldError } from "../src/base/errors.ts";
import type { Millis } from "../src/base/ids.ts";
import type { ChildNodes } from "../src/cli/child-node.ts";

export interface Ended {
  readonly output: string;
  /** From its start to its end, as its caller sees it. */
  readonly ms: Millis;
}

/**
 * @param started told the process id, for measurements while it runs
 * @throws task-died unless it ends with 0
 */
export async function runProgram(
  nodes: ChildNodes,
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly started?: (pid: number) => void } = {},
): Promise<Ended> {
  const began = performance.now();
  const child = nodes.spawn(command, args, options.env);
  child.stdin?.end();
  if (child.pid !== undefined) options.started?.(child.pid);
  const closed = once(child, "close");
  const [output, errors] = await Promise.all([all(child.stdout), all(child.stderr), closed]);
  const ms = performance.now() - began;
  if (child.exitCode === 0) return { output, ms };
  const how = child.exitCode === null ? child.signalCode : `exit code ${child.exitCode}`;
  throw new RingfoldError("task-died", `${command}: ${how}: ${(errors || output).slice(-2000)}`);
}

const all = async (stream: Readable | null): Promise<string> =>
  stream === null ? "" : await text(stream);
