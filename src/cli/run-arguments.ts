/**
 * What `run` was asked for. Flags that it does not know are the job's parameters: `--top 10`,
 * `--top=10`, `--verbose`.
 */
import type { Command } from "commander";
import type { SubmitOptions } from "../sdk/client.ts";
import type { ClientFlags } from "./command.ts";
import { bytesOf, millisOf, replicasOf, wholeNumber } from "./quantity.ts";

export interface RunFlags extends ClientFlags {
  readonly input?: string[];
  readonly output?: string;
  readonly to?: string;
  readonly force?: true;
  readonly reducers?: string;
  readonly replicas?: string;
  readonly taskTimeout?: string;
  readonly taskMemory?: string;
  readonly detach?: true;
  readonly helpJob?: true;
  readonly local?: true;
}

/** The job file and the parameters, out of what commander did not take. */
export interface Leftover {
  readonly operands: readonly string[];
  readonly params: Readonly<Record<string, string>>;
}

/**
 * A flag takes the next word as its value unless that is a flag too; then, or at the end, it is
 * `true`.
 */
export function paramsOf(words: readonly string[]): Leftover {
  const operands: string[] = [];
  const params: Record<string, string> = {};
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    const [, name, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    const next = words[i + 1];
    if (name === undefined) operands.push(word);
    else if (value !== undefined) params[name] = value;
    else if (next === undefined || next.startsWith("--")) params[name] = "true";
    else {
      params[name] = next;
      i++;
    }
  }
  return { operands, params };
}

/** @throws bad-option */
export function submitOptionsOf(
  flags: RunFlags,
  params: Readonly<Record<string, string>>,
): SubmitOptions {
  const { output, reducers, replicas, taskTimeout, taskMemory } = flags;
  const limits = {
    ...(taskTimeout === undefined ? {} : { timeoutMs: millisOf("--task-timeout", taskTimeout) }),
    ...(taskMemory === undefined ? {} : { memoryBytes: bytesOf("--task-memory", taskMemory) }),
  };
  return {
    inputs: flags.input ?? [],
    ...(output === undefined ? {} : { output: output.replace(/\/$/, "") }),
    ...(reducers === undefined ? {} : { reducers: wholeNumber("--reducers", reducers, 1, 10_000) }),
    ...(replicas === undefined ? {} : { replicas: replicasOf(replicas) }),
    ...(Object.keys(params).length === 0 ? {} : { params: { ...params } }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
}

/**
 * The flag of `run` that somebody may have meant: a parameter that no job has and that is one slip
 * away from it.
 */
export function slipOf(name: string, command: Command): string | undefined {
  const known = command.options.map((option) => option.long?.slice(2) ?? "");
  return known.find((one) => one !== "" && distance(one, name) <= (one.length > 5 ? 2 : 1));
}

/** Levenshtein's edit distance (1966), one row at a time. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, swap));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
