/**
 * Schemas of the ids and units of src/base/ids.ts: each accepts exactly what the parser of its type
 * accepts.
 */
import { z } from "zod";
import type {
  BlockId,
  Bytes,
  Epoch,
  FileName,
  JobId,
  Millis,
  NodeId,
  RingId,
} from "../base/ids.ts";
import { blockId, fileName, jobId, nodeId, ringId } from "../base/ids.ts";
import { isDialable } from "./address.ts";

/** A schema out of a parser that throws. */
function branded<T extends string>(kind: string, parse: (text: string) => T): z.ZodType<T> {
  return z.custom<T>((value) => {
    if (typeof value !== "string") return false;
    try {
      parse(value);
      return true;
    } catch {
      return false;
    }
  }, `not a ${kind}`);
}

export const nodeIdSchema: z.ZodType<NodeId> = branded("node id", nodeId);
export const blockIdSchema: z.ZodType<BlockId> = branded("block id", blockId);
export const ringIdSchema: z.ZodType<RingId> = branded("ring id", ringId);
export const jobIdSchema: z.ZodType<JobId> = branded("job id", jobId);
export const fileNameSchema: z.ZodType<FileName> = branded("file name", fileName);

/** An integer from 0 to 2^53 - 1. */
export const countSchema = z.int().nonnegative();
export const bytesSchema: z.ZodType<Bytes> = z.int().nonnegative();
export const epochSchema: z.ZodType<Epoch> = z.int().nonnegative();
export const millisSchema: z.ZodType<Millis> = z.number().nonnegative();

/** `host:port` that can be dialled. */
export const addressSchema = z.string().max(262).refine(isDialable, "not host:port");

/** A byte string of at most `max` bytes. */
export const binarySchema = (max: Bytes): z.ZodType<Uint8Array> =>
  z.custom<Uint8Array>(
    (value) => value instanceof Uint8Array && value.length <= max,
    `not a byte string of at most ${max} bytes`,
  );
