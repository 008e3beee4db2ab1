/** One node in the table of `ringfold nodes`. */
import { z } from "zod";
import { bytes, count, hex64, instant } from "./scalar.ts";

export const nodeRow = z
  .object({
    id: hex64,
    name: z.string(),
    zone: z.string(),
    weight: z
      .number()
      .min(0)
      .describe("share of data and work beside the others; 0 stores nothing"),
    slots: count.describe("tasks that it runs at once"),
    state: z.enum(["up", "down", "leaving"]),
    since: instant.describe("when the state became what it is"),
    addresses: z.object({ control: z.string(), bulk: z.string(), http: z.string() }),
    blocks: count,
    usedBytes: bytes,
    freeBytes: bytes.nullable().describe("of its disk; null when not known"),
    runningTasks: count,
    memory: bytes.nullable().describe("resident, all its processes; null when not known"),
    self: z.boolean().describe("the node that answers"),
    leader: z.boolean(),
  })
  .meta({ id: "Node" });
export type NodeRow = z.infer<typeof nodeRow>;

export const nodeList = z.object({ epoch: count, nodes: z.array(nodeRow) });
export type NodeList = z.infer<typeof nodeList>;

export const leaveProgress = z
  .object({
    state: z.enum(["leaving", "left"]),
    blocksLeft: count.describe("blocks that wait to be handed over"),
  })
  .meta({ id: "LeaveProgress" });
export type LeaveProgress = z.infer<typeof leaveProgress>;
