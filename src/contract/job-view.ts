/** A job as it is watched: phases with counts, tasks as rows, and how it ended. */
import { z } from "zod";
import { bytes, count, hex64, instant, jobIdText, millis, nameText } from "./scalar.ts";

export const jobState = z.enum(["running", "done", "failed", "cancelled"]);
export type JobState = z.infer<typeof jobState>;

export const phaseRow = z.object({
  name: z.enum(["map", "reduce"]),
  total: count,
  idle: count,
  running: count,
  done: count,
  bytesDone: bytes.describe("of its input"),
  bytesTotal: bytes.describe("0 while not known"),
});
export type PhaseRow = z.infer<typeof phaseRow>;

export const taskRow = z.object({
  id: z.string().describe("map-0, reduce-3 …"),
  phase: z.enum(["map", "reduce"]),
  state: z.enum(["idle", "running", "done", "failed"]),
  attempt: count.describe("0 before the first"),
  node: z.object({ id: hex64, name: z.string() }).nullable(),
  input: z.string().describe("in words, such as books/a.txt block 3"),
  bytesDone: bytes,
  bytesTotal: bytes,
  ms: millis.nullable().describe("of the attempt that runs or counts"),
  error: z.string().nullable().describe("of the last attempt that failed"),
});
export type TaskRow = z.infer<typeof taskRow>;

export const jobFault = z.object({
  code: z.string(),
  message: z.string(),
  fix: z.string(),
  task: z.string().nullable(),
});

export const jobOutput = z.object({
  name: nameText.describe("prefix of the files"),
  files: z.array(z.object({ name: nameText, bytes })).describe("in order; empty until done"),
});

const jobFields = {
  id: jobIdText,
  name: z.string(),
  state: jobState,
  submittedAt: instant,
  finishedAt: instant.nullable(),
  ms: millis.describe("from submit to now, or to the end"),
  phases: z.array(phaseRow),
  inputs: z.object({ files: count, bytes }),
  attempts: count.describe("attempts started, all tasks together"),
  retries: count.describe("attempts beyond the first of their task"),
  waitingFor: z.string().nullable().describe("in plain words, when nothing can run just now"),
  error: jobFault.nullable(),
  output: jobOutput,
};

export const jobRow = z.object(jobFields).meta({ id: "JobRow" });
export type JobRow = z.infer<typeof jobRow>;

export const jobView = z
  .object({
    ...jobFields,
    revision: count.describe("grows with every change; see ?after"),
    coordinator: z.object({ id: hex64, name: z.string() }).nullable(),
    tasks: z.array(taskRow).describe("empty with ?tasks=0"),
    counters: z.record(z.string(), z.number()).describe("of committed tasks"),
    result: z
      .string()
      .nullable()
      .describe("what the job's `result` returned; null without one, or before the end"),
  })
  .meta({ id: "Job" });
export type JobView = z.infer<typeof jobView>;

export const jobList = z.object({ jobs: z.array(jobRow).describe("newest first") });
export type JobList = z.infer<typeof jobList>;

export const MAX_JOB_WAIT_MS = 30_000;

/**
 * `?after=REVISION&waitMs=1000`: answers as soon as the job is beyond that revision or over, or
 * when the wait is.
 */
export const jobQuery = z.strictObject({
  tasks: z.enum(["0", "1"]).optional(),
  after: z.coerce.number().int().min(0).optional(),
  waitMs: z.coerce.number().int().min(0).max(MAX_JOB_WAIT_MS).optional(),
});
