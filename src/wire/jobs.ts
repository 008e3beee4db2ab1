/** Schemas of the scheduler's words (src/jobs/task.ts, plan.ts): orders and reports between nodes, and the stored plan. */
import { z } from "zod";
import { type ErrorCode, isErrorCode } from "../base/errors.ts";
import type { BlockId } from "../base/ids.ts";
import type { JobLimits, JobPlan, MapTaskSpec } from "../jobs/plan.ts";
import type { JobAttempt, TaskFailure, TaskRecord, TaskResult, WorkOrder } from "../jobs/task.ts";
import { decodeAs, encode } from "./cbor.ts";
import {
  blockIdSchema,
  bytesSchema,
  countSchema,
  fileNameSchema,
  jobIdSchema,
  millisSchema,
  nodeIdSchema,
} from "./schema-ids.ts";

export const errorCodeSchema: z.ZodType<ErrorCode> = z.custom<ErrorCode>(
  (value) => typeof value === "string" && isErrorCode(value),
  "not an error code",
);

/** A message for people: long ones are cut by whoever makes them. */
export const messageSchema = z.string().max(65_536);

const phaseSchema = z.enum(["map", "reduce"]);
const countersSchema = z.record(z.string().max(200), z.number());

export const jobAttemptSchema: z.ZodType<JobAttempt> = z.strictObject({
  job: jobIdSchema,
  phase: phaseSchema,
  task: countSchema,
  attempt: countSchema,
});

const pieceSchema = z.strictObject({
  file: fileNameSchema,
  block: blockIdSchema,
  index: countSchema,
  offset: bytesSchema,
  length: bytesSchema,
});

const mapTaskSchema: z.ZodType<MapTaskSpec> = z.strictObject({
  input: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("blocks"), pieces: z.array(pieceSchema) }),
    z.strictObject({ kind: z.literal("range"), index: countSchema, count: countSchema }),
  ]),
  bytes: bytesSchema,
});

export const limitsSchema: z.ZodType<JobLimits> = z.strictObject({
  taskTimeout: millisSchema,
  taskMemory: bytesSchema,
  taskDisk: bytesSchema,
  sortMemory: bytesSchema,
  maxAttempts: countSchema,
});

export const replicasSchema = z.union([z.int().min(1).max(1000), z.literal("all")]);

const planSchema: z.ZodType<JobPlan> = z.strictObject({
  version: z.literal(1),
  id: jobIdSchema,
  name: z.string().max(200),
  stage: z.string().max(200),
  maps: z.array(mapTaskSchema),
  partitions: countSchema,
  replicas: replicasSchema,
  output: fileNameSchema,
  limits: limitsSchema,
});

/** Largest stored plan: 100,000 map tasks of about 250 bytes. */
export const MAX_PLAN_BYTES = 64 * 1024 * 1024;

/** The plan as the bytes of its block. */
export const encodePlan = (plan: JobPlan): Uint8Array => encode(plan);

/** @throws RingfoldError `protocol` */
export const decodePlan = (bytes: Uint8Array): JobPlan =>
  decodeAs(planSchema, bytes, "job plan", { maxBytes: MAX_PLAN_BYTES });

const partitionIndexSchema = z.strictObject({
  offset: bytesSchema,
  length: bytesSchema,
  records: countSchema,
  crc: countSchema,
});

const outputSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("segments"), partitions: z.array(partitionIndexSchema) }),
  z.strictObject({
    kind: z.literal("part"),
    manifest: blockIdSchema,
    manifestBytes: bytesSchema,
    bytes: bytesSchema,
    blocks: countSchema,
  }),
]);

export const taskResultSchema: z.ZodType<TaskResult> = z.strictObject({
  output: outputSchema,
  records: countSchema,
  counters: countersSchema,
  ms: millisSchema,
});

export const taskFailureSchema: z.ZodType<TaskFailure> = z.strictObject({
  kind: z.enum([
    "user",
    "limit",
    "died",
    "corrupt-input",
    "missing-input",
    "lost-segment",
    "infra",
  ]),
  code: errorCodeSchema,
  message: messageSchema,
  lostMaps: z.array(countSchema).optional(),
}) as z.ZodType<TaskFailure>;

/** A record of the ledger. */
export const taskRecordSchema: z.ZodType<TaskRecord> = z.strictObject({
  phase: phaseSchema,
  task: countSchema,
  attempt: countSchema,
  node: nodeIdSchema,
  result: taskResultSchema,
});

const segmentSchema = z.strictObject({
  task: countSchema,
  attempt: countSchema,
  node: nodeIdSchema,
  offset: bytesSchema,
  length: bytesSchema,
  crc: countSchema,
});

export const workOrderSchema: z.ZodType<WorkOrder> = z.discriminatedUnion("phase", [
  z.strictObject({
    phase: z.literal("map"),
    job: jobIdSchema,
    task: countSchema,
    attempt: countSchema,
    spec: mapTaskSchema,
    sources: z.array(nodeIdSchema),
    partitions: countSchema,
  }),
  z.strictObject({
    phase: z.literal("reduce"),
    job: jobIdSchema,
    task: countSchema,
    attempt: countSchema,
    segments: z.array(segmentSchema),
  }),
]);

/** What every task of a job needs beside its order: from the job's ledger entry and its plan. */
export interface JobInfo {
  readonly name: string;
  readonly stage: string;
  readonly bundle: BlockId;
  readonly params: Readonly<Record<string, string | number | boolean>>;
  readonly seed: string;
  readonly limits: JobLimits;
  readonly replicas: number | "all";
  readonly partitions: number;
}

export const jobInfoSchema: z.ZodType<JobInfo> = z.strictObject({
  name: z.string().max(200),
  stage: z.string().max(200),
  bundle: blockIdSchema,
  params: z.record(z.string().max(100), z.union([z.string().max(10_000), z.number(), z.boolean()])),
  seed: z.string().max(200),
  limits: limitsSchema,
  replicas: replicasSchema,
  partitions: countSchema,
});
