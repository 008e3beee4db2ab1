/**
 * A job as it is handed in. The bundle goes first, as bytes, to `POST /blocks`; its id stands here.
 */
import { z } from "zod";
import { bytes, globText, hex64, millis, nameText, replicas } from "./scalar.ts";

export const taskLimits = z.strictObject({
  timeoutMs: millis.min(100).optional().describe("a task without progress for so long is given up"),
  memoryBytes: bytes.min(16 * 1024 * 1024).optional(),
  diskBytes: bytes.optional().describe("scratch and output of one task"),
  attempts: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe("of one task before the job fails; default 4"),
});

export const jobSubmit = z
  .strictObject({
    bundle: hex64.describe("id that the upload of the bundle answered"),
    inputs: z
      .array(globText)
      .max(1000)
      .describe("patterns over file names; may be empty for generators"),
    output: nameText
      .optional()
      .describe(
        "prefix of the output files, OUTPUT/part-00000 …; default: a name of the job's own",
      ),
    reducers: z.int().min(1).max(10_000).optional().describe("default: from the input's size"),
    replicas: replicas.optional().describe("copies of each output file; default 2"),
    params: z.record(z.string().max(100), z.string().max(10_000)).optional(),
    limits: taskLimits.optional(),
  })
  .meta({ id: "JobSubmit" });
export type JobSubmit = z.infer<typeof jobSubmit>;
