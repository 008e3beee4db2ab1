/**
 * What the scheduler knows, and the few moves by which it changes: begin and give up an attempt,
 * queue or pause a task, take lost outputs back, end a job. Each move keeps tasks, slots, queues
 * and the ledger's orders in step with each other; the files `*-news.ts` decide which move a piece
 * of news calls for. Invariants J1 to J10 are in scheduler.ts.
 */
import { assert } from "../base/errors.ts";
import type { JobId, Millis, NodeId } from "../base/ids.ts";
import { startOrder } from "./dispatch.ts";
import type { JobProgress } from "./job-progress.ts";
import type { Holders, JobRun } from "./job-run.ts";
import { progressOf } from "./progress-of.ts";
import type { JobEndState, JobError, SchedulerEffect } from "./scheduler-events.ts";
import type { AttemptKey, JobAttempt, TaskFailure } from "./task.ts";
import {
  type Attempt,
  attemptsLeft,
  beginAttempt,
  endAttempt,
  nextAttemptNumber,
  runningAttempt,
  type TaskRun,
} from "./task-run.ts";
import { type RunningTask, type Worker, WorkerPool } from "./worker-pool.ts";

/** How often running tasks are looked at for silence. */
export const TICK: Millis = 1000;
/** Failures of one task that are not its own before the job is given up. */
export const OTHER_FAILURES = 20;
/** Pause after the first failure that was not the task's own; doubles each time. */
const FIRST_PAUSE: Millis = 100;
const LONGEST_PAUSE: Millis = 5000;
/** Ended jobs whose progress can still be asked for. */
const ENDED_KEPT = 20;

/** Failures that count toward the job's `maxAttempts` (J8). */
export const OWN_FAILURES: ReadonlySet<TaskFailure["kind"]> = new Set(["user", "limit", "died"]);

interface Paused {
  readonly at: Millis;
  readonly job: JobRun;
  readonly task: TaskRun;
}

export interface FoundAttempt {
  readonly job: JobRun;
  readonly worker: Worker;
  readonly run: RunningTask;
}

export class Schedule {
  readonly holders: Holders;
  readonly pool = new WorkerPool();
  /** Running jobs, in the order of submission. */
  readonly jobs = new Map<JobId, JobRun>();
  readonly ended = new Map<JobId, JobProgress>();
  now: Millis = 0;
  stepNumber = 0;
  out: SchedulerEffect[] = [];
  #paused: Paused[] = [];
  #timerAt: Millis | undefined;

  constructor(holders: Holders) {
    this.holders = holders;
  }

  /** J3: the attempt of a report, if it is the one that runs. */
  find(report: JobAttempt & { readonly node: NodeId }): FoundAttempt | undefined {
    const job = this.jobs.get(report.job);
    const task = job?.task(report.phase, report.task);
    const worker = this.pool.get(report.node);
    if (job === undefined || task === undefined || worker === undefined) return undefined;
    const attempt = runningAttempt(task, report.attempt, report.node);
    if (attempt === undefined) return undefined;
    for (const run of worker.running) if (run.attempt === attempt) return { job, worker, run };
    return undefined;
  }

  /** Orders a new attempt. */
  start(job: JobRun, task: TaskRun, worker: Worker): void {
    assert(worker.state === "up", "J5: work goes to nodes that are up");
    assert(worker.running.size < worker.slots, "W1: never more tasks than slots");
    const number = nextAttemptNumber(task, job.generation);
    this.begin(job, task, worker, number);
    this.order(job, task, number, worker.node);
  }

  order(job: JobRun, task: TaskRun, attempt: number, node: NodeId): void {
    const order = startOrder(job, task, attempt, node);
    this.out.push({ type: "start-task", node, order });
  }

  /** Enters an attempt that runs, ordered now or adopted from before this coordinator. */
  begin(job: JobRun, task: TaskRun, worker: Worker, number: number): void {
    const { node } = worker;
    const isRetry = task.attempts.length > 0;
    const times = { started: this.now, heard: this.now, orderedAt: this.stepNumber };
    const attempt: Attempt = { number, node, state: "running", ...times };
    beginAttempt(task, attempt);
    job.setState(task, "running");
    job.attempts += 1;
    if (isRetry) job.retries += 1;
    else if (task.phase === "map" && task.holders.includes(node)) job.localMaps += 1;
    job.touched.add(node);
    this.pool.take(worker, { job: job.plan.id, task, attempt });
    this.wake(this.now + TICK);
  }

  /** Ends a running attempt on our side; the task is idle and not queued afterwards. */
  giveUp(worker: Worker, run: RunningTask, state: "failed" | "lost" | "fenced"): void {
    this.pool.give(worker, run);
    endAttempt(run.attempt, state, this.now);
    run.task.share = 0;
    this.jobs.get(run.job)?.setState(run.task, "idle");
  }

  stop(node: NodeId, { job, phase, task, attempt }: JobAttempt): void {
    this.out.push({ type: "stop-task", node, job, phase, task, attempt });
  }

  /** Lets an idle task start as soon as a slot is free. */
  queue(job: JobRun, task: TaskRun): void {
    if (!this.jobs.has(job.plan.id)) return;
    if (task.phase === "reduce") this.loseDead(job);
    if (attemptsLeft(task, job.generation)) return job.enqueue(task);
    this.end(job, "failed", errorOf(job, task, infra("its nodes went away too often")));
  }

  /** J8: tries again, at once or after a pause, or ends the job with this failure. */
  retry(job: JobRun, task: TaskRun, failure: TaskFailure): void {
    const own = OWN_FAILURES.has(failure.kind);
    if (own) task.ownFailures += 1;
    else task.otherFailures += 1;
    if (task.ownFailures >= job.plan.limits.maxAttempts || task.otherFailures >= OTHER_FAILURES) {
      return this.end(job, "failed", errorOf(job, task, failure));
    }
    const waitsForMaps = task.phase === "reduce" && !job.mapsRecorded;
    if (own || waitsForMaps) return this.queue(job, task);
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (task.otherFailures - 1));
    this.#paused.push({ at: this.now + pause, job, task });
    this.wake(this.now + pause);
  }

  /** Queues the paused tasks whose time has come. */
  resume(): void {
    const due = this.#paused.filter((it) => it.at <= this.now);
    this.#paused = this.#paused.filter((it) => it.at > this.now);
    for (const { job, task } of due) this.queue(job, task);
  }

  /** The task is neither queued nor paused afterwards. */
  withdraw(job: JobRun, task: TaskRun): void {
    this.#paused = this.#paused.filter((it) => it.task !== task);
    job.queueOf(task).remove(task);
  }

  /** Takes map outputs back: the tasks run again, the ledger forgets what it has of them (J4). */
  loseOutputs(job: JobRun, lost: readonly TaskRun[]): void {
    const withdrawn: AttemptKey[] = [];
    for (const task of lost) {
      const wasRecorded = task.state === "recorded";
      const { phase, attempt } = job.forget(task);
      const row = task.attempts.find((known) => known.number === attempt);
      if (row !== undefined) row.state = "lost";
      if (wasRecorded) withdrawn.push({ phase, task: task.number, attempt });
    }
    if (withdrawn.length > 0) {
      this.out.push({ type: "record-lost", job: job.plan.id, tasks: withdrawn });
    }
    for (const task of lost) this.queue(job, task);
  }

  /** A reduce has to fetch again: what lay on nodes that died meanwhile is made again first. */
  loseDead(job: JobRun): void {
    for (const node of job.outputNodes()) {
      if (this.pool.get(node)?.state === "down") this.loseOutputs(job, job.outputsOn(node));
    }
  }

  /** Gives the waiting completions to the ledger, unless it has some already. */
  flush(job: JobRun): void {
    if (job.recording || job.pending.length === 0) return;
    this.out.push({ type: "record", job: job.plan.id, tasks: job.takePending() });
  }

  blame(node: NodeId, job: JobRun, isInfra: boolean): void {
    const until = this.pool.blame(node, job.plan.id, isInfra, this.now);
    if (until !== undefined) this.wake(until);
  }

  wake(at: Millis): void {
    if (this.#timerAt !== undefined && this.#timerAt <= at) return;
    this.#timerAt = at;
    this.out.push({ type: "set-timer", at });
  }

  /** Sets the timer for whatever comes next. */
  rewind(): void {
    this.#timerAt = undefined;
    if (this.pool.busy().length > 0) this.wake(this.now + TICK);
    for (const { at } of this.#paused) this.wake(at);
    const pardon = this.pool.nextPardon(this.now);
    if (pardon !== undefined) this.wake(pardon);
  }

  /** J1: stops what runs, tells the nodes to clean up, and forgets all but the view. */
  end(job: JobRun, state: JobEndState, error?: JobError): void {
    const { id } = job.plan;
    if (!this.jobs.has(id)) return;
    assert(state !== "done" || job.complete, "J7: a job that is done has all its parts");
    this.#stopAll(id);
    this.#paused = this.#paused.filter((it) => it.job !== job);
    const outputs = state === "done" ? job.outputs() : [];
    const reason = error === undefined ? {} : { error };
    const stats = job.stats(this.now);
    this.out.push({ type: "end-job", job: id, state, ...reason, outputs, stats });
    for (const node of [...job.touched].sort()) {
      if (this.pool.isLive(node)) this.out.push({ type: "clean-job", node, job: id });
    }
    const { waitingFor: _, ...last } = progressOf(job, this.pool);
    this.jobs.delete(id);
    this.#remember({ ...last, state, ended: this.now, ...reason, outputs });
  }

  #stopAll(job: JobId): void {
    for (const worker of this.pool.busy()) {
      for (const run of worker.running) {
        if (run.job !== job) continue;
        const { phase, number: task } = run.task;
        this.giveUp(worker, run, "fenced");
        this.stop(worker.node, { job, phase, task, attempt: run.attempt.number });
      }
    }
  }

  #remember(last: JobProgress): void {
    this.ended.set(last.job, last);
    const oldest = this.ended.keys().next();
    if (this.ended.size > ENDED_KEPT && oldest.done !== true) this.ended.delete(oldest.value);
  }
}

/** The failure of the cluster's side. */
export const infra = (message: string): TaskFailure => ({
  kind: "infra",
  code: "protocol",
  message,
});

/** Other nodes are asked first from now on. */
export function avoid(task: TaskRun, node: NodeId | undefined): void {
  if (node !== undefined && !task.avoid.includes(node)) task.avoid.push(node);
}

const errorOf = (job: JobRun, task: TaskRun, failure: TaskFailure): JobError => ({
  code: failure.code,
  message: failure.message,
  stage: job.plan.stage,
  phase: task.phase,
  task: task.number,
  attempts: task.attempts.length,
});
