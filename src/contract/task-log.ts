/** What one attempt of a task wrote, and what ended it. */
import { z } from "zod";
import { count, hex64, instant } from "./scalar.ts";

export const taskLog = z
  .object({
    task: z.string(),
    attempt: count,
    node: z.object({ id: hex64, name: z.string() }),
    state: z.enum(["running", "done", "failed", "lost", "cancelled"]),
    startedAt: instant,
    text: z.string().describe("its standard output, standard error and ctx.log, lines in order"),
    truncated: z.boolean().describe("the oldest lines are gone"),
    error: z.string().nullable(),
  })
  .meta({ id: "TaskLog" });
export type TaskLog = z.infer<typeof taskLog>;

export const taskLogs = z.object({ logs: z.array(taskLog) });
export type TaskLogs = z.infer<typeof taskLogs>;

export const logQuery = z.strictObject({ task: z.string().max(100).optional() });
