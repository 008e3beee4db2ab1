/**
 * The scheduler: one instance on the coordinator hands the tasks of all jobs to the nodes, takes
 * their reports, has the ledger record what counts, and ends each job. A pure core:
 * `step(input, now)` answers with effects. Dean and Ghemawat, "MapReduce" (2004), section 3 (task
 * states, fault tolerance, locality) and 3.3 (atomic commit).
 *
 * J1  A job ends exactly once; nothing of it is ordered afterwards. Asserted, tested.
 * J2  At most one attempt of a task runs; attempt numbers of a task grow and are never given out
 *     twice. Asserted.
 * J3  A report of an attempt that is not the one running on that node changes nothing. Tested.
 * J4  A completion counts when the ledger has accepted it, once for each task; a lost one is
 *     withdrawn first. Tested.
 * J5  A node that is up, and no other, is given tasks, never more at once than its slots. Asserted
 *     (W1), tested.
 * J6  What a dead node ran is idle again in the same step. Its map outputs are made again when a
 *     reduce that waits, or comes back, needs them; a reduce that has fetched them already may
 *     finish without. Tested.
 * J7  A job that is done has all its parts, in order; a result of another shape than the plan's is
 *     refused. Tested.
 * J8  Only a task's own failures count toward `maxAttempts`; the others end it at OTHER_FAILURES.
 *     Tested.
 * J9  The same inputs give the same effects. Tested.
 * J10 No task that may start waits beside a free slot that it may use. By the loop in dispatch.ts;
 *     tested.
 * J11 When a job is complete every map is recorded, so that its counters count each task once.
 *     Asserted, simulated.
 *
 * What the driver promises:
 * - It carries out effects in their order for each node and for the ledger, and answers every
 *   `record`.
 * - After a restart of the coordinator it submits the ledger's running jobs before any `node-up`.
 * - An order that cannot be delivered is followed by `node-down`, or by a `node-report` once the
 *   connection is back. A worker passes over an order for an attempt that it runs already, and
 *   reports a finished one again.
 */
import { unreachable } from "../base/errors.ts";
import type { JobId, Millis, NodeId } from "../base/ids.ts";
import { attemptDone, attemptFailed, attemptProgressed, checkSilence } from "./attempt-news.ts";
import { dispatch } from "./dispatch.ts";
import type { JobProgress } from "./job-progress.ts";
import type { Holders } from "./job-run.ts";
import { jobSubmitted, tasksRecorded } from "./ledger-news.ts";
import { nodeDown, nodeLeaving, nodeReport, nodeUp } from "./node-news.ts";
import { progressOf } from "./progress-of.ts";
import { Schedule } from "./schedule.ts";
import type { SchedulerEffect, SchedulerInput } from "./scheduler-events.ts";

export class Scheduler {
  readonly #at: Schedule;

  /** @param holders who holds a block now; asked when a task is queued and when it is ordered */
  constructor(holders: Holders) {
    this.#at = new Schedule(holders);
  }

  /** One fact in, orders out. `now` must not go back. */
  step(input: SchedulerInput, now: Millis): readonly SchedulerEffect[] {
    const at = this.#at;
    at.now = now;
    at.stepNumber += 1;
    at.out = [];
    take(at, input);
    if (input.type !== "task-progress") {
      dispatch(at.jobs.values(), at.pool, now, (job, task, worker) => at.start(job, task, worker));
    }
    return at.out;
  }

  /** How a job stands, with its tasks; undefined for one that is unknown or long over. */
  view(job: JobId): JobProgress | undefined {
    const run = this.#at.jobs.get(job);
    return run === undefined ? this.#at.ended.get(job) : progressOf(run, this.#at.pool);
  }

  /** Running jobs, in the order of submission. */
  jobs(): readonly JobId[] {
    return [...this.#at.jobs.keys()];
  }

  /**
   * What a node that wants to leave still has: tasks that run there, and map outputs that reduce
   * tasks need.
   */
  needs(node: NodeId): { readonly running: number; readonly outputs: number } {
    const running = this.#at.pool.get(node)?.running.size ?? 0;
    const jobs = [...this.#at.jobs.values()].filter((job) => job.needsSegments);
    return { running, outputs: jobs.reduce((sum, job) => sum + job.outputsOn(node).length, 0) };
  }
}

function take(at: Schedule, input: SchedulerInput): void {
  switch (input.type) {
    case "job-submitted":
      return jobSubmitted(at, input);
    case "node-up":
      return nodeUp(at, input);
    case "node-down":
      return nodeDown(at, input);
    case "node-leaving":
      return nodeLeaving(at, input.node);
    case "task-progress":
      return attemptProgressed(at, input);
    case "task-done":
      return attemptDone(at, input);
    case "task-failed":
      return attemptFailed(at, input);
    case "tasks-recorded":
      return tasksRecorded(at, input);
    case "node-report":
      return nodeReport(at, input);
    case "cancel":
      return cancelled(at, input.job);
    case "timer-fired":
      return timerFired(at);
    default:
      return unreachable(input);
  }
}

function cancelled(at: Schedule, id: JobId): void {
  const job = at.jobs.get(id);
  if (job !== undefined) at.end(job, "cancelled");
}

function timerFired(at: Schedule): void {
  at.resume();
  checkSilence(at);
  at.rewind();
}
