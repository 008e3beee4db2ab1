/**
 * Runs the tasks that a simulated node is ordered to. Time is made up, the work is not: maps read
 * real blocks and count real words, reduces fetch and merge real segments and store real parts, so
 * that the job's answer can be checked to the byte.
 */
import { crc32 } from "node:zlib";
import { murmur3 } from "../src/base/hash.ts";
import type { JobId, Millis } from "../src/base/ids.ts";
import type { Random } from "../src/base/random.ts";
import type {
  JobAttempt,
  PartitionIndex,
  SegmentRef,
  TaskFailure,
  TaskOutput,
  TaskResult,
  WorkOrder,
} from "../src/jobs/task.ts";
import { type Flow, launch, pause } from "./flow.ts";
import type { AnswerOf, JobShape, Report, RequestOf } from "./methods.ts";
import type { Network } from "./network.ts";
import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

const REPORT_DEADLINE: Millis = 1000;
const REPORT_RETRY: Millis = 300;
const SEGMENT_DEADLINE: Millis = 1000;
const STEPS = 4;

/** Chances, out of 1, that an attempt goes wrong by itself. */
export interface TaskFaults {
  readonly dies: number;
  readonly hangs: number;
}

interface Running {
  readonly key: JobAttempt;
  stopped: boolean;
}

type Finished = { readonly result: TaskResult } | { readonly failure: TaskFailure };
type MapOrder = Extract<WorkOrder, { phase: "map" }>;
type ReduceOrder = Extract<WorkOrder, { phase: "reduce" }>;

export const keyOf = ({ job, phase, task, attempt }: JobAttempt): string =>
  `${job} ${phase} ${task} ${attempt}`;
const outputKey = (job: JobId, task: number, attempt: number): string =>
  `${job} ${task} ${attempt}`;

export class Worker {
  readonly #node: SimNode;
  readonly #world: World;
  readonly #network: Network;
  readonly #random: Random;
  readonly #faults: () => TaskFaults;
  readonly #running = new Map<string, Running>();
  readonly #waiting: (() => void)[] = [];
  /** Map outputs, a buffer for each partition. Scratch: gone at a crash. */
  readonly #outputs = new Map<string, readonly Buffer[]>();
  #busy = 0;

  constructor(node: SimNode, world: World, network: Network, faults: () => TaskFaults) {
    this.#node = node;
    this.#world = world;
    this.#network = network;
    this.#random = world.random("tasks");
    this.#faults = faults;
  }

  /** Tasks that run right now. */
  get busy(): number {
    return this.#busy;
  }

  get holding(): number {
    return this.#outputs.size;
  }

  start(order: WorkOrder, shape: JobShape): void {
    const { job, phase, task, attempt } = order;
    const key = { job, phase, task, attempt };
    if (this.#running.has(keyOf(key))) return;
    const run: Running = { key, stopped: false };
    this.#running.set(keyOf(key), run);
    this.#waiting.push(() => launch(this.#attempt(run, order, shape), this.#node.life));
    this.#next();
  }

  stop(key: JobAttempt): void {
    const run = this.#running.get(keyOf(key));
    if (run !== undefined) run.stopped = true;
    this.#running.delete(keyOf(key));
    this.#outputs.delete(outputKey(key.job, key.task, key.attempt));
  }

  clean(job: JobId): void {
    for (const run of this.#running.values()) if (run.key.job === job) this.stop(run.key);
    for (const key of this.#outputs.keys()) if (key.startsWith(job)) this.#outputs.delete(key);
  }

  rollCall(): AnswerOf<"roll-call"> {
    const running = [...this.#running.values()].map((run) => run.key);
    const jobs = [...this.#outputs.keys()].map((key) => key.slice(0, key.indexOf(" ")) as JobId);
    return { running, holding: [...new Set([...running.map((key) => key.job), ...jobs])] };
  }

  segment({ job, task, attempt, partition }: RequestOf<"read-segment">): Buffer | undefined {
    return this.#outputs.get(outputKey(job, task, attempt))?.[partition];
  }

  #next(): void {
    while (this.#busy < this.#node.slots) {
      const begin = this.#waiting.shift();
      if (begin === undefined) return;
      this.#busy += 1;
      begin();
    }
  }

  *#attempt(run: Running, order: WorkOrder, shape: JobShape): Flow<void> {
    if (!run.stopped) {
      const finished = yield* this.#work(run, order, shape);
      this.#busy -= 1;
      this.#next();
      if (finished === undefined || run.stopped) return;
      const attempt = run.key;
      if ("failure" in finished) {
        this.#world.tell(`${this.#node.name} ${keyOf(attempt)} ${finished.failure.kind}`);
      }
      const report: Report =
        "result" in finished
          ? { type: "done", attempt, result: finished.result }
          : { type: "failed", attempt, failure: finished.failure };
      yield* this.#deliver(run, report);
      this.#running.delete(keyOf(attempt));
      return;
    }
    this.#busy -= 1;
    this.#next();
  }

  /** Told until the leader has it: it may hear it twice, never not at all. */
  *#deliver(run: Running, report: Report): Flow<void> {
    const node = this.#node;
    while (!run.stopped) {
      const reply = yield* this.#network.call(node, node.leader, "report", report, REPORT_DEADLINE);
      if (reply.ok) return;
      yield* pause(this.#world, node.life, REPORT_RETRY);
    }
  }

  /** Undefined when it was stopped. */
  *#work(run: Running, order: WorkOrder, shape: JobShape): Flow<Finished | undefined> {
    const { dies, hangs } = this.#faults();
    const chance = this.#random.next();
    const length = 20 + this.#random.next() * 400;
    const started = this.#world.now;
    for (let step = 1; step <= STEPS; step++) {
      yield* pause(this.#world, this.#node.life, length / STEPS);
      if (run.stopped) return undefined;
      if (chance < dies) return trouble("died", "task-died", "the task host ended by itself");
      while (chance < dies + hangs && !run.stopped) {
        yield* pause(this.#world, this.#node.life, 1000);
      }
      this.#progress(run, step / STEPS);
    }
    const ms = this.#world.now - started;
    return order.phase === "map"
      ? yield* this.#map(order, shape, ms)
      : yield* this.#reduce(order, shape, ms);
  }

  #progress(run: Running, share: number): void {
    const report = { type: "progress", attempt: run.key, share } as const;
    const { leader } = this.#node;
    this.#network.ask(this.#node, leader, "report", report, REPORT_DEADLINE, () => {});
  }

  *#map(order: MapOrder, shape: JobShape, ms: Millis): Flow<Finished> {
    const { input } = order.spec;
    const texts: string[] = [];
    for (const { block } of input.kind === "blocks" ? input.pieces : []) {
      const bytes = yield* this.#node.storage.read(block);
      if (bytes === undefined) {
        return trouble("missing-input", "block-missing", `no copy of ${block.slice(0, 8)} answers`);
      }
      texts.push(Buffer.from(bytes).toString());
    }
    const counts = countWords(texts);
    const words = [...counts.values()].reduce((sum, n) => sum + n, 0);
    const facts = { records: texts.length, counters: { words }, ms };
    if (shape.partitions === 0) return yield* this.#storePart(linesOf(counts), shape, facts);
    const parts = partitioned(counts, shape.partitions);
    this.#outputs.set(outputKey(order.job, order.task, order.attempt), parts);
    const output: TaskOutput = { kind: "segments", partitions: indexOf(parts) };
    return { result: { output, ...facts } };
  }

  *#reduce(order: ReduceOrder, shape: JobShape, ms: Millis): Flow<Finished> {
    const lostMaps: number[] = [];
    const counts = new Map<string, number>();
    for (const ref of order.segments) {
      const bytes = yield* this.#fetch(order.job, order.task, ref);
      if (bytes === undefined) lostMaps.push(ref.task);
      else merge(counts, bytes.toString());
    }
    if (lostMaps.length > 0) {
      const message = `maps ${lostMaps.join()} cannot be fetched`;
      return { failure: { kind: "lost-segment", code: "segment-lost", message, lostMaps } };
    }
    const facts = { records: counts.size, counters: { distinct: counts.size }, ms };
    return yield* this.#storePart(linesOf(counts), shape, facts);
  }

  *#fetch(job: JobId, partition: number, ref: SegmentRef): Flow<Buffer | undefined> {
    const { task, attempt, node } = ref;
    const body = { job, task, attempt, partition };
    for (let tries = 0; tries < 2; tries++) {
      const reply = yield* this.#network.call(
        this.#node,
        node,
        "read-segment",
        body,
        SEGMENT_DEADLINE,
      );
      if (!reply.ok) continue;
      const bytes = reply.answer;
      return bytes !== undefined && crc32(bytes) === ref.crc ? bytes : undefined;
    }
    return undefined;
  }

  *#storePart(
    text: string,
    { replicas }: JobShape,
    facts: Omit<TaskResult, "output">,
  ): Flow<Finished> {
    const stored = yield* this.#node.storage.putBlocks(text, replicas);
    if (stored === undefined)
      return trouble("infra", "peer-unreachable", "no host took the output");
    const { manifest, manifestBytes, bytes, blocks } = stored;
    const output: TaskOutput = {
      kind: "part",
      manifest,
      manifestBytes,
      bytes,
      blocks: blocks.length,
    };
    return { result: { output, ...facts } };
  }
}

const trouble = (
  kind: TaskFailure["kind"],
  code: TaskFailure["code"],
  message: string,
): Finished => ({ failure: { kind, code, message } });

function countWords(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.matchAll(/\p{L}+/gu)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

const linesOf = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .map(([word, n]) => `${word} ${n}\n`)
    .sort()
    .join("");

function partitioned(counts: ReadonlyMap<string, number>, partitions: number): Buffer[] {
  const parts = Array.from({ length: partitions }, () => new Map<string, number>());
  for (const [word, n] of counts) parts[murmur3(Buffer.from(word)) % partitions]?.set(word, n);
  return parts.map((part) => Buffer.from(linesOf(part)));
}

function indexOf(parts: readonly Buffer[]): PartitionIndex[] {
  let offset = 0;
  return parts.map((part) => {
    const { length } = part;
    offset += length;
    return { offset: offset - length, length, records: 1, crc: crc32(part) };
  });
}

function merge(counts: Map<string, number>, lines: string): void {
  for (const line of lines.split("\n")) {
    const [word, n] = line.split(" ");
    if (word !== undefined && n !== undefined)
      counts.set(word, (counts.get(word) ?? 0) + Number(n));
  }
}
