/**
 * The words that the scheduler, the ledger and the workers share about tasks: their names, what a
 * finished one leaves behind, why one failed, and what a worker is ordered to do. Plain data: it
 * crosses wires and is kept in the ledger.
 */
import type { ErrorCode } from "../base/errors.ts";
import type { BlockId, Bytes, JobId, Millis, NodeId } from "../base/ids.ts";
import type { MapTaskSpec } from "./plan.ts";

export type Phase = "map" | "reduce";

/**
 * A task of a job: map task 3 is the fourth entry of the plan's `maps`, reduce task 3 is partition
 * 3.
 */
export interface TaskKey {
  readonly phase: Phase;
  readonly task: number;
}

/** One try of a task. Numbers grow and are never given out twice for a task. */
export interface AttemptKey extends TaskKey {
  readonly attempt: number;
}

export interface JobAttempt extends AttemptKey {
  readonly job: JobId;
}

/** Where a partition's pairs lie in a map task's output file. */
export interface PartitionIndex {
  readonly offset: Bytes;
  readonly length: Bytes;
  readonly records: number;
  /** CRC-32 of the bytes. */
  readonly crc: number;
}

/**
 * `segments`: pairs for the reduce tasks, one file on the node that ran the map, lost with it.
 * `part`: a part of the job's output, stored as blocks with all its copies.
 */
export type TaskOutput =
  | { readonly kind: "segments"; readonly partitions: readonly PartitionIndex[] }
  | {
      readonly kind: "part";
      readonly manifest: BlockId;
      /** Length of the manifest's own block. */
      readonly manifestBytes: Bytes;
      readonly bytes: Bytes;
      readonly blocks: number;
    };

export interface TaskResult {
  readonly output: TaskOutput;
  /** Input records of a map, keys of a reduce. */
  readonly records: number;
  readonly counters: Readonly<Record<string, number>>;
  /** How long the attempt took on its node. */
  readonly ms: Millis;
}

/** A completion as the ledger keeps it. */
export interface TaskRecord extends AttemptKey {
  readonly node: NodeId;
  readonly result: TaskResult;
}

/**
 * `user`: the job's own fault. `limit`: memory, silence, wall time, scratch space. `died`: the task
 * host ended by itself. These count toward `maxAttempts`. The others do not, and are bounded apart:
 * `corrupt-input`, `missing-input`: no good copy of the input could be had. `lost-segment`: map
 * outputs in `lostMaps` cannot be fetched. `infra`: the node's own trouble (no host, full disk,
 * could not store).
 */
export type FailureKind =
  | "user"
  | "limit"
  | "died"
  | "corrupt-input"
  | "missing-input"
  | "lost-segment"
  | "infra";

export interface TaskFailure {
  readonly kind: FailureKind;
  readonly code: ErrorCode;
  /** For people: what, where. */
  readonly message: string;
  /** Map tasks whose output is lost, for `lost-segment`. */
  readonly lostMaps?: readonly number[];
}

/** One partition's part of one map output. Empty ones are left out of orders. */
export interface SegmentRef {
  /** The map task. */
  readonly task: number;
  /** The map's attempt that counts. */
  readonly attempt: number;
  readonly node: NodeId;
  readonly offset: Bytes;
  readonly length: Bytes;
  readonly crc: number;
}

/**
 * What a worker is told to do. The job's bundle, parameters and limits it has from the job's ledger
 * entry.
 */
export type WorkOrder =
  | {
      readonly phase: "map";
      readonly job: JobId;
      readonly task: number;
      readonly attempt: number;
      readonly spec: MapTaskSpec;
      /** Holders of the first piece's block; the worker itself first when it is one. A hint. */
      readonly sources: readonly NodeId[];
      /** Reduce tasks; 0: the output is a part. */
      readonly partitions: number;
    }
  | {
      readonly phase: "reduce";
      readonly job: JobId;
      readonly task: number;
      readonly attempt: number;
      /** In the order of map tasks. */
      readonly segments: readonly SegmentRef[];
    };
