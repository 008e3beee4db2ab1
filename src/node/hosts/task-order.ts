/**
 * What a node orders from a task host and what it gets back. Types only: the child reads them too and must stay small;
 * the parent checks what a child answers with the schemas of `host-frames.ts`, because job code runs in the child.
 *
 * Every path is relative to the host's own scratch folder: `file` and `bundle` under `in/` (the child may only read it),
 * `out` under `out/` (the child may read and write it). The node puts input there before the order and takes output
 * away after the answer. A host serves the tasks of one job, one at a time, and is then discarded.
 */
import type { ErrorCode } from "../../base/errors.ts";

/** A job's parameter after its parser. */
export type ParamValue = string | number | boolean;

/** The job that a task belongs to. The same in every order to one host. */
export interface TaskJob {
  readonly id: string;
  readonly name: string;
  /** The bundle's file under `in/`, its name ending in `.mjs`. */
  readonly bundle: string;
  readonly params: Readonly<Record<string, ParamValue>>;
  /** Seeds `ctx.random()` together with the stage and the task: the same for every attempt. */
  readonly seed: string;
}

/** One block of a file, cut at line ends. */
export interface InputBlock {
  readonly file: string;
  /** SHA-256 of the bytes in hex: checked before a byte is used. */
  readonly id: string;
  readonly bytes: number;
  /** Name of the file in the cluster, and the block's place in it. */
  readonly fileName: string;
  readonly index: number;
  /** Offset of the block in the file, in bytes. */
  readonly offset: number;
}

/**
 * What a map task reads. A job over `text.files()` (describe: `source.split === "file"`) needs all blocks of a file, in
 * order, in one task; other text sources take any blocks. `gen.range(n)` has n tasks, each with its `index`.
 */
export type MapInput =
  | { readonly kind: "blocks"; readonly blocks: readonly InputBlock[] }
  | { readonly kind: "range"; readonly index: number; readonly count: number };

export interface MapOrder {
  readonly type: "map";
  readonly job: TaskJob;
  readonly stage: string;
  readonly task: number;
  readonly attempt: number;
  readonly input: MapInput;
  /** How many reduce tasks the stage has; 0 for a map-only stage, whose `out` is text, the output itself. */
  readonly partitions: number;
  /** Bound of the pair buffers, in bytes. */
  readonly sortMemory: number;
  readonly out: string;
}

/** One map task's pairs of one partition: a stretch of a file under `in/`. */
export interface InputSegment {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
  /** CRC-32 of the stretch. */
  readonly crc: number;
  readonly mapTask: number;
}

export interface ReduceOrder {
  readonly type: "reduce";
  readonly job: TaskJob;
  readonly stage: string;
  /** The partition is the task's number. */
  readonly partition: number;
  readonly attempt: number;
  /** In any order: the host sorts them by map task, so that every attempt computes the same bytes. Empty ones are fine. */
  readonly segments: readonly InputSegment[];
  readonly sortMemory: number;
  /** Text: one record a line. */
  readonly out: string;
}

/** Runs the job's `result` over the committed outputs, given as blocks in the order of the parts. */
export interface ResultOrder {
  readonly type: "result";
  readonly job: TaskJob;
  readonly blocks: readonly InputBlock[];
}

/** Loads the bundle and tells what the job is, without running any of its functions. */
export interface DescribeOrder {
  readonly type: "describe";
  readonly job: Pick<TaskJob, "bundle">;
}

export type TaskOrder = MapOrder | ReduceOrder | ResultOrder | DescribeOrder;

/** Where a partition's pairs lie in a map task's `out`. `length` 0: none. */
export interface PartitionIndex {
  readonly offset: number;
  readonly length: number;
  readonly records: number;
  readonly crc: number;
}

export type Counters = Readonly<Record<string, number>>;

export interface MapDone {
  readonly type: "map-done";
  /** Input records. */
  readonly records: number;
  /** Pairs (map-only: records) written, after combining. */
  readonly pairs: number;
  /** Bytes of `out`. */
  readonly bytes: number;
  /** Of length `partitions`. */
  readonly partitions: readonly PartitionIndex[];
  readonly counters: Counters;
}

export interface ReduceDone {
  readonly type: "reduce-done";
  /** Output records. */
  readonly records: number;
  /** Bytes of `out`. */
  readonly bytes: number;
  readonly counters: Counters;
}

export interface ResultDone {
  readonly type: "result-done";
  /** What `result` returned: a string as it is, anything else as JSON. */
  readonly text: string;
}

export interface ParamDescription {
  readonly name: string;
  readonly type: "int" | "number" | "string" | "flag";
  readonly def: ParamValue;
  readonly help: string;
}

export interface StageDescription {
  readonly name: string;
  /** Codec kinds, for people: `string`, `tuple(string,u32)`. Absent in a map-only stage. */
  readonly key?: string;
  readonly value?: string;
  readonly out?: string;
  readonly mapOnly: boolean;
  readonly combine: boolean;
  /** The built-in fold, when `combine` is one. */
  readonly fold?: "sum" | "count" | "min" | "max";
  readonly reduce: boolean;
  readonly sortValues: boolean;
  readonly partition: "hash" | "own";
  /** Reduce tasks that the job asks for. */
  readonly tasks?: number;
  /** The whole stage runs on bytes, without a string per record. */
  readonly onBytes: boolean;
}

/** How the node cuts the input into map tasks. */
export type SourceDescription =
  | { readonly kind: "lines" | "words"; readonly split: "block" }
  | { readonly kind: "files"; readonly split: "file" }
  | { readonly kind: "range"; readonly split: "range"; readonly count: number };

export interface JobDescription {
  readonly name: string;
  readonly description: string;
  readonly source: SourceDescription;
  readonly params: readonly ParamDescription[];
  readonly counters: readonly string[];
  readonly stages: readonly StageDescription[];
  /** The job has a `result`: order it once after the outputs are committed. */
  readonly result: boolean;
}

export interface DescribeDone {
  readonly type: "describe-done";
  readonly description: JobDescription;
}

/**
 * Why a task failed.
 * `user`: the job's own fault, at this place of the input; another attempt will most likely fail too.
 * `corrupt-input`: `blocks` names the blocks whose bytes are not what their id says: fetch other copies.
 * `lost-segment`: `mapTasks` names the map tasks whose output cannot be read: fetch again or run those maps again.
 * `limit`: the host was killed for memory, silence, wall time or scratch space.
 * `died`: the host's process ended by itself, or spoke nonsense.
 * `cancelled`: `signal` fired, or the host was closed.
 */
export interface TaskFailed {
  readonly type: "failed";
  readonly kind: "user" | "corrupt-input" | "lost-segment" | "limit" | "died" | "cancelled";
  readonly code: ErrorCode;
  /** One message for people: what, where (job file's line; input file, block, record). */
  readonly message: string;
  readonly blocks?: readonly string[];
  readonly mapTasks?: readonly number[];
}

export type TaskDone = MapDone | ReduceDone | ResultDone | DescribeDone;
export type TaskResult = TaskDone | TaskFailed;

/** The answer that belongs to an order. */
export type DoneOf<O extends TaskOrder> = O extends MapOrder
  ? MapDone
  : O extends ReduceOrder
    ? ReduceDone
    : O extends ResultOrder
      ? ResultDone
      : DescribeDone;

/** Sent at most every 100 ms while a task runs. */
export interface TaskProgress {
  /** Input records (map) or keys (reduce) so far. */
  readonly records: number;
  /** Input bytes so far, out of the order's total. */
  readonly bytes: number;
}
