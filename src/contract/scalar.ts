/**
 * The scalars of the public API. Ids travel as plain strings and are branded where they enter a
 * node; instants are whole milliseconds since 1970, durations milliseconds, sizes bytes.
 */
import { z } from "zod";
import { MAX_NAME_BYTES } from "../base/ids.ts";

export const hex64 = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 lower-case hex digits");
export const jobIdText = z
  .string()
  .regex(/^j[0-9a-z]{12}$/, "expected a job id such as j0123456789ab");
export const count = z.int().min(0);
export const bytes = z.int().min(0);
export const instant = z.int().min(0);
export const millis = z.number().min(0);

/** A file's name as it comes in; {@link fileName} of base says in words what is wrong with it. */
export const nameText = z.string().min(1).max(MAX_NAME_BYTES);
/** A pattern over names: `*` within a segment, `**` over segments, `?` one character. */
export const globText = z.string().min(1).max(MAX_NAME_BYTES);

/** How many copies: a number, or one on every node. */
export const replicas = z.union([z.int().min(1).max(64), z.literal("all")]);
export type Replicas = z.infer<typeof replicas>;

/**
 * Where a file may be cut into blocks: at line ends, so that a block holds whole lines, or
 * anywhere.
 */
export const cut = z.enum(["lines", "bytes"]);
export type Cut = z.infer<typeof cut>;

export const MIN_BLOCK_SIZE = 8 * 1024;
export const MAX_BLOCK_SIZE = 64 * 1024 * 1024;
export const blockSize = z.int().min(MIN_BLOCK_SIZE).max(MAX_BLOCK_SIZE);
