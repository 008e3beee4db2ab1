/**
 * The requests between simulated nodes: what the node's control and bulk protocols carry, without
 * their bytes.
 */

import type { BlockId, Bytes, Epoch, FileName, JobId, NodeId } from "../src/base/ids.ts";
import type { RepairReport, WantedBlock } from "../src/blocks/repair-words.ts";
import type { FileContent } from "../src/catalog/commands.ts";
import type { JobPlan } from "../src/jobs/plan.ts";
import type {
  JobAttempt,
  SegmentRef,
  TaskFailure,
  TaskResult,
  WorkOrder,
} from "../src/jobs/task.ts";
import type { SuspectReason } from "../src/ring/failure-detector.ts";
import type { MemberList } from "../src/ring/member.ts";
import type { PartitionTable } from "../src/ring/partition-table.ts";

/** What every node knows of the cluster. Of two views the one with the higher number counts. */
export interface View {
  readonly number: number;
  readonly leader: NodeId;
  readonly members: MemberList;
  readonly table: PartitionTable;
  readonly filesVersion: number;
}

export type Report =
  | { readonly type: "done"; readonly attempt: JobAttempt; readonly result: TaskResult }
  | { readonly type: "failed"; readonly attempt: JobAttempt; readonly failure: TaskFailure }
  | { readonly type: "progress"; readonly attempt: JobAttempt; readonly share: number };

export interface JobShape {
  readonly partitions: number;
  readonly replicas: number | "all";
}

/** Each method's request and answer. */
export interface Methods {
  heartbeat: [{ readonly epoch: Epoch }, { readonly incarnation: number }];
  suspect: [
    { readonly node: NodeId; readonly incarnation: number; readonly reason: SuspectReason },
    null,
  ];
  alive: [{ readonly node: NodeId; readonly incarnation: number }, null];
  view: [View, null];
  /** A node that starts: a newcomer, or a member in a new incarnation. */
  announce: [{ readonly incarnation: number; readonly slots: number; readonly zone: string }, View];
  leaving: [null, null];
  /** Whether the leader's jobs can do without the node. */
  needs: [null, { readonly running: number; readonly outputs: number }];
  left: [null, null];
  wanted: [null, { readonly version: number; readonly blocks: readonly WantedBlock[] }];
  "repair-status": [
    null,
    { readonly report: RepairReport; readonly epoch: Epoch; readonly filesVersion: number },
  ];
  inventory: [readonly BlockId[], readonly BlockId[]];
  "copy-block": [{ readonly block: BlockId; readonly from: NodeId }, boolean];
  "read-block": [BlockId, Uint8Array | undefined];
  "store-block": [{ readonly block: BlockId; readonly bytes: Uint8Array }, null];
  "commit-file": [{ readonly name: FileName; readonly content: FileContent }, boolean];
  /** Name to manifest. */
  file: [FileName, { readonly manifest: BlockId; readonly bytes: Bytes } | undefined];
  submit: [JobPlan, boolean];
  "job-state": [JobId, string | undefined];
  "start-task": [{ readonly order: WorkOrder; readonly shape: JobShape }, null];
  "stop-task": [JobAttempt, null];
  "clean-job": [JobId, null];
  "roll-call": [
    null,
    { readonly running: readonly JobAttempt[]; readonly holding: readonly JobId[] },
  ];
  report: [Report, null];
  "read-segment": [
    Pick<SegmentRef, "task" | "attempt"> & { readonly job: JobId; readonly partition: number },
    Buffer | undefined,
  ];
}

export type Method = keyof Methods;
export type RequestOf<M extends Method> = Methods[M][0];
export type AnswerOf<M extends Method> = Methods[M][1];
