/** A job as the scheduler sees it, for status pages. */
import type { Bytes, JobId, Millis, NodeId } from "../base/ids.ts";
import type { JobEndState, JobError, PartOutput } from "./scheduler-events.ts";
import type { Phase, TaskFailure } from "./task.ts";

export type TaskState = "idle" | "running" | "finished" | "recorded";

/**
 * How an attempt stands. `fenced`: given up by the scheduler (node down, silent, job over); reports
 * of it are ignored.
 */
export type AttemptState = "running" | "finished" | "recorded" | "failed" | "lost" | "fenced";

export interface AttemptRow {
  readonly attempt: number;
  readonly node: NodeId;
  readonly state: AttemptState;
  readonly started: Millis;
  readonly ended?: Millis;
  readonly failure?: TaskFailure;
}

export interface TaskProgressRow {
  readonly phase: Phase;
  readonly task: number;
  /** `finished`: its worker is done, the ledger has not confirmed yet. */
  readonly state: TaskState;
  /** The share of its input done, 0 to 1, as last heard. */
  readonly share: number;
  /** Of its input; a reduce task's is known when it starts. */
  readonly bytes: Bytes;
  readonly attempts: readonly AttemptRow[];
}

export interface PhaseCounts {
  readonly total: number;
  readonly idle: number;
  readonly running: number;
  /** Finished by the worker, not confirmed by the ledger. */
  readonly finished: number;
  readonly recorded: number;
  readonly bytes: Bytes;
  readonly bytesRecorded: Bytes;
}

/**
 * Why nothing of a job runs: no node, no free slot, a pause before the next try, or the ledger's
 * answer is awaited.
 */
export type WaitingFor = "nodes" | "slots" | "retry-pause" | "ledger";

export interface JobProgress {
  readonly job: JobId;
  readonly name: string;
  readonly stage: string;
  readonly state: "running" | JobEndState;
  readonly submitted: Millis;
  readonly ended?: Millis;
  /** Grows with every change that can be seen here. */
  readonly revision: number;
  readonly map: PhaseCounts;
  readonly reduce: PhaseCounts;
  readonly attempts: number;
  readonly retries: number;
  readonly waitingFor?: WaitingFor;
  readonly counters: Readonly<Record<string, number>>;
  readonly error?: JobError;
  readonly outputs: readonly PartOutput[];
  /** Map tasks, then reduce tasks. */
  readonly tasks: readonly TaskProgressRow[];
}
