/**
 * Schemas of the catalog's commands, queries, results and answers: whatever comes from outside
 * passes one of them.
 */
import { z } from "zod";
import { RingfoldError } from "../base/errors.ts";
import type { Command, CommandResults, CommandType, ResultOf } from "../catalog/commands.ts";
import type { AnswerOf, Query, QueryAnswers, QueryType } from "../catalog/queries.ts";
import { encodeCommand, MAX_CATALOG_BYTES } from "./catalog-bytes.ts";
import {
  contentFields,
  countersSchema,
  doneFields,
  errorNoteSchema,
  fileSchema,
  fileVersionSchema,
  hashSchema,
  jobSchema,
  memberSchema,
  positionSchema,
  refFields,
  replicasSchema,
  selfFields,
  submissionFields,
  tableSchema,
  taskRefSchema,
  taskSchema,
} from "./catalog-records.ts";
import { checked } from "./cbor.ts";
import {
  blockIdSchema,
  bytesSchema,
  countSchema,
  epochSchema,
  fileNameSchema,
  jobIdSchema,
  millisSchema,
  nodeIdSchema,
  ringIdSchema,
} from "./schema-ids.ts";

export { memberSchema, tableSchema };

const { name, zone, weight, slots, addresses, incarnation } = selfFields;

export const commandSchema: z.ZodType<Command> = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("cluster-init"), ringId: ringIdSchema }),
  z.strictObject({
    type: z.literal("token-add"),
    hash: hashSchema,
    expiresAt: millisSchema,
    uses: z.int().min(1),
  }),
  z.strictObject({
    type: z.literal("member-admit"),
    member: z.strictObject({ id: nodeIdSchema, ...selfFields, position: positionSchema }),
    tokenHash: hashSchema.optional(),
  }),
  z.strictObject({
    type: z.literal("member-up"),
    id: nodeIdSchema,
    incarnation,
    addresses,
    slots,
    weight: weight.optional(),
    zone: zone.optional(),
    name: name.optional(),
  }),
  z.strictObject({
    type: z.literal("member-down"),
    id: nodeIdSchema,
    incarnation,
    reason: z.string().max(1000),
  }),
  z.strictObject({ type: z.literal("member-leaving"), id: nodeIdSchema }),
  z.strictObject({ type: z.literal("member-remove"), id: nodeIdSchema }),
  z.strictObject({ type: z.literal("table-set"), table: tableSchema, basedOn: countSchema }),
  z.strictObject({
    type: z.literal("file-put"),
    name: fileNameSchema,
    expected: countSchema.optional(),
    content: z.strictObject(contentFields),
  }),
  z.strictObject({
    type: z.literal("file-remove"),
    name: fileNameSchema,
    expected: countSchema.optional(),
  }),
  z.strictObject({ type: z.literal("job-submit"), job: z.strictObject(submissionFields) }),
  z.strictObject({
    type: z.literal("job-tasks-done"),
    job: jobIdSchema,
    tasks: z.array(z.strictObject(doneFields)),
  }),
  z.strictObject({
    type: z.literal("job-tasks-lost"),
    job: jobIdSchema,
    tasks: z.array(z.strictObject({ ...refFields, attempt: countSchema })),
  }),
  z.strictObject({
    type: z.literal("job-end"),
    job: jobIdSchema,
    state: z.enum(["done", "failed", "cancelled"]),
    error: errorNoteSchema.optional(),
    files: z.array(z.strictObject({ name: fileNameSchema, ...contentFields })),
    stats: countersSchema,
  }),
]);

const after = z.string().max(2048).optional();
const limit = z.int().min(1);

export const querySchema: z.ZodType<Query> = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("state") }),
  z.strictObject({ type: z.literal("file"), name: fileNameSchema }),
  z.strictObject({
    type: z.literal("files"),
    glob: z.string().max(4096).optional(),
    prefix: z.string().max(1024).optional(),
    after,
    limit,
  }),
  z.strictObject({ type: z.literal("wanted"), after, limit }),
  z.strictObject({ type: z.literal("jobs"), after, limit }),
  z.strictObject({ type: z.literal("job"), id: jobIdSchema, after, limit: limit.optional() }),
  z.strictObject({ type: z.literal("running-jobs") }),
]);

const memberResult = { epoch: epochSchema, changed: z.boolean() };

const resultSchemas: { readonly [T in CommandType]: z.ZodType<CommandResults[T]> } = {
  "cluster-init": z.strictObject({ ringId: ringIdSchema }),
  "token-add": z.strictObject({ expiresAt: millisSchema }),
  "member-admit": z.strictObject({ ...memberResult, member: memberSchema }),
  "member-up": z.strictObject({ ...memberResult, member: memberSchema }),
  "member-down": z.strictObject(memberResult),
  "member-leaving": z.strictObject(memberResult),
  "member-remove": z.strictObject(memberResult),
  "table-set": z.strictObject({ version: countSchema }),
  "file-put": z.strictObject({ file: fileVersionSchema }),
  "file-remove": z.strictObject({ version: countSchema }),
  "job-submit": z.strictObject({ order: countSchema, fresh: z.boolean() }),
  "job-tasks-done": z.strictObject({
    running: z.boolean(),
    recorded: z.array(taskRefSchema),
    ignored: z.array(taskRefSchema),
  }),
  "job-tasks-lost": z.strictObject({ running: z.boolean(), removed: z.array(taskRefSchema) }),
  "job-end": z.strictObject({ counters: countersSchema }),
};

const next = z.string().optional();

const wantedSchema = z.strictObject({
  name: fileNameSchema,
  version: countSchema,
  manifest: blockIdSchema,
  manifestBytes: bytesSchema,
  replicas: replicasSchema,
});

const answerSchemas: { readonly [T in QueryType]: z.ZodType<QueryAnswers[T]> } = {
  state: z.strictObject({
    ringId: ringIdSchema.optional(),
    epoch: epochSchema,
    filesVersion: countSchema,
    members: z.array(memberSchema),
    table: tableSchema.optional(),
  }),
  file: z.strictObject({ file: fileSchema.optional() }),
  files: z.strictObject({ files: z.array(fileSchema), next }),
  wanted: z.strictObject({ filesVersion: countSchema, manifests: z.array(wantedSchema), next }),
  jobs: z.strictObject({ jobs: z.array(jobSchema), next }),
  job: z.strictObject({ job: jobSchema.optional(), tasks: z.array(taskSchema), next }),
  "running-jobs": z.strictObject({ jobs: z.array(jobSchema) }),
};

/**
 * A result as it came from another node.
 * @throws RingfoldError `protocol`
 */
export const checkedResult = <T extends CommandType>(type: T, value: unknown): ResultOf<T> =>
  checked(resultSchemas[type], value, `result of ${type}`);

/**
 * An answer as it came from another node.
 * @throws RingfoldError `protocol`
 */
export const checkedAnswer = <T extends QueryType>(type: T, value: unknown): AnswerOf<T> =>
  checked(answerSchemas[type], value, `answer to ${type}`);

/**
 * A command as its bytes for the log.
 * @throws RingfoldError `bad-request` for what is no command, `too-large`
 */
export function commandBytes(command: Command): Uint8Array {
  const bytes = encodedCommand(command);
  if (bytes.length <= MAX_CATALOG_BYTES) return bytes;
  const size = `${bytes.length} bytes, at most ${MAX_CATALOG_BYTES}`;
  throw new RingfoldError("too-large", `${command.type}: ${size}`);
}

function encodedCommand(command: Command): Uint8Array {
  try {
    return encodeCommand(checked(commandSchema, command, `command ${command.type}`));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RingfoldError("bad-request", reason, { cause });
  }
}
