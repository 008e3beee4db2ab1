/** What a job file declares, read out of its bundle without running any of its functions. */
import { z } from "zod";
import { hex64 } from "./scalar.ts";

export const describeRequest = z.strictObject({ bundle: hex64 }).meta({ id: "DescribeRequest" });

export const paramDescription = z.object({
  name: z.string(),
  type: z.enum(["int", "number", "string", "flag"]),
  def: z.union([z.string(), z.number(), z.boolean()]),
  help: z.string(),
});

export const jobDescription = z
  .object({
    name: z.string(),
    description: z.string(),
    source: z.string().describe("lines, words, files or range"),
    params: z.array(paramDescription),
    counters: z.array(z.string()),
    result: z.boolean().describe("the job computes a final result out of its output"),
  })
  .meta({ id: "JobDescription" });
export type JobDescription = z.infer<typeof jobDescription>;
