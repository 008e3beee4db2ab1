/**
 * What data processes ask of each other: one bulk stream for each request. A header goes out, bytes follow or come back.
 *
 *   put-block     header, `length` bytes           → stored
 *   get-block     header                           → length, then that many bytes
 *   get-segments  header                           → which are there, then their bytes in the order asked
 */
import { z } from "zod";
import { blockIdSchema, bytesSchema, countSchema, jobIdSchema } from "./schema-ids.ts";

/** Segments in one request; a fetcher with more asks again. */
export const MAX_SEGMENTS = 4096;

const segment = z.strictObject({
  task: countSchema,
  attempt: countSchema,
  offset: bytesSchema,
  length: bytesSchema,
});

/** The header of a request; `v` is its version. */
export const bulkRequestSchema = z.discriminatedUnion("type", [
  z.strictObject({
    v: z.literal(1),
    type: z.literal("put-block"),
    id: blockIdSchema,
    length: bytesSchema,
    /** Of a file so large that nobody is likely to read this soon: kept out of the page cache. */
    cold: z.boolean(),
  }),
  z.strictObject({ v: z.literal(1), type: z.literal("get-block"), id: blockIdSchema }),
  z.strictObject({
    v: z.literal(1),
    type: z.literal("get-segments"),
    job: jobIdSchema,
    partition: countSchema,
    segments: z.array(segment).max(MAX_SEGMENTS),
  }),
]);
export type BulkRequest = z.infer<typeof bulkRequestSchema>;
export type BulkRequestOf<T extends BulkRequest["type"]> = Extract<BulkRequest, { type: T }>;

/** Answer to put-block. `held`: it was there before, the bytes were not needed. */
export const storedAnswerSchema = z.strictObject({
  v: z.literal(1),
  stored: z.literal(true),
  held: z.boolean(),
  length: bytesSchema,
});
export type StoredAnswer = z.infer<typeof storedAnswerSchema>;

/** Answer to get-block. */
export const blockAnswerSchema = z.strictObject({ v: z.literal(1), length: bytesSchema });
export type BlockAnswer = z.infer<typeof blockAnswerSchema>;

/** Answer to get-segments: for each one asked, whether its bytes follow. */
export const segmentsAnswerSchema = z.strictObject({
  v: z.literal(1),
  there: z.array(z.boolean()).max(MAX_SEGMENTS),
});
export type SegmentsAnswer = z.infer<typeof segmentsAnswerSchema>;
