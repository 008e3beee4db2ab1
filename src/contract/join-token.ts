/** A join line: what a new node needs to enter the cluster. */
import { z } from "zod";
import { instant } from "./scalar.ts";

export const MAX_TOKEN_TTL_MS = 7 * 24 * 3600 * 1000;

export const joinTokenRequest = z
  .strictObject({
    ttlMs: z.int().min(1000).max(MAX_TOKEN_TTL_MS).optional().describe("default: one hour"),
  })
  .meta({ id: "JoinTokenRequest" });

export const joinToken = z
  .object({
    token: z.string(),
    expiresAt: instant,
    command: z.string().describe("copy, paste, run"),
  })
  .meta({ id: "JoinToken" });
export type JoinToken = z.infer<typeof joinToken>;
