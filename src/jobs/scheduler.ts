/**
 * The scheduler: one instance on the coordinator hands the tasks of all jobs to the nodes, takes their reports, has the
 * ledger record what counts, and ends each job. A pure core: `step(input, now)` answers with effects.
 * Dean and Ghemawat, "MapReduce" (2004), section 3 (task states, fault tolerance, locality) and 3.3 (atomic commit).
 *
 * J1  A job ends exactly once; nothing of it is ordered afterwards. Asserted, tested.
 * J2  At most one attempt of a task runs; attempt numbers of a task grow and are never given out twice. Asserted.
 * J3  A report of an attempt that is not the one running on that node changes nothing. Tested.
 * J4  A completion counts when the ledger has accepted it, once for each task; a lost one is withdrawn first. Tested.
 * J5  A node that is up, and no other, is given tasks, never more at once than its slots. Asserted (W1), tested.
 * J6  What a dead node ran is idle again in the same step, and so are its map outputs while any reduce is not done. Tested.
 * J7  A job that is done has all its parts, in order; a result of another shape than the plan's is refused. Tested.
 * J8  Only a task's own failures count toward `maxAttempts`; the others end a job at {@link OTHER_FAILURES}. Tested.
 * J9  The same inputs give the same effects. Tested.
 * J10 No task that may start waits beside a free slot that it may use. Tested.
 *
 * What the driver promises:
 * - It carries out effects in their order for each node and for the ledger, and answers every `record`.
 * - After a restart of the coordinator it submits the ledger's running jobs before any `node-up`.
 * - An order that cannot be delivered is followed by `node-down`, or by a `node-report` once the connection is back. A worker
 *   passes over an order for an attempt that it runs already, and reports a finished one again.
 */
import { assert, unreachable } from "../base/errors.ts";
import type { JobId, Millis, NodeId } from "../base/ids.ts";
import { dispatch, startOrder } from "./dispatch.ts";
import type { JobProgress } from "./job-progress.ts";
import { type Holders, JobRun, outputFits } from "./job-run.ts";
import { progressOf } from "./progress-of.ts";
import type { JobEndState, JobError, SchedulerEffect, SchedulerInput } from "./scheduler-events.ts";
import type { AttemptKey, JobAttempt, TaskFailure, TaskRecord } from "./task.ts";
import {
  type Attempt,
  attemptsLeft,
  beginAttempt,
  endAttempt,
  lastAttempt,
  nextAttemptNumber,
  runningAttempt,
  type TaskRun,
} from "./task-run.ts";
import { type RunningTask, type Worker, WorkerPool } from "./worker-pool.ts";

type InputOf<T extends SchedulerInput["type"]> = Extract<SchedulerInput, { readonly type: T }>;

/** Failures of one task that are not its own before the job is given up. */
export const OTHER_FAILURES = 20;
/** How often running tasks are looked at for silence. */
const TICK: Millis = 1000;
/** The node's own watchdog should speak first: it knows more. */
const SILENCE_GRACE: Millis = 1000;
/** Pause after the first failure that was not the task's own; doubles each time. */
const FIRST_PAUSE: Millis = 100;
const LONGEST_PAUSE: Millis = 5000;
/** Ended jobs whose progress can still be asked for. */
const ENDED_KEPT = 20;

const OWN_FAILURES: ReadonlySet<TaskFailure["kind"]> = new Set(["user", "limit", "died"]);

interface Paused {
  readonly at: Millis;
  readonly job: JobRun;
  readonly task: TaskRun;
}

export class Scheduler {
  readonly #holders: Holders;
  readonly #pool = new WorkerPool();
  /** Running jobs, in the order of submission. */
  readonly #jobs = new Map<JobId, JobRun>();
  readonly #ended = new Map<JobId, JobProgress>();
  #paused: Paused[] = [];
  #timerAt: Millis | undefined;
  #step = 0;
  #out: SchedulerEffect[] = [];

  /** @param holders who holds a block now; asked when a task is queued and when it is ordered */
  constructor(holders: Holders) {
    this.#holders = holders;
  }

  /** One fact in, orders out. `now` must not go back. */
  step(input: SchedulerInput, now: Millis): readonly SchedulerEffect[] {
    this.#step += 1;
    this.#out = [];
    this.#take(input, now);
    if (input.type !== "task-progress") {
      dispatch([...this.#jobs.values()], this.#pool, now, (job, task, worker) =>
        this.#start(job, task, worker, now),
      );
    }
    return this.#out;
  }

  /** How a job stands, with its tasks; undefined for one that is unknown or long over. */
  view(job: JobId): JobProgress | undefined {
    const run = this.#jobs.get(job);
    return run === undefined ? this.#ended.get(job) : progressOf(run, this.#pool);
  }

  /** Running jobs, in the order of submission. */
  jobs(): readonly JobId[] {
    return [...this.#jobs.keys()];
  }

  /** What a node that wants to leave still has: tasks that run there, and map outputs that reduce tasks need. */
  needs(node: NodeId): { readonly running: number; readonly outputs: number } {
    const running = this.#pool.get(node)?.running.size ?? 0;
    const jobs = [...this.#jobs.values()].filter((job) => job.needsSegments);
    const outputs = jobs.reduce((sum, job) => sum + (job.outputsOn.get(node)?.size ?? 0), 0);
    return { running, outputs };
  }

  #take(input: SchedulerInput, now: Millis): void {
    switch (input.type) {
      case "job-submitted":
        return this.#submitted(input, now);
      case "node-up":
        return this.#nodeUp(input, now);
      case "node-down":
        if (this.#pool.isNewsOf(input.node, input.epoch)) this.#nodeDown(input, now);
        return;
      case "node-leaving":
        return this.#nodeLeaving(input.node);
      case "task-progress":
        return this.#progress(input, now);
      case "task-done":
        return this.#done(input, now);
      case "task-failed":
        return this.#failed(input, now);
      case "tasks-recorded":
        return this.#recorded(input, now);
      case "node-report":
        return this.#report(input, now);
      case "cancel":
        return this.#cancel(input.job, now);
      case "timer-fired":
        return this.#timer(now);
      default:
        return unreachable(input);
    }
  }

  #submitted(input: InputOf<"job-submitted">, now: Millis): void {
    const { plan } = input;
    if (this.#jobs.has(plan.id) || this.#ended.has(plan.id)) return;
    const job = new JobRun(plan, input.generation ?? 0, now, this.#holders);
    this.#jobs.set(plan.id, job);
    for (const record of input.done ?? []) this.#restore(job, record, now);
    for (const phase of [job.map, job.reduce]) {
      for (const task of phase.tasks) if (task.state === "idle") job.enqueue(task);
    }
    if (job.complete) return this.#end(job, "done", now);
    const hosts = this.#pool.usable().slice(0, Math.max(job.map.tasks.length, plan.partitions));
    const nodes = hosts.map((worker) => worker.node);
    for (const node of nodes) job.touched.add(node);
    if (nodes.length > 0) this.#out.push({ type: "wake-hosts", nodes, job: plan.id });
  }

  #restore(job: JobRun, record: TaskRecord, now: Millis): void {
    const task = job.task(record.phase, record.task);
    if (task === undefined || task.state !== "idle") return;
    if (!outputFits(job.plan, record.phase, record.result.output)) return;
    this.#enterWinner(job, task, record, now);
  }

  /** A completion that this scheduler did not order itself. */
  #enterWinner(job: JobRun, task: TaskRun, record: TaskRecord, now: Millis): void {
    const { attempt: number, node } = record;
    if (!task.attempts.some((known) => known.number === number)) {
      const times = { started: now, heard: now, ended: now, orderedAt: this.#step };
      task.attempts.push({ number, node, state: "recorded", ...times });
      task.attempts.sort((a, b) => a.number - b.number);
    }
    job.queueOf(task).remove(task);
    job.touched.add(node);
    job.setRecorded(task, record, this.#step);
  }

  #nodeUp(input: InputOf<"node-up">, now: Millis): void {
    const known = this.#pool.get(input.node);
    if (known !== undefined && input.incarnation > known.incarnation && known.state !== "down") {
      this.#nodeDown({ node: input.node, epoch: known.epoch }, now);
    }
    this.#pool.up(input);
  }

  #nodeLeaving(node: NodeId): void {
    const worker = this.#pool.get(node);
    if (worker?.state === "up") this.#pool.setState(worker, "leaving", worker.epoch);
  }

  /** J6. */
  #nodeDown(news: Pick<InputOf<"node-down">, "node" | "epoch">, now: Millis): void {
    const worker = this.#pool.get(news.node);
    if (worker !== undefined) {
      this.#pool.setState(worker, "down", news.epoch);
      for (const run of [...worker.running]) {
        const job = this.#giveUp(worker, run, "lost", now);
        if (job !== undefined) this.#queue(job, run.task, now);
      }
    }
    for (const job of [...this.#jobs.values()]) {
      if (!job.needsSegments) continue;
      const lost = [...(job.outputsOn.get(news.node) ?? [])].sort((a, b) => a.number - b.number);
      this.#loseOutputs(job, lost, now);
      for (const task of job.map.tasks.filter((t) => t.state === "finished")) {
        if (task.record?.node === news.node) this.#loseOutputs(job, [task], now);
      }
    }
  }

  /** Takes map outputs back: the tasks run again, the ledger forgets what it has of them (J4). */
  #loseOutputs(job: JobRun, lost: readonly TaskRun[], now: Millis): void {
    const withdrawn: AttemptKey[] = [];
    for (const task of lost) {
      const wasRecorded = task.state === "recorded";
      const { phase, attempt } = job.forget(task);
      const row = task.attempts.find((known) => known.number === attempt);
      if (row !== undefined) row.state = "lost";
      if (wasRecorded) withdrawn.push({ phase, task: task.number, attempt });
    }
    if (withdrawn.length > 0) {
      this.#out.push({ type: "record-lost", job: job.plan.id, tasks: withdrawn });
    }
    for (const task of lost) this.#queue(job, task, now);
  }

  #progress(input: InputOf<"task-progress">, now: Millis): void {
    const found = this.#find(input);
    if (found === undefined) return;
    found.run.attempt.heard = now;
    if (input.share !== undefined && input.share !== found.run.task.share) {
      found.run.task.share = Math.min(1, Math.max(0, input.share));
      found.job.revision += 1;
    }
  }

  #done(input: InputOf<"task-done">, now: Millis): void {
    const found = this.#find(input);
    if (found === undefined) return this.#stray(input);
    const { job, worker, run } = found;
    const { phase, task, attempt, node, result } = input;
    if (!outputFits(job.plan, phase, result.output)) {
      const message = `${node.slice(0, 8)} gave a ${phase} task's result another shape than its plan`;
      return this.#failed({ ...input, type: "task-failed", failure: infra(message) }, now);
    }
    this.#pool.end(worker, run);
    endAttempt(run.attempt, "finished", now);
    run.task.record = { phase, task, attempt, node, result };
    job.setState(run.task, "finished");
    this.#blameEarlier(job, run.task, node, now);
    job.pending.push(run.task.record);
    this.#flush(job);
  }

  /** It went well here: where it failed before, the node may be at fault. */
  #blameEarlier(job: JobRun, task: TaskRun, wentWellOn: NodeId, now: Millis): void {
    for (const attempt of task.attempts) {
      const own = attempt.failure !== undefined && OWN_FAILURES.has(attempt.failure.kind);
      if (own && attempt.node !== wentWellOn) this.#blame(attempt.node, job, false, now);
    }
  }

  #blame(node: NodeId, job: JobRun, isInfra: boolean, now: Millis): void {
    const until = this.#pool.blame(node, job.plan.id, isInfra, now);
    if (until !== undefined) this.#wake(until);
  }

  #flush(job: JobRun): void {
    if (job.recording || job.pending.length === 0) return;
    this.#out.push({ type: "record", job: job.plan.id, tasks: job.takePending() });
  }

  #recorded(input: InputOf<"tasks-recorded">, now: Millis): void {
    const job = this.#jobs.get(input.job);
    if (job === undefined) return;
    job.recording = false;
    for (const key of input.accepted) this.#accepted(job, key, now);
    for (const key of input.ignored) this.#ignored(job, key, now);
    if (!this.#jobs.has(input.job)) return;
    if (job.complete) return this.#end(job, "done", now);
    this.#flush(job);
  }

  #accepted(job: JobRun, key: AttemptKey, now: Millis): void {
    const task = job.task(key.phase, key.task);
    const record = task?.record;
    if (task?.state !== "finished" || record?.attempt !== key.attempt) {
      // Lost while the ledger wrote it: what was accepted is withdrawn.
      if (key.phase === "map" && job.plan.partitions > 0 && record?.attempt !== key.attempt) {
        this.#out.push({ type: "record-lost", job: job.plan.id, tasks: [key] });
      }
      return;
    }
    const row = lastAttempt(task);
    if (row !== undefined) row.state = "recorded";
    job.setRecorded(task, record, this.#step);
    const needed = record.result.output.kind === "segments" && job.needsSegments;
    if (needed && !this.#pool.isLive(record.node)) this.#loseOutputs(job, [task], now);
  }

  #ignored(job: JobRun, key: AttemptKey & { readonly winner?: TaskRecord }, now: Millis): void {
    const task = job.task(key.phase, key.task);
    if (task?.state !== "finished" || task.record?.attempt !== key.attempt) return;
    job.forget(task);
    const row = lastAttempt(task);
    if (row !== undefined) row.state = "fenced";
    const { winner } = key;
    if (winner !== undefined && outputFits(job.plan, key.phase, winner.result.output)) {
      return this.#enterWinner(job, task, winner, now);
    }
    this.#afterFailure(job, task, infra("the ledger did not accept the result"), now);
  }

  #failed(input: InputOf<"task-failed">, now: Millis): void {
    const found = this.#find(input);
    if (found === undefined) return this.#stray(input);
    const { job, worker, run } = found;
    const { failure, node } = input;
    run.attempt.failure = failure;
    this.#giveUp(worker, run, "failed", now);
    if (failure.kind === "infra") this.#blame(node, job, true, now);
    if (failure.kind !== "missing-input" && failure.kind !== "corrupt-input") {
      avoid(run.task, node);
    }
    if (failure.kind === "lost-segment") this.#lostMaps(job, run.attempt, failure, now);
    this.#afterFailure(job, run.task, failure, now);
  }

  /** The maps that a reduce could not fetch run again, unless that has happened since its order. */
  #lostMaps(job: JobRun, attempt: Attempt, failure: TaskFailure, now: Millis): void {
    const numbers = [...new Set(failure.lostMaps ?? [])].sort((a, b) => a - b);
    const lost = numbers
      .map((number) => job.task("map", number))
      .filter((task) => task !== undefined)
      .filter((task) => task.state === "recorded" && task.recordedAt <= attempt.orderedAt);
    for (const task of lost) {
      const row = lastAttempt(task);
      if (row !== undefined) avoid(task, row.node);
    }
    this.#loseOutputs(job, lost, now);
  }

  /** J8: tries again, or ends the job with this failure. */
  #afterFailure(job: JobRun, task: TaskRun, failure: TaskFailure, now: Millis): void {
    const own = OWN_FAILURES.has(failure.kind);
    if (own) task.ownFailures += 1;
    else task.otherFailures += 1;
    if (task.ownFailures >= job.plan.limits.maxAttempts || task.otherFailures >= OTHER_FAILURES) {
      return this.#end(job, "failed", now, errorOf(job, task, failure));
    }
    const waitsForMaps = task.phase === "reduce" && !job.mapsRecorded;
    if (own || waitsForMaps) return this.#queue(job, task, now);
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (task.otherFailures - 1));
    this.#paused.push({ at: now + pause, job, task });
    this.#wake(now + pause);
  }

  #queue(job: JobRun, task: TaskRun, now: Millis): void {
    if (attemptsLeft(task, job.generation)) return job.enqueue(task);
    const failure = infra("its nodes went away too often");
    this.#end(job, "failed", now, errorOf(job, task, failure));
  }

  /** J3: the attempt of a report, if it is the one that runs. */
  #find(report: JobAttempt & { readonly node: NodeId }) {
    const job = this.#jobs.get(report.job);
    const task = job?.task(report.phase, report.task);
    const worker = this.#pool.get(report.node);
    if (job === undefined || task === undefined || worker === undefined) return undefined;
    const attempt = runningAttempt(task, report.attempt, report.node);
    if (attempt === undefined) return undefined;
    const run = [...worker.running].find((one) => one.attempt === attempt);
    return run === undefined ? undefined : { job, worker, run };
  }

  /** A late result: its node may forget it. The attempt that counts is left alone. */
  #stray(report: JobAttempt & { readonly node: NodeId }): void {
    const { job: id, phase, task: number, attempt, node } = report;
    const task = this.#jobs.get(id)?.task(phase, number);
    if (task?.record?.attempt === attempt && task.record.node === node) return;
    if (this.#ended.has(id)) this.#out.push({ type: "clean-job", node, job: id });
    else this.#stop(node, { job: id, phase, task: number, attempt });
  }

  #stop(node: NodeId, { job, phase, task, attempt }: JobAttempt): void {
    this.#out.push({ type: "stop-task", node, job, phase, task, attempt });
  }

  /** Ends a running attempt on our side; the task is idle and not queued afterwards. */
  #giveUp(
    worker: Worker,
    run: RunningTask,
    state: "failed" | "lost" | "fenced",
    now: Millis,
  ): JobRun | undefined {
    this.#pool.end(worker, run);
    endAttempt(run.attempt, state, now);
    const job = this.#jobs.get(run.job);
    run.task.share = 0;
    job?.setState(run.task, "idle");
    return job;
  }

  #report(input: InputOf<"node-report">, now: Millis): void {
    const worker = this.#pool.get(input.node);
    if (worker === undefined || worker.state === "down") return;
    for (const reported of input.running) this.#reported(worker, reported, now);
    for (const run of [...worker.running]) {
      const { phase, number } = run.task;
      const known = input.running.some(
        (it) =>
          it.job === run.job &&
          it.phase === phase &&
          it.task === number &&
          it.attempt === run.attempt.number,
      );
      if (!known) this.#orderAgain(worker, run, now);
    }
  }

  #reported(worker: Worker, reported: JobAttempt, now: Millis): void {
    const { node } = worker;
    const found = this.#find({ ...reported, node });
    if (found !== undefined) {
      found.run.attempt.heard = now;
      return;
    }
    const job = this.#jobs.get(reported.job);
    const task = job?.task(reported.phase, reported.task);
    const free = task?.state === "idle" && reported.attempt > (lastAttempt(task)?.number ?? 0);
    if (job !== undefined && task !== undefined && free) {
      this.#paused = this.#paused.filter((it) => it.task !== task);
      job.queueOf(task).remove(task);
      return this.#begin(job, task, worker, reported.attempt, now);
    }
    this.#stop(node, reported);
    if (job === undefined) this.#out.push({ type: "clean-job", node, job: reported.job });
  }

  /** The order got lost on the way. A reduce whose map outputs have moved since starts anew. */
  #orderAgain(worker: Worker, run: RunningTask, now: Millis): void {
    const job = this.#jobs.get(run.job);
    if (job === undefined) return;
    if (run.task.phase === "map" || job.mapsRecorded) {
      run.attempt.heard = now;
      const order = startOrder(job, run.task, run.attempt.number, worker.node);
      this.#out.push({ type: "start-task", node: worker.node, order });
      return;
    }
    this.#giveUp(worker, run, "fenced", now);
    this.#queue(job, run.task, now);
  }

  #start(job: JobRun, task: TaskRun, worker: Worker, now: Millis): void {
    const number = nextAttemptNumber(task, job.generation);
    this.#begin(job, task, worker, number, now);
    const order = startOrder(job, task, number, worker.node);
    this.#out.push({ type: "start-task", node: worker.node, order });
  }

  #begin(job: JobRun, task: TaskRun, worker: Worker, number: number, now: Millis): void {
    const { node } = worker;
    const isRetry = task.attempts.length > 0;
    const attempt: Attempt = {
      number,
      node,
      started: now,
      orderedAt: this.#step,
      state: "running",
      heard: now,
    };
    if (task.phase === "map" && !isRetry && task.holders.includes(node)) job.localMaps += 1;
    beginAttempt(task, attempt);
    job.setState(task, "running");
    job.attempts += 1;
    if (isRetry) job.retries += 1;
    job.touched.add(node);
    this.#pool.adopt(worker, { job: job.plan.id, task, attempt });
    this.#wake(now + TICK);
  }

  #cancel(id: JobId, now: Millis): void {
    const job = this.#jobs.get(id);
    if (job !== undefined) this.#end(job, "cancelled", now);
  }

  #timer(now: Millis): void {
    this.#timerAt = undefined;
    const due = this.#paused.filter((it) => it.at <= now);
    this.#paused = this.#paused.filter((it) => it.at > now);
    for (const { job, task } of due) this.#queue(job, task, now);
    for (const worker of this.#pool.busy()) {
      for (const run of [...worker.running]) this.#checkSilence(worker, run, now);
    }
    if (this.#pool.busy().length > 0) this.#wake(now + TICK);
    for (const { at } of this.#paused) this.#wake(at);
    const pardon = this.#pool.nextPardon(now);
    if (pardon !== undefined) this.#wake(pardon);
  }

  #checkSilence(worker: Worker, run: RunningTask, now: Millis): void {
    const job = this.#jobs.get(run.job);
    if (job === undefined || !worker.running.has(run)) return;
    const silence = now - run.attempt.heard;
    if (silence < job.plan.limits.taskTimeout + SILENCE_GRACE) return;
    const { phase, number: task } = run.task;
    const message = `no progress for ${Math.round(silence / 1000)} s on ${worker.node.slice(0, 8)}`;
    const failure: TaskFailure = { kind: "limit", code: "task-timeout", message };
    run.attempt.failure = failure;
    this.#giveUp(worker, run, "fenced", now);
    avoid(run.task, worker.node);
    this.#stop(worker.node, { job: run.job, phase, task, attempt: run.attempt.number });
    this.#afterFailure(job, run.task, failure, now);
  }

  #wake(at: Millis): void {
    if (this.#timerAt !== undefined && this.#timerAt <= at) return;
    this.#timerAt = at;
    this.#out.push({ type: "set-timer", at });
  }

  /** J1: stops what runs, tells the nodes to clean up, and forgets all but the view. */
  #end(job: JobRun, state: JobEndState, now: Millis, error?: JobError): void {
    const { id } = job.plan;
    if (!this.#jobs.has(id)) return;
    assert(state !== "done" || job.complete, "J7: a job that is done has all its parts");
    for (const worker of this.#pool.busy()) {
      for (const run of [...worker.running].filter((one) => one.job === id)) {
        const { phase, number: task } = run.task;
        this.#giveUp(worker, run, "fenced", now);
        this.#stop(worker.node, { job: id, phase, task, attempt: run.attempt.number });
      }
    }
    this.#paused = this.#paused.filter((it) => it.job !== job);
    const outputs = state === "done" ? job.outputs() : [];
    const reason = error === undefined ? {} : { error };
    this.#out.push({ type: "end-job", job: id, state, ...reason, outputs, stats: job.stats(now) });
    for (const node of [...job.touched].sort()) {
      if (this.#pool.isLive(node)) this.#out.push({ type: "clean-job", node, job: id });
    }
    const last = { ...progressOf(job, this.#pool), state, ended: now, ...reason, outputs };
    this.#jobs.delete(id);
    this.#remember(id, last);
  }

  #remember(id: JobId, { waitingFor: _, ...last }: JobProgress): void {
    this.#ended.set(id, last);
    const oldest = this.#ended.keys().next();
    if (this.#ended.size > ENDED_KEPT && oldest.done === false) this.#ended.delete(oldest.value);
  }
}

const infra = (message: string): TaskFailure => ({ kind: "infra", code: "protocol", message });

function avoid(task: TaskRun, node: NodeId): void {
  if (!task.avoid.includes(node)) task.avoid.push(node);
}

const errorOf = (job: JobRun, task: TaskRun, failure: TaskFailure): JobError => ({
  code: failure.code,
  message: failure.message,
  stage: job.plan.stage,
  phase: task.phase,
  task: task.number,
  attempts: task.attempts.length,
});
