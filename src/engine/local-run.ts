/**
 * Runs all tasks of a job in this process, one after the other, without cluster, processes or
 * network: for tests, which compare it with oracles. Not a way to run jobs: job code is not kept
 * from anything here.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256Hex } from "../base/hash.ts";
import { runMapTask } from "./map-task.ts";
import type { JobPlan } from "./plan.ts";
import { runReduceTask, type SegmentInput } from "./reduce-task.ts";
import { runResult } from "./result-task.ts";
import type { BlockInput } from "./task-place.ts";

export interface LocalFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface LocalRun {
  readonly plan: JobPlan;
  readonly files: readonly LocalFile[];
  /** An empty folder. */
  readonly scratch: string;
  readonly partitions?: number;
  /** Bytes; small ones make tasks spill. */
  readonly sortMemory?: number;
  /** Blocks are cut at the first line end after this many bytes. */
  readonly blockSize?: number;
  readonly params?: Readonly<Record<string, string | number | boolean>>;
  readonly seed?: string;
}

export interface LocalOutcome {
  /** Output lines, part by part. */
  readonly parts: readonly (readonly string[])[];
  readonly counters: Readonly<Record<string, number>>;
  readonly result: string | undefined;
  readonly log: readonly string[];
}

/** @throws what its tasks throw */
export function runLocally(run: LocalRun): LocalOutcome {
  const { plan, scratch } = run;
  const log: string[] = [];
  const events = { progress: () => undefined, log: (line: string) => void log.push(line) };
  const defaults = Object.entries(plan.params).map(([name, one]) => [name, one.def]);
  const common = {
    plan,
    stage: "main",
    params: { ...Object.fromEntries(defaults), ...run.params },
    seed: run.seed ?? "seed",
    sortMemory: run.sortMemory ?? 64 << 20,
  };
  const mapOnly = plan.stages[0]?.mapOnly === true;
  const partitions = mapOnly ? 0 : (run.partitions ?? 3);
  const counters = new Map<string, number>();
  const count = (more: Readonly<Record<string, number>>): void => {
    for (const [name, by] of Object.entries(more))
      counters.set(name, (counters.get(name) ?? 0) + by);
  };
  const maps = tasksOf(run).map((input, task) => {
    const outPath = join(scratch, `map-${task}`);
    const done = runMapTask({ ...common, phase: "map", task, input, partitions, outPath }, events);
    count(done.counters);
    return { ...done, path: outPath };
  });
  const outputs = mapOnly ? maps.map((map) => map.path) : [];
  for (let task = 0; task < partitions; task++) {
    const segments = maps.flatMap(({ path, partitions: index }, mapTask): SegmentInput[] => {
      const segment = index[task];
      return segment === undefined ? [] : [{ ...segment, path, mapTask }];
    });
    const outPath = join(scratch, `reduce-${task}`);
    count(runReduceTask({ ...common, phase: "reduce", task, segments, outPath }, events).counters);
    outputs.push(outPath);
  }
  const parts = outputs.map((path) => linesOf(readFileSync(path)));
  const result =
    plan.result === undefined ? undefined : runResult(common, outputs.map(wholeBlock), events);
  return { parts, counters: Object.fromEntries(counters), result, log };
}

function linesOf(bytes: Buffer): string[] {
  const lines = bytes.toString("utf8").split("\n");
  lines.pop();
  return lines;
}

function wholeBlock(path: string): BlockInput {
  const bytes = readFileSync(path);
  const id = sha256Hex(bytes);
  return { path, id, bytes: bytes.length, fileName: path, index: 0, offset: 0 };
}

function tasksOf({ plan, files, scratch, blockSize }: LocalRun) {
  const { kind, count } = plan.source;
  if (kind === "range") {
    return Array.from({ length: count }, (_, index) => ({ kind: "range" as const, index }));
  }
  const blocks = files.map((file, i) => cut(file, blockSize ?? 4 << 20, join(scratch, `in-${i}`)));
  const tasks = kind === "files" ? blocks : blocks.flat().map((block) => [block]);
  return tasks.map((of) => ({ kind: "blocks" as const, blocks: of }));
}

function cut(file: LocalFile, size: number, prefix: string): BlockInput[] {
  const blocks: BlockInput[] = [];
  let offset = 0;
  while (offset < file.bytes.length) {
    const end = file.bytes.indexOf(10, offset + size - 1);
    const bytes = file.bytes.subarray(offset, end === -1 ? file.bytes.length : end + 1);
    const index = blocks.length;
    const path = `${prefix}-${index}`;
    writeFileSync(path, bytes);
    const id = sha256Hex(bytes);
    blocks.push({ path, id, bytes: bytes.length, fileName: file.name, index, offset });
    offset += bytes.length;
  }
  return blocks;
}
