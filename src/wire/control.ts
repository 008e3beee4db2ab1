/**
 * The control protocol between nodes: every method with the schema of its request and its answer.
 * Members only, but for `join`. The catalog's leader answers `admit`, `announce`, `propose`, `query`, `suspect`, `report`
 * and `ask`; every node answers the others.
 */
import { z } from "zod";
import type { RingId } from "../base/ids.ts";
import { commandSchema, memberSchema, querySchema, tableSchema } from "./catalog.ts";
import {
  jobAttemptSchema,
  jobInfoSchema,
  taskFailureSchema,
  taskResultSchema,
  workOrderSchema,
} from "./jobs.ts";
import {
  addressSchema,
  binarySchema,
  blockIdSchema,
  bytesSchema,
  countSchema,
  epochSchema,
  jobIdSchema,
  millisSchema,
  nodeIdSchema,
  ringIdSchema,
} from "./schema-ids.ts";

const nothing = z.void();

const addresses = z.strictObject({
  control: addressSchema,
  bulk: addressSchema,
  http: addressSchema,
});

/** What a node says of itself when it joins or comes back. */
export const announcementSchema = z.strictObject({
  name: z.string().min(1).max(100),
  zone: z.string().min(1).max(100),
  weight: z.number().min(0).max(1000),
  slots: z.int().min(0).max(4096),
  addresses,
  incarnation: countSchema,
});
export type Announcement = z.output<typeof announcementSchema>;

/** The cluster as its leader tells it: members and table with their epoch and version. */
export const viewSchema = z.strictObject({
  ring: ringIdSchema as z.ZodType<RingId>,
  leader: nodeIdSchema,
  epoch: epochSchema,
  members: z.array(memberSchema),
  table: tableSchema,
  filesVersion: countSchema,
});
export type ViewMessage = z.output<typeof viewSchema>;

/** Copies as one node counts them in the partitions that it plans for. */
export const copyCountsSchema = z.strictObject({
  total: countSchema,
  short: countSchema,
  lastCopy: countSchema,
  none: countSchema,
});

/** What a node tells the leader with each heartbeat. */
export const vitalsSchema = z.strictObject({
  blocks: countSchema,
  bytes: bytesSchema,
  free: bytesSchema,
  memory: bytesSchema,
  running: countSchema,
  /** What this node counted of `filesVersion` and `epoch`: older counts are not trusted. */
  copies: copyCountsSchema,
  settled: z.boolean(),
  filesVersion: countSchema,
  epoch: epochSchema,
});
export type Vitals = z.output<typeof vitalsSchema>;

const logSchema = z.strictObject({
  task: z.string().max(50),
  attempt: countSchema,
  state: z.enum(["running", "done", "failed", "lost", "cancelled"]),
  startedAt: millisSchema,
  text: z.string().max(2_000_000),
  truncated: z.boolean(),
  error: z.string().max(100_000).nullable(),
});
export type TaskLogMessage = z.output<typeof logSchema>;

const reportSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("done"),
    attempt: jobAttemptSchema,
    result: taskResultSchema,
  }),
  z.strictObject({
    type: z.literal("failed"),
    attempt: jobAttemptSchema,
    failure: taskFailureSchema,
  }),
  z.strictObject({
    type: z.literal("progress"),
    attempt: jobAttemptSchema,
    share: z.number().min(0).max(1),
  }),
]);
export type TaskReport = z.output<typeof reportSchema>;

const eventSchema = z.strictObject({
  at: millisSchema,
  kind: z.string().max(50),
  subject: z.string().max(2000),
  text: z.string().max(4000),
});
export type EventMessage = z.output<typeof eventSchema>;

/** The most ids in one question about copies. */
export const MAX_INVENTORY = 8192;

export const controlMethods = {
  /** A newcomer with a token's secret, to any member. */
  join: {
    open: true,
    request: z.strictObject({ secret: binarySchema(64), self: announcementSchema }),
    response: viewSchema,
  },
  /** The member that was asked, to the leader. */
  admit: {
    request: z.strictObject({
      node: nodeIdSchema,
      tokenHash: z.string().max(128),
      self: announcementSchema,
    }),
    response: viewSchema,
  },
  /** A member that started again, or finds itself declared down. */
  announce: { request: announcementSchema, response: viewSchema },
  /** The leader tells everybody; the answer says which epoch the receiver now has. */
  view: { request: viewSchema, response: z.strictObject({ epoch: epochSchema }) },
  /** Between neighbours. */
  heartbeat: {
    request: z.strictObject({ epoch: epochSchema }),
    response: z.strictObject({ epoch: epochSchema, incarnation: countSchema }),
  },
  /** Every node to the leader, once a second. */
  vitals: { request: vitalsSchema, response: z.strictObject({ epoch: epochSchema }) },
  /** A neighbour is silent or gone. */
  suspect: {
    request: z.strictObject({
      node: nodeIdSchema,
      incarnation: countSchema,
      reason: z.enum(["closed", "silent"]),
    }),
    response: nothing,
  },
  /** A suspected neighbour was heard again. */
  alive: {
    request: z.strictObject({ node: nodeIdSchema, incarnation: countSchema }),
    response: nothing,
  },
  propose: { request: commandSchema, response: z.unknown() },
  query: { request: querySchema, response: z.unknown() },
  /** What only the coordinator knows, for the public API; arguments and answers have the contract's schemas. */
  ask: {
    request: z.strictObject({ call: z.string().max(50), argument: z.unknown() }),
    response: z.unknown(),
  },
  /** The leader to a worker. */
  "start-task": {
    request: z.strictObject({ order: workOrderSchema, info: jobInfoSchema }),
    response: nothing,
  },
  "stop-task": { request: jobAttemptSchema, response: nothing },
  "clean-job": { request: z.strictObject({ job: jobIdSchema }), response: nothing },
  "wake-hosts": { request: z.strictObject({ job: jobIdSchema }), response: nothing },
  /** What the worker runs, with what it finished and could not report yet; and the jobs of which it holds anything. */
  "roll-call": {
    request: nothing,
    response: z.strictObject({
      running: z.array(jobAttemptSchema),
      holding: z.array(jobIdSchema),
    }),
  },
  /** A worker to the leader. */
  report: { request: reportSchema, response: nothing },
  "task-logs": {
    request: z.strictObject({ job: jobIdSchema, task: z.string().max(50).optional() }),
    response: z.array(logSchema),
  },
  /** Which of the blocks this node lacks. */
  inventory: {
    request: z.array(blockIdSchema).max(MAX_INVENTORY),
    response: z.array(blockIdSchema),
  },
  /** Make a copy of a block here. */
  "copy-block": {
    request: z.strictObject({ block: blockIdSchema, from: nodeIdSchema }),
    response: z.strictObject({ bytes: bytesSchema }),
  },
  /** A member that goes for good, to the leader. */
  leaving: { request: nothing, response: nothing },
  left: { request: nothing, response: nothing },
  /** The leader tells what happened, for everybody's event stream. */
  events: { request: z.array(eventSchema).max(1000), response: nothing },
} as const;
export type ControlMethods = typeof controlMethods;
