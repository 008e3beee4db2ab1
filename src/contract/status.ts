/** What `ringfold status` shows: the cluster as one node sees it. */
import { z } from "zod";
import { health } from "./health.ts";
import { bytes, count, hex64, instant } from "./scalar.ts";

export const nodeProcess = z.object({
  kind: z.enum(["control", "data", "host"]),
  pid: count,
  memory: bytes.describe("resident bytes"),
});

export const status = z
  .object({
    version: z.string().describe("of the program that this node runs"),
    cluster: z.string().describe("ring id, 32 hex digits"),
    node: z.object({ id: hex64, name: z.string() }),
    health,
    nodes: z.object({ up: count, down: count, leaving: count }),
    files: z.object({ count, bytes: bytes.describe("length of all files, copies not counted") }),
    blocks: count,
    jobs: z.object({ running: count }),
    epoch: count.describe("grows with every change of the member list"),
    leader: z
      .object({ id: hex64, name: z.string() })
      .nullable()
      .describe("the node that orders the catalog's decisions; null while none is known"),
    startedAt: instant.describe("of this node"),
    processes: z.array(nodeProcess).describe("of this node"),
  })
  .meta({ id: "Status" });
export type Status = z.infer<typeof status>;

export const readiness = z.object({
  ready: z.boolean(),
  why: z.string().describe("what is missing; empty when ready"),
});
export type Readiness = z.infer<typeof readiness>;
