/**
 * Who gets what next. Fair shares: the job with the fewest running tasks goes first, the older one
 * when equal. Within it a node that holds a task's input goes first (Dean and Ghemawat 2004,
 * section 3.4), without waiting for one to become free.
 *
 * Ends when no slot is free or no task fits (J10): every round starts a task or sets a job aside.
 */
import type { Millis, NodeId } from "../base/ids.ts";
import type { JobRun } from "./job-run.ts";
import type { WorkOrder } from "./task.ts";
import type { TaskQueue } from "./task-queue.ts";
import type { TaskRun } from "./task-run.ts";
import type { Worker, WorkerPool } from "./worker-pool.ts";

export type Start = (job: JobRun, task: TaskRun, worker: Worker) => void;

/** Starts what can be started. `start` must take the slot. */
export function dispatch(
  jobs: Iterable<JobRun>,
  pool: WorkerPool,
  now: Millis,
  start: Start,
): void {
  const waiting = new Set<JobRun>();
  for (const job of jobs) if (job.runnable > 0) waiting.add(job);
  while (waiting.size > 0) {
    const free = pool.free(now);
    if (free.length === 0) return;
    const job = neediest(waiting);
    const match = job === undefined ? undefined : matchOf(job, free, pool, now);
    if (job === undefined) return;
    if (match !== undefined) start(job, match.task, match.worker);
    if (match === undefined || job.runnable === 0) waiting.delete(job);
  }
}

function neediest(jobs: Iterable<JobRun>): JobRun | undefined {
  let best: JobRun | undefined;
  for (const job of jobs) if (best === undefined || job.running < best.running) best = job;
  return best;
}

function matchOf(job: JobRun, free: readonly Worker[], pool: WorkerPool, now: Millis) {
  const queue: TaskQueue = job.map.queue.size > 0 ? job.map.queue : job.reduce.queue;
  const fits = (worker: Worker) => (task: TaskRun) =>
    !task.avoid.includes(worker.node) || !pool.hasOther(task.avoid, now);
  for (const worker of free) {
    const task = queue.takeHeld(worker.node, fits(worker));
    if (task !== undefined) return { task, worker };
  }
  for (const worker of free) {
    const task = queue.takeOther(worker.node, fits(worker));
    if (task !== undefined) return { task, worker };
  }
  return undefined;
}

/** The order for an attempt on a node. */
export function startOrder(job: JobRun, task: TaskRun, attempt: number, node: NodeId): WorkOrder {
  const key = { job: job.plan.id, task: task.number, attempt };
  if (task.phase === "reduce") {
    const segments = job.segments(task.number);
    task.bytes = segments.reduce((sum, segment) => sum + segment.length, 0);
    return { phase: "reduce", ...key, segments };
  }
  const sources = job.sources(task, node);
  return { phase: "map", ...key, spec: job.spec(task), sources, partitions: job.plan.partitions };
}
