/**
 * What a worker tells of an attempt: progress, the result, a failure; and what its silence tells.
 */

import type { Millis, NodeId } from "../base/ids.ts";
import type { JobRun } from "./job-run.ts";
import { outputFits } from "./job-run.ts";
import { avoid, infra, OWN_FAILURES, type Schedule } from "./schedule.ts";
import type { SchedulerInput } from "./scheduler-events.ts";
import type { JobAttempt, TaskFailure } from "./task.ts";
import { type Attempt, endAttempt, lastAttempt, type TaskRun } from "./task-run.ts";
import type { RunningTask, Worker } from "./worker-pool.ts";

type InputOf<T extends SchedulerInput["type"]> = Extract<SchedulerInput, { readonly type: T }>;

/** The node's own watchdog should speak first: it knows more. */
const SILENCE_GRACE: Millis = 1000;

export function attemptProgressed(at: Schedule, input: InputOf<"task-progress">): void {
  const found = at.find(input);
  if (found === undefined) return;
  const { attempt, task } = found.run;
  attempt.heard = at.now;
  if (input.share === undefined || input.share === task.share) return;
  task.share = Math.min(1, Math.max(0, input.share));
  found.job.revision += 1;
}

export function attemptDone(at: Schedule, input: InputOf<"task-done">): void {
  const found = at.find(input);
  if (found === undefined) return stray(at, input);
  const { job, worker, run } = found;
  const { phase, task, attempt, node, result } = input;
  if (!outputFits(job.plan, phase, result.output)) {
    const message = `${node.slice(0, 8)} gave a ${phase} result of another shape than the plan's`;
    return attemptFailed(at, { ...input, type: "task-failed", failure: infra(message) });
  }
  at.pool.give(worker, run);
  endAttempt(run.attempt, "finished", at.now);
  job.setFinished(run.task, { phase, task, attempt, node, result });
  blameEarlier(at, job, run.task, node);
  at.flush(job);
}

/** It went well here: where it failed by itself before, the node may be at fault. */
function blameEarlier(at: Schedule, job: JobRun, task: TaskRun, wentWellOn: NodeId): void {
  for (const { failure, node } of task.attempts) {
    const own = failure !== undefined && OWN_FAILURES.has(failure.kind);
    if (own && node !== wentWellOn) at.blame(node, job, false);
  }
}

export function attemptFailed(at: Schedule, input: InputOf<"task-failed">): void {
  const found = at.find(input);
  if (found === undefined) return stray(at, input);
  const { job, worker, run } = found;
  const { failure, node } = input;
  run.attempt.failure = failure;
  at.giveUp(worker, run, "failed");
  if (failure.kind === "infra") at.blame(node, job, true);
  const inputAtFault = failure.kind === "missing-input" || failure.kind === "corrupt-input";
  if (!inputAtFault) avoid(run.task, node);
  if (failure.kind === "lost-segment") loseMaps(at, job, run.attempt, failure);
  at.retry(job, run.task, failure);
}

/** The maps that a reduce could not fetch run again, unless that has happened since its order. */
function loseMaps(at: Schedule, job: JobRun, attempt: Attempt, failure: TaskFailure): void {
  const numbers = [...new Set(failure.lostMaps ?? [])].sort((a, b) => a - b);
  const lost = numbers
    .map((number) => job.task("map", number))
    .filter((task) => task !== undefined)
    .filter((task) => task.state === "recorded" && task.recordedAt <= attempt.orderedAt);
  for (const task of lost) avoid(task, lastAttempt(task)?.node);
  at.loseOutputs(job, lost);
}

/** A late result: its node may forget it. The attempt that counts is left alone (J3). */
function stray(at: Schedule, report: JobAttempt & { readonly node: NodeId }): void {
  const { job, phase, task: number, attempt, node } = report;
  const task = at.jobs.get(job)?.task(phase, number);
  if (task?.record?.attempt === attempt && task.record.node === node) return;
  if (at.ended.has(job)) at.out.push({ type: "clean-job", node, job });
  else at.stop(node, { job, phase, task: number, attempt });
}

/** Gives attempts up that were silent for too long; other nodes get the tasks. */
export function checkSilence(at: Schedule): void {
  for (const worker of at.pool.busy()) {
    for (const run of worker.running) checkRun(at, worker, run);
  }
}

function checkRun(at: Schedule, worker: Worker, run: RunningTask): void {
  const job = at.jobs.get(run.job);
  const silence = at.now - run.attempt.heard;
  if (job === undefined || silence < job.plan.limits.taskTimeout + SILENCE_GRACE) return;
  const { node } = worker;
  const message = `no progress for ${Math.round(silence / 1000)} s on node ${node.slice(0, 8)}`;
  const failure: TaskFailure = { kind: "limit", code: "task-timeout", message };
  run.attempt.failure = failure;
  at.giveUp(worker, run, "fenced");
  avoid(run.task, node);
  const { phase, number: task } = run.task;
  at.stop(node, { job: run.job, phase, task, attempt: run.attempt.number });
  at.retry(job, run.task, failure);
}
