/**
 * The parent's end of the pipes. What a child says is not trusted: job code runs in it. Every frame has a size limit and
 * a schema; a violation ends the child.
 *
 * F1: bytes that are no frame of the schema, or larger than the limit, give an error and no message. Tested.
 */
import { decode, encode } from "cborg";
import { z } from "zod";
import { ERRORS, type ErrorCode, RingfoldError } from "../../base/errors.ts";
import type { HostMessage } from "./child-frames.ts";
import type { TaskOrder } from "./task-order.ts";

/** Largest frame from a child: an index of 4096 partitions, or a result of 1 MiB of characters, fits. */
export const MAX_HOST_FRAME = 8 << 20;

const count = z.number().int().nonnegative();
const counters = z.record(z.string(), z.number().int());
const codes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];
const text = z.string().max(4 << 20);
const name = z.string().max(1024);

const partitionIndex = z.strictObject({ offset: count, length: count, records: count, crc: count });

const param = z.strictObject({
  name,
  type: z.enum(["int", "number", "string", "flag"]),
  def: z.union([z.string().max(1 << 16), z.number(), z.boolean()]),
  help: text,
});

const stage = z.strictObject({
  name,
  key: name.optional(),
  value: name.optional(),
  out: name.optional(),
  mapOnly: z.boolean(),
  combine: z.boolean(),
  fold: z.enum(["sum", "count", "min", "max"]).optional(),
  reduce: z.boolean(),
  sortValues: z.boolean(),
  partition: z.enum(["hash", "own"]),
  tasks: count.optional(),
  onBytes: z.boolean(),
});

const source = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.enum(["lines", "words"]), split: z.literal("block") }),
  z.strictObject({ kind: z.literal("files"), split: z.literal("file") }),
  z.strictObject({ kind: z.literal("range"), split: z.literal("range"), count }),
]);

const description = z.strictObject({
  name,
  description: text,
  source,
  params: z.array(param).max(256),
  counters: z.array(name).max(1024),
  stages: z.array(stage).min(1).max(64),
  result: z.boolean(),
});

const message = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("ready") }),
  z.strictObject({ type: z.literal("progress"), records: count, bytes: count }),
  z.strictObject({ type: z.literal("log"), text }),
  z.strictObject({
    type: z.literal("map-done"),
    records: count,
    pairs: count,
    bytes: count,
    partitions: z.array(partitionIndex).max(65_536),
    counters,
  }),
  z.strictObject({ type: z.literal("reduce-done"), records: count, bytes: count, counters }),
  z.strictObject({ type: z.literal("result-done"), text }),
  z.strictObject({ type: z.literal("describe-done"), description }),
  z.strictObject({
    type: z.literal("failed"),
    kind: z.enum(["user", "corrupt-input", "lost-segment", "limit", "died"]),
    code: z.enum(codes),
    message: text,
    blocks: z.array(name).max(16).optional(),
    mapTasks: z.array(count).max(16).optional(),
  }),
]);

/** An order as a frame. */
export function orderFrame(order: TaskOrder): Buffer {
  const body = encode(order);
  const frame = Buffer.allocUnsafe(4 + body.length);
  frame.writeUInt32LE(body.length, 0);
  frame.set(body, 4);
  return frame;
}

/** Cuts a child's output into messages. */
export class HostFrames {
  private chunks: Buffer[] = [];
  private size = 0;

  /** @throws RingfoldError `protocol` */
  *push(chunk: Buffer): Generator<HostMessage> {
    this.chunks.push(chunk);
    this.size += chunk.length;
    for (;;) {
      const frame = this.take();
      if (frame === undefined) return;
      yield parseMessage(frame);
    }
  }

  private take(): Buffer | undefined {
    if (this.size < 4) return undefined;
    let first = this.chunks[0] as Buffer;
    if (first.length < 4) first = this.join();
    const length = first.readUInt32LE(0);
    if (length > MAX_HOST_FRAME) {
      throw new RingfoldError("protocol", `a task host sent a frame of ${length} bytes`);
    }
    if (this.size < 4 + length) return undefined;
    const all = this.join();
    const rest = all.subarray(4 + length);
    this.chunks = rest.length === 0 ? [] : [rest];
    this.size = rest.length;
    return all.subarray(4, 4 + length);
  }

  private join(): Buffer {
    const all = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks);
    this.chunks = [all];
    return all;
  }
}

function parseMessage(frame: Buffer): HostMessage {
  let value: unknown;
  try {
    value = decode(frame, { strict: true, rejectDuplicateMapKeys: true });
  } catch (cause) {
    throw new RingfoldError("protocol", "a task host sent bytes that are no CBOR", { cause });
  }
  const parsed = message.safeParse(value);
  if (parsed.success) return parsed.data as HostMessage;
  const issue = parsed.error.issues[0];
  const where = `${issue?.path.join(".")}: ${issue?.message}`;
  throw new RingfoldError("protocol", `a task host sent a malformed message (${where})`);
}
