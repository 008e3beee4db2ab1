/**
 * What the ledger says: a job to run, with what is done of it already; and which completions it has
 * accepted.
 */
import { JobRun, outputFits } from "./job-run.ts";
import { infra, type Schedule } from "./schedule.ts";
import type { SchedulerInput } from "./scheduler-events.ts";
import type { AttemptKey, TaskRecord } from "./task.ts";
import { lastAttempt, type TaskRun } from "./task-run.ts";

type InputOf<T extends SchedulerInput["type"]> = Extract<SchedulerInput, { readonly type: T }>;

export function jobSubmitted(at: Schedule, input: InputOf<"job-submitted">): void {
  const { plan } = input;
  if (at.jobs.has(plan.id) || at.ended.has(plan.id)) return;
  const job = new JobRun(plan, input.generation ?? 0, at.now, at.holders);
  at.jobs.set(plan.id, job);
  for (const record of input.done ?? []) restore(at, job, record);
  for (const task of [...job.map.tasks, ...job.reduce.tasks]) {
    if (task.state === "idle") job.enqueue(task);
  }
  if (job.complete) return at.end(job, "done");
  const hosts = at.pool.usable().slice(0, Math.max(job.map.tasks.length, plan.partitions));
  const nodes = hosts.map((worker) => worker.node);
  for (const node of nodes) job.touched.add(node);
  if (nodes.length > 0) at.out.push({ type: "wake-hosts", nodes, job: plan.id });
}

function restore(at: Schedule, job: JobRun, record: TaskRecord): void {
  const task = job.task(record.phase, record.task);
  if (task?.state !== "idle") return;
  if (outputFits(job.plan, record.phase, record.result.output)) enter(at, job, task, record);
}

/** A completion that the ledger has from elsewhere. */
function enter(at: Schedule, job: JobRun, task: TaskRun, record: TaskRecord): void {
  const { attempt: number, node } = record;
  if (!task.attempts.some((known) => known.number === number)) {
    const times = { started: at.now, heard: at.now, ended: at.now, orderedAt: at.stepNumber };
    task.attempts.push({ number, node, state: "recorded", ...times });
    task.attempts.sort((a, b) => a.number - b.number);
  }
  job.touched.add(node);
  job.setRecorded(task, record, at.stepNumber);
}

export function tasksRecorded(at: Schedule, input: InputOf<"tasks-recorded">): void {
  const job = at.jobs.get(input.job);
  if (job === undefined) return;
  job.recording = false;
  for (const key of input.accepted) accepted(at, job, key);
  for (const key of input.ignored) ignored(at, job, key);
  if (!at.jobs.has(input.job)) return;
  if (job.complete) return at.end(job, "done");
  at.flush(job);
}

function accepted(at: Schedule, job: JobRun, key: AttemptKey): void {
  const task = job.task(key.phase, key.task);
  const record = task?.record;
  if (task === undefined || record?.attempt !== key.attempt) {
    return lostMeanwhile(at, job, key);
  }
  if (task.state !== "finished") return;
  const row = lastAttempt(task);
  if (row !== undefined) row.state = "recorded";
  job.setRecorded(task, record, at.stepNumber);
}

/** The map's output went while the ledger wrote it down: what was accepted is withdrawn. */
function lostMeanwhile(at: Schedule, job: JobRun, key: AttemptKey): void {
  if (key.phase === "reduce" || job.plan.partitions === 0) return;
  const { phase, task, attempt } = key;
  at.out.push({ type: "record-lost", job: job.plan.id, tasks: [{ phase, task, attempt }] });
}

function ignored(
  at: Schedule,
  job: JobRun,
  key: AttemptKey & { readonly winner?: TaskRecord },
): void {
  const task = job.task(key.phase, key.task);
  if (task?.state !== "finished" || task.record?.attempt !== key.attempt) return;
  job.forget(task);
  const row = lastAttempt(task);
  if (row !== undefined) row.state = "fenced";
  const { winner } = key;
  if (winner !== undefined && outputFits(job.plan, key.phase, winner.result.output)) {
    return enter(at, job, task, winner);
  }
  at.retry(job, task, infra("the ledger did not accept the result"));
}
