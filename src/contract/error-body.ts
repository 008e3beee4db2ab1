/** Every answer of the HTTP API that is not a success. */
import { z } from "zod";

export const errorBody = z
  .object({
    error: z.object({
      code: z.string().describe("stable; docs/errors.md lists them all"),
      message: z.string().describe("what is wrong, and where"),
      fix: z.string().describe("what to do"),
    }),
  })
  .meta({ id: "Error" });
export type ErrorBody = z.infer<typeof errorBody>;
