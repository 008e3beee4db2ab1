/**
 * Schemas of the catalog's records as they travel in answers, and of the parts that commands share
 * with them.
 */
import { z } from "zod";
import type { ErrorNote } from "../base/errors.ts";
import type {
  Counters,
  FileRecord,
  FileVersion,
  JobRecord,
  MemberRecord,
  Opaque,
  TableRecord,
  TaskRecord,
  TaskRef,
} from "../catalog/records.ts";
import { errorCodeSchema, messageSchema } from "./jobs.ts";
import {
  addressSchema,
  blockIdSchema,
  bytesSchema,
  countSchema,
  fileNameSchema,
  jobIdSchema,
  millisSchema,
  nodeIdSchema,
} from "./schema-ids.ts";

const shortText = z.string().max(200);

/** 64 lower-case hex digits that are no block and no node. */
export const hashSchema = z.string().regex(/^[0-9a-f]{64}$/);

export const countersSchema: z.ZodType<Counters> = z.record(shortText, z.number());

/** What a decoder gave is opaque data already: it has no other kinds of value. */
export const opaqueSchema: z.ZodType<Opaque> = z.custom<Opaque>((value) => value !== undefined);

export const errorNoteSchema: z.ZodType<ErrorNote> = z.strictObject({
  code: errorCodeSchema,
  message: messageSchema,
});

/** What a node says of itself, in its record and in the commands. */
export const selfFields = {
  name: z.string().min(1).max(100),
  zone: z.string().min(1).max(100),
  weight: z.number().min(0).max(1000),
  slots: z.int().min(0).max(4096),
  addresses: z.strictObject({
    control: addressSchema,
    bulk: addressSchema,
    http: addressSchema,
  }),
  incarnation: countSchema,
};

export const positionSchema = z.string().regex(/^[0-9a-f]{40}$/);

export const memberSchema: z.ZodType<MemberRecord> = z.strictObject({
  id: nodeIdSchema,
  ...selfFields,
  position: positionSchema,
  state: z.enum(["up", "down", "leaving"]),
  since: millisSchema,
});

/** At most 65,536 partitions and 10,000 hosts; a row points to hosts that are there. */
export const tableSchema: z.ZodType<TableRecord> = z
  .strictObject({
    version: countSchema,
    partitions: z.int().min(1).max(65_536),
    hosts: z.array(nodeIdSchema).max(10_000),
    rows: z.array(z.array(countSchema).max(64)).max(65_536),
  })
  .refine(({ partitions, rows }) => rows.length === partitions, "not one row for each partition")
  .refine(
    ({ hosts, rows }) => rows.every((row) => row.every((host) => host < hosts.length)),
    "a row names a host that is not there",
  );

export const replicasSchema = z.union([z.int().min(1).max(1000), z.literal("all")]);

/** What a writer announces of a file. */
export const contentFields = {
  manifest: blockIdSchema,
  manifestBytes: bytesSchema,
  bytes: bytesSchema,
  blocks: countSchema,
  replicas: replicasSchema,
  contentType: shortText,
};

export const fileVersionSchema: z.ZodType<FileVersion> = z.strictObject({
  version: z.int().min(1),
  ...contentFields,
  at: millisSchema,
});

export const fileSchema: z.ZodType<FileRecord> = z.strictObject({
  name: fileNameSchema,
  versions: z.tuple([fileVersionSchema], fileVersionSchema),
});

/** What a submitter decides of a job. */
export const submissionFields = {
  id: jobIdSchema,
  name: shortText,
  bundle: blockIdSchema,
  plan: blockIdSchema,
  mapTasks: countSchema,
  reduceTasks: countSchema,
  output: fileNameSchema,
  replicas: replicasSchema,
  params: z.record(shortText, z.union([z.string().max(10_000), z.number(), z.boolean()])),
  submittedBy: shortText,
  input: z.array(z.string().max(1024)).max(100_000),
};

export const jobSchema: z.ZodType<JobRecord> = z.strictObject({
  ...submissionFields,
  state: z.enum(["running", "done", "failed", "cancelled"]),
  order: countSchema,
  submittedAt: millisSchema,
  endedAt: millisSchema.optional(),
  error: errorNoteSchema.optional(),
  counters: countersSchema,
  stats: countersSchema,
  files: z.array(fileNameSchema),
});

export const refFields = {
  stage: z.string().regex(/^[a-z0-9-]{1,64}$/, "not a stage: 1 to 64 of a-z, 0-9 and -"),
  task: z.int().min(0).max(99_999_999),
};

export const taskRefSchema: z.ZodType<TaskRef> = z.strictObject(refFields);

/** A finished attempt, without the time at which it was recorded. */
export const doneFields = {
  ...refFields,
  attempt: countSchema,
  node: nodeIdSchema,
  output: opaqueSchema,
  counters: countersSchema,
};

export const taskSchema: z.ZodType<TaskRecord> = z.strictObject({
  ...doneFields,
  at: millisSchema,
});
