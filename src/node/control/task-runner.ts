/**
 * Runs the tasks that this node is ordered to: gets the input to a task host, has it run, takes the output over, reports.
 * It decides nothing: which attempt counts is the ledger's matter.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { errorNote, RingfoldError } from "../../base/errors.ts";
import type { Bytes, JobId, Millis } from "../../base/ids.ts";
import { blockId } from "../../base/ids.ts";
import type { JobAttempt, TaskFailure, TaskResult, WorkOrder } from "../../jobs/task.ts";
import type { TaskReport } from "../../wire/control.ts";
import type { JobInfo } from "../../wire/jobs.ts";
import type { DataPort } from "../data/data-port.ts";
import type { TaskHost } from "../hosts/task-host.ts";
import type {
  InputBlock,
  MapDone,
  MapOrder,
  ReduceDone,
  ReduceOrder,
  TaskFailed,
  TaskJob,
} from "../hosts/task-order.ts";
import type { JobHosts } from "./job-hosts.ts";
import { TaskLogs } from "./task-logs.ts";

/** How often an attempt's progress is told. */
const PROGRESS_PULSE: Millis = 500;

export interface RunnerParts {
  readonly data: DataPort;
  readonly hosts: JobHosts;
  readonly log: Logger;
  /** Delivers a report to the coordinator; rejects when it could not. */
  readonly report: (report: TaskReport) => Promise<void>;
}

/** What a worker answers to a roll call. */
export interface Roll {
  readonly running: JobAttempt[];
  readonly holding: JobId[];
}

type MapWork = Extract<WorkOrder, { phase: "map" }>;
type ReduceWork = Extract<WorkOrder, { phase: "reduce" }>;
type Final = Extract<TaskReport, { type: "done" | "failed" }>;

/** An attempt from its order to the delivery of its report. */
interface Running {
  readonly key: JobAttempt;
  readonly abort: AbortController;
  final: Final | undefined;
  told: Millis;
}

/** A failure that already knows its kind. */
class TaskTrouble extends Error {
  readonly failure: TaskFailure;

  constructor(failure: TaskFailure) {
    super(failure.message);
    this.name = "TaskTrouble";
    this.failure = failure;
  }
}

export class TaskRunner {
  readonly #parts: RunnerParts;
  readonly #attempts = new Map<string, Running>();
  /** Jobs that may have left map outputs or hosts here. */
  readonly #holding = new Set<JobId>();
  /** Attempts that have not ended, those that were stopped included. */
  readonly #inFlight = new Map<Promise<void>, JobId>();
  readonly logs = new TaskLogs();

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  /** Attempts that are running now. */
  get running(): number {
    return [...this.#attempts.values()].filter((attempt) => attempt.final === undefined).length;
  }

  /** Takes an order; one that runs already is passed over, a finished one is reported again. */
  start(order: WorkOrder, info: JobInfo): void {
    const { job, phase, task, attempt } = order;
    const key = { job, phase, task, attempt };
    const known = this.#attempts.get(nameOf(key));
    if (known !== undefined) {
      if (known.final !== undefined) void this.#deliver(known);
      return;
    }
    const running: Running = { key, abort: new AbortController(), final: undefined, told: 0 };
    this.#attempts.set(nameOf(key), running);
    this.#holding.add(job);
    this.logs.begin(job, key);
    const ended = this.#attempt(running, order, info).finally(() => this.#inFlight.delete(ended));
    this.#inFlight.set(ended, job);
  }

  /** Kills the attempt and forgets it. */
  stop(key: JobAttempt): void {
    const running = this.#attempts.get(nameOf(key));
    if (running === undefined) return;
    this.#attempts.delete(nameOf(key));
    running.abort.abort();
    if (running.final === undefined) this.logs.end(key.job, key, "cancelled");
  }

  /** The job is over: its attempts, its hosts and its map outputs go. */
  clean(job: JobId): void {
    for (const { key } of Array.from(this.#attempts.values())) if (key.job === job) this.stop(key);
    void this.#parts.hosts.endJob(job);
    void this.#drop(job);
  }

  /** Not before the last attempt has ended: it may be handing over its output just now. */
  async #drop(job: JobId): Promise<void> {
    const last = [...this.#inFlight].filter(([, of]) => of === job);
    await Promise.all(last.map(([ended]) => ended));
    try {
      await this.#parts.data.dropJob(job);
      this.#holding.delete(job);
    } catch (error) {
      this.#warn("drop job", error);
    }
  }

  /** Work of the job will come. */
  wake(job: JobId): void {
    this.#holding.add(job);
    this.#parts.hosts.wake(job);
  }

  rollCall(): Roll {
    for (const running of this.#attempts.values()) {
      if (running.final !== undefined) void this.#deliver(running);
    }
    const running = [...this.#attempts.values()].map(({ key }) => key);
    return { running, holding: [...this.#holding] };
  }

  close(): void {
    for (const { key } of Array.from(this.#attempts.values())) this.stop(key);
  }

  async #attempt(running: Running, order: WorkOrder, info: JobInfo): Promise<void> {
    const { key } = running;
    const began = performance.now();
    let final: Final;
    try {
      const done = await this.#withHost(running, order, info);
      const result = { ...done, ms: performance.now() - began };
      this.logs.end(key.job, key, "done");
      final = { type: "done", attempt: key, result };
    } catch (error) {
      const failure = failureOf(error);
      if (running.abort.signal.aborted) return;
      this.logs.end(key.job, key, "failed", `${failure.message} (${failure.code})`);
      final = { type: "failed", attempt: key, failure };
    }
    if (running.abort.signal.aborted) return;
    running.final = final;
    await this.#deliver(running);
  }

  /** What cannot be delivered stays, and is asked for by the next roll call. */
  async #deliver(running: Running): Promise<void> {
    if (running.final === undefined) return;
    try {
      await this.#parts.report(running.final);
      const name = nameOf(running.key);
      if (this.#attempts.get(name) === running) this.#attempts.delete(name);
    } catch (error) {
      this.#warn("report", error);
    }
  }

  async #withHost(
    running: Running,
    order: WorkOrder,
    info: JobInfo,
  ): Promise<Omit<TaskResult, "ms">> {
    const leased = await this.#parts.hosts.lease(order.job, info.bundle, inputBytes(order));
    const { host, bundle } = leased;
    try {
      running.abort.signal.throwIfAborted();
      const { name, params, seed } = info;
      const job: TaskJob = { id: order.job, name, bundle, params, seed };
      return order.phase === "map"
        ? await this.#map(running, host, job, order, info)
        : await this.#reduce(running, host, job, order, info);
    } finally {
      await this.#parts.hosts.release(leased);
    }
  }

  async #map(
    running: Running,
    host: TaskHost,
    job: TaskJob,
    work: MapWork,
    info: JobInfo,
  ): Promise<Omit<TaskResult, "ms">> {
    const out = `map-${work.task}-${work.attempt}`;
    const file = join(host.paths.out, out);
    const { blocks, files } = await this.#stage(host, work);
    const input = work.spec.input;
    const order: MapOrder = {
      type: "map",
      job,
      stage: info.stage,
      task: work.task,
      attempt: work.attempt,
      input: input.kind === "range" ? input : { kind: "blocks", blocks },
      partitions: work.partitions,
      sortMemory: info.limits.sortMemory,
      out,
    };
    try {
      const done = await this.#run(running, host, order, info, work.spec.bytes);
      if (work.partitions === 0) return await this.#part(order.job.id as JobId, file, info, done);
      const { task, attempt } = work;
      await this.#parts.data.adoptMapOutput({ job: work.job, task, attempt, file });
      return {
        output: { kind: "segments", partitions: done.partitions },
        records: done.records,
        counters: done.counters,
      };
    } finally {
      await remove([...files, file]);
    }
  }

  async #stage(
    host: TaskHost,
    work: MapWork,
  ): Promise<{ readonly blocks: InputBlock[]; readonly files: string[] }> {
    const input = work.spec.input;
    if (input.kind === "range" || input.pieces.length === 0) return { blocks: [], files: [] };
    const ids = [...new Set(input.pieces.map((piece) => piece.block))];
    const staged = await this.#parts.data
      .stageBlocks({ job: work.job, dir: host.paths.in, blocks: ids })
      .catch((error: unknown) => {
        const note = errorNote(error);
        throw new TaskTrouble({ kind: "missing-input", ...note });
      });
    const blocks = input.pieces.map((piece) => ({
      file: piece.block,
      id: piece.block,
      bytes: piece.length,
      fileName: piece.file,
      index: piece.index,
      offset: piece.offset,
    }));
    return { blocks, files: staged.map((block) => block.file) };
  }

  async #reduce(
    running: Running,
    host: TaskHost,
    job: TaskJob,
    work: ReduceWork,
    info: JobInfo,
  ): Promise<Omit<TaskResult, "ms">> {
    const out = `reduce-${work.task}-${work.attempt}`;
    const file = join(host.paths.out, out);
    const fetched = await this.#parts.data.fetchSegments({
      job: work.job,
      partition: work.task,
      sources: work.segments,
      dir: host.paths.in,
    });
    try {
      if (fetched.lost.length > 0) throw lostSegments(fetched.lost);
      const at = new Map(fetched.segments.map((segment) => [segment.task, segment]));
      const order: ReduceOrder = {
        type: "reduce",
        job,
        stage: info.stage,
        partition: work.task,
        attempt: work.attempt,
        segments: work.segments.map((segment) => ({
          file: fetched.file.slice(host.paths.in.length + 1),
          offset: at.get(segment.task)?.offset ?? 0,
          length: segment.length,
          crc: segment.crc,
          mapTask: segment.task,
        })),
        sortMemory: info.limits.sortMemory,
        out,
      };
      const done = await this.#run(running, host, order, info, fetched.bytes);
      return await this.#part(work.job, file, info, done);
    } finally {
      await remove([fetched.file, file]);
    }
  }

  /** An output part: stored as blocks with all its copies before it is reported. */
  async #part(
    job: JobId,
    file: string,
    info: JobInfo,
    done: MapDone | ReduceDone,
  ): Promise<Omit<TaskResult, "ms">> {
    const { manifest, manifestBytes, bytes, blocks } = await this.#parts.data.storeOutput({
      file,
      copies: info.replicas,
      cut: "lines",
      job,
    });
    return {
      output: { kind: "part", manifest, manifestBytes, bytes, blocks },
      records: done.records,
      counters: done.counters,
    };
  }

  async #run<O extends MapOrder | ReduceOrder>(
    running: Running,
    host: TaskHost,
    order: O,
    { limits }: JobInfo,
    bytes: number,
  ): Promise<O extends MapOrder ? MapDone : ReduceDone> {
    const { key, abort } = running;
    const result = await host.run(order, {
      signal: abort.signal,
      onProgress: (progress) => {
        const now = performance.now();
        if (now - running.told < PROGRESS_PULSE) return;
        running.told = now;
        const share = bytes === 0 ? 0 : Math.min(1, progress.bytes / bytes);
        this.#parts.report({ type: "progress", attempt: key, share }).catch(() => {});
      },
      onLog: (text) => this.logs.add(key.job, key, `${text}\n`),
      limits: { memory: limits.taskMemory, silence: limits.taskTimeout, disk: limits.taskDisk },
    });
    if (result.type === "failed") throw await this.#failed(result);
    return result as O extends MapOrder ? MapDone : ReduceDone;
  }

  async #failed(failed: TaskFailed): Promise<TaskTrouble> {
    const { code, message } = failed;
    if (failed.kind === "corrupt-input") {
      // The word of a job's process is not enough to drop a block: its copy is read again and judged here.
      const ids = (failed.blocks ?? []).map(blockId);
      await this.#parts.data
        .verifyBlocks(ids)
        .catch((error: unknown) => this.#warn("verify", error));
      return new TaskTrouble({ kind: "corrupt-input", code, message });
    }
    if (failed.kind === "lost-segment") {
      const lostMaps = failed.mapTasks ?? [];
      return new TaskTrouble({ kind: "lost-segment", code, message, lostMaps });
    }
    const kind = failed.kind === "cancelled" ? "infra" : failed.kind;
    return new TaskTrouble({ kind, code, message });
  }

  #warn(what: string, error: unknown): void {
    this.#parts.log.warn({ what, error: errorNote(error) }, "task runner");
  }
}

const inputBytes = (order: WorkOrder): Bytes =>
  order.phase === "map"
    ? order.spec.bytes
    : order.segments.reduce((sum, segment) => sum + segment.length, 0);

const nameOf = (key: JobAttempt): string => `${key.job}/${key.phase}-${key.task}/${key.attempt}`;

const lostSegments = (
  lost: readonly {
    readonly task: number;
    readonly why: string;
    readonly code: TaskFailure["code"];
  }[],
): TaskTrouble =>
  new TaskTrouble({
    kind: "lost-segment",
    code: lost[0]?.code ?? "segment-lost",
    message: `the output of ${lost.length} map tasks cannot be fetched: ${lost[0]?.why ?? ""}`,
    lostMaps: lost.map((segment) => segment.task),
  });

function failureOf(error: unknown): TaskFailure {
  if (error instanceof TaskTrouble) return error.failure;
  const note = errorNote(error);
  const kind =
    error instanceof RingfoldError && error.code === "block-missing" ? "missing-input" : "infra";
  return { kind, ...note };
}

async function remove(files: readonly string[]): Promise<void> {
  await Promise.all(files.map((file) => rm(file, { force: true })));
}
