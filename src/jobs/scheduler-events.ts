/**
 * What the scheduler core is told, and what it orders. Plain data. The driver's contract is in
 * scheduler.ts.
 */
import type { ErrorCode } from "../base/errors.ts";
import type { Epoch, JobId, Millis, NodeId } from "../base/ids.ts";
import type { JobPlan } from "./plan.ts";
import type {
  AttemptKey,
  JobAttempt,
  Phase,
  TaskFailure,
  TaskOutput,
  TaskRecord,
  TaskResult,
  WorkOrder,
} from "./task.ts";

export type SchedulerInput =
  /**
   * A job is in the ledger. After a restart of the coordinator: `done` is what the ledger has
   * recorded, and `generation` is higher than any before, so that attempt numbers of before are not
   * given out again.
   */
  | {
      readonly type: "job-submitted";
      readonly plan: JobPlan;
      readonly done?: readonly TaskRecord[];
      readonly generation?: number;
    }
  /**
   * A node can be given work. Again with a higher incarnation: it restarted, what it ran is gone.
   * `running`: what it said that it runs, as in `node-report`, so that nothing of it is given to it
   * or others again.
   */
  | {
      readonly type: "node-up";
      readonly node: NodeId;
      readonly slots: number;
      readonly zone: string;
      readonly incarnation: number;
      readonly epoch: Epoch;
      readonly running?: readonly JobAttempt[];
    }
  /** Declared dead, or its connection is lost. News older than the node's last epoch is ignored. */
  | { readonly type: "node-down"; readonly node: NodeId; readonly epoch: Epoch }
  /** Finishes what it runs, gets nothing new. `node-down` follows when it is gone. */
  | { readonly type: "node-leaving"; readonly node: NodeId }
  | ({
      readonly type: "task-progress";
      readonly node: NodeId;
      /** Of its input, 0 to 1. */
      readonly share?: number;
    } & JobAttempt)
  | ({
      readonly type: "task-done";
      readonly node: NodeId;
      readonly result: TaskResult;
    } & JobAttempt)
  | ({
      readonly type: "task-failed";
      readonly node: NodeId;
      readonly failure: TaskFailure;
    } & JobAttempt)
  /** The ledger's answer to `record`: every task of it is in one of the lists. */
  | {
      readonly type: "tasks-recorded";
      readonly job: JobId;
      readonly accepted: readonly AttemptKey[];
      /**
       * Refused: another attempt counts (`winner`), or none does (the record was withdrawn
       * meanwhile).
       */
      readonly ignored: readonly (AttemptKey & { readonly winner?: TaskRecord })[];
    }
  /**
   * After a (re)connection: what the node runs. Orders that got lost are given again, strays are
   * stopped. `holding`: jobs of which it has outputs or hosts; those that are over are cleaned.
   */
  | {
      readonly type: "node-report";
      readonly node: NodeId;
      readonly running: readonly JobAttempt[];
      readonly holding?: readonly JobId[];
    }
  | { readonly type: "cancel"; readonly job: JobId }
  | { readonly type: "timer-fired" };

export type JobEndState = "done" | "failed" | "cancelled";

export interface JobError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly stage: string;
  readonly phase: Phase;
  readonly task: number;
  readonly attempts: number;
}

export interface PartOutput {
  /** Reduce task, or map task of a map-only stage. The part's place in the output. */
  readonly task: number;
  readonly output: Extract<TaskOutput, { kind: "part" }>;
}

export interface JobStats {
  readonly maps: number;
  readonly reduces: number;
  /** Attempts started. */
  readonly attempts: number;
  /** Attempts beyond the first of their task. */
  readonly retries: number;
  /** Map tasks of which the first attempt ran where a copy of the input is. */
  readonly localMaps: number;
  /** From submit (or restore) to the end. */
  readonly ms: Millis;
  /** Sums over the recorded attempts. */
  readonly counters: Readonly<Record<string, number>>;
}

export type SchedulerEffect =
  | { readonly type: "start-task"; readonly node: NodeId; readonly order: WorkOrder }
  /** Kill it, forget its output. Unknown attempts are passed over. */
  | ({ readonly type: "stop-task"; readonly node: NodeId } & JobAttempt)
  /** Enter completions in the ledger; answer with `tasks-recorded`. One at a time for each job. */
  | { readonly type: "record"; readonly job: JobId; readonly tasks: readonly TaskRecord[] }
  /**
   * These recorded map outputs are gone; withdraw them from the ledger. Before any later `record`
   * of the job.
   */
  | { readonly type: "record-lost"; readonly job: JobId; readonly tasks: readonly AttemptKey[] }
  | {
      readonly type: "end-job";
      readonly job: JobId;
      readonly state: JobEndState;
      readonly error?: JobError;
      /** All parts in order when done, none otherwise. */
      readonly outputs: readonly PartOutput[];
      readonly stats: JobStats;
    }
  /** The job is over: drop its map outputs and hosts on that node. */
  | { readonly type: "clean-job"; readonly node: NodeId; readonly job: JobId }
  /** Wake up no later than at `at`; replaces the earlier one when it is sooner. */
  | { readonly type: "set-timer"; readonly at: Millis }
  /** A job arrives: these nodes will likely get tasks and may start task hosts. */
  | { readonly type: "wake-hosts"; readonly nodes: readonly NodeId[]; readonly job: JobId };
