/**
 * What happens in the cluster, as server-sent events: `id` is the event's number, `event` its kind,
 * `data` this object.
 */
import { z } from "zod";
import { count, instant } from "./scalar.ts";

export const eventKind = z.enum([
  "node-joined",
  "node-up",
  "node-down",
  "node-leaving",
  "node-left",
  "leader",
  "file-put",
  "file-removed",
  "repair-started",
  "repair-done",
  "job-submitted",
  "job-done",
  "job-failed",
  "job-cancelled",
  "task-retried",
  "gap",
]);
export type EventKind = z.infer<typeof eventKind>;

export const clusterEvent = z
  .object({
    id: count.describe("grows; give the last one as Last-Event-ID to resume"),
    at: instant,
    kind: eventKind.describe("gap: events before this one are gone, read the state anew"),
    subject: z.string().describe("id or name of what it is about"),
    text: z.string().describe("in plain words"),
  })
  .meta({ id: "Event" });
export type ClusterEvent = z.infer<typeof clusterEvent>;
