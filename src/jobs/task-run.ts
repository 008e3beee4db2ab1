/**
 * One task while its job runs: where it stands, its attempts, and where it may go next. Owned by
 * job-run.ts.
 */
import { assert } from "../base/errors.ts";
import type { Bytes, Millis, NodeId } from "../base/ids.ts";
import type { AttemptRow, AttemptState, TaskState } from "./job-progress.ts";
import type { Phase, TaskFailure, TaskRecord } from "./task.ts";

/** How many attempt numbers one generation of the coordinator may give out for a task. */
export const ATTEMPTS_PER_GENERATION = 1000;

export interface Attempt {
  readonly number: number;
  readonly node: NodeId;
  readonly started: Millis;
  /** The scheduler's step that ordered it: map outputs recorded later were not in its order. */
  readonly orderedAt: number;
  state: AttemptState;
  /** When it was last heard of. */
  heard: Millis;
  ended?: Millis;
  failure?: TaskFailure;
}

export interface TaskRun {
  readonly phase: Phase;
  readonly number: number;
  state: TaskState;
  /** In the order of their numbers. */
  readonly attempts: Attempt[];
  /** The completion, when finished or recorded. */
  record?: TaskRecord;
  /** The scheduler's step that recorded it. */
  recordedAt: number;
  /** Failures that count toward the job's `maxAttempts`. */
  ownFailures: number;
  /** Failures that do not, bounded apart. */
  otherFailures: number;
  /** Nodes where it failed: others are asked first. */
  readonly avoid: NodeId[];
  /** Idle and allowed to start; see task-queue.ts. */
  queued: boolean;
  /** Who holds its input, as of when it was queued. */
  holders: readonly NodeId[];
  share: number;
  bytes: Bytes;
}

export const newTask = (phase: Phase, number: number, bytes: Bytes): TaskRun => ({
  phase,
  number,
  state: "idle",
  attempts: [],
  recordedAt: 0,
  ownFailures: 0,
  otherFailures: 0,
  avoid: [],
  queued: false,
  holders: [],
  share: 0,
  bytes,
});

/** The newest attempt; the only one that can be running (J2). */
export const lastAttempt = (task: TaskRun): Attempt | undefined => task.attempts.at(-1);

/** The running attempt, if it is this one on this node; reports of any other are fenced (J3). */
export function runningAttempt(task: TaskRun, attempt: number, node: NodeId): Attempt | undefined {
  const last = lastAttempt(task);
  if (task.state !== "running" || last === undefined) return undefined;
  return last.number === attempt && last.node === node ? last : undefined;
}

/**
 * The next number; higher than any given out before, by this coordinator or an earlier one (J2).
 */
export function nextAttemptNumber(task: TaskRun, generation: number): number {
  const last = lastAttempt(task)?.number ?? 0;
  return Math.max(last, generation * ATTEMPTS_PER_GENERATION) + 1;
}

export const attemptsLeft = (task: TaskRun, generation: number): boolean =>
  nextAttemptNumber(task, generation) < (generation + 1) * ATTEMPTS_PER_GENERATION;

export function beginAttempt(task: TaskRun, attempt: Attempt): void {
  assert(task.state === "idle", "J2: an attempt starts when none runs");
  assert(attempt.number > (lastAttempt(task)?.number ?? 0), "J2: attempt numbers grow");
  task.attempts.push(attempt);
  task.share = 0;
}

export function endAttempt(attempt: Attempt, state: AttemptState, now: Millis): void {
  attempt.state = state;
  attempt.ended = now;
}

export const attemptRow = (attempt: Attempt): AttemptRow => ({
  attempt: attempt.number,
  node: attempt.node,
  state: attempt.state,
  started: attempt.started,
  ...(attempt.ended === undefined ? {} : { ended: attempt.ended }),
  ...(attempt.failure === undefined ? {} : { failure: attempt.failure }),
});
