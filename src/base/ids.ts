/**
 * The ids and units that every room speaks. Each id is a branded string made by exactly one parser,
 * so that a value that has the type has been checked. Units are flavoured numbers: a plain number
 * is accepted, a number of another unit is not.
 */
import { RingfoldError } from "./errors.ts";

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };
type Flavour<T, F extends string> = T & { readonly [brand]?: F };

/** SHA-256 of a node's public key, 64 lower-case hex digits. */
export type NodeId = Brand<string, "NodeId">;
/** SHA-256 of a block's bytes, 64 lower-case hex digits. */
export type BlockId = Brand<string, "BlockId">;
/** A cluster's id: 32 lower-case hex digits; rings of different ids never mix. */
export type RingId = Brand<string, "RingId">;
/** A job's id: `j` and 12 lower-case letters and digits. */
export type JobId = Brand<string, "JobId">;
/** A file's name in the cluster: a relative path, checked by {@link fileName}. */
export type FileName = Brand<string, "FileName">;

/** Milliseconds. */
export type Millis = Flavour<number, "ms">;
/** A count of bytes. */
export type Bytes = Flavour<number, "bytes">;
/** Membership epoch: grows by one with every change of the member list. */
export type Epoch = Flavour<number, "epoch">;

const hex64 = /^[0-9a-f]{64}$/;
const hex32 = /^[0-9a-f]{32}$/;

function parse<T>(kind: string, pattern: RegExp, text: string): T {
  if (!pattern.test(text)) throw new RingfoldError("bad-id", `not a ${kind}: ${text.slice(0, 80)}`);
  return text as T;
}

export const nodeId = (text: string): NodeId => parse("node id", hex64, text);
export const blockId = (text: string): BlockId => parse("block id", hex64, text);
export const ringId = (text: string): RingId => parse("ring id", hex32, text);
export const jobId = (text: string): JobId => parse("job id", /^j[0-9a-z]{12}$/, text);

/** Longest file name accepted, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 1024;

/**
 * A file name: `/`-separated, relative, without empty, `.` or `..` segments, without control
 * characters or backslash, at most {@link MAX_NAME_BYTES} bytes.
 * @throws RingfoldError `bad-name`
 */
export function fileName(text: string): FileName {
  const reason = nameFault(text);
  if (reason !== undefined) {
    throw new RingfoldError("bad-name", `"${text.slice(0, 80)}" is not a file name: ${reason}`);
  }
  return text as FileName;
}

function nameFault(text: string): string | undefined {
  if (text === "") return "it is empty";
  if (Buffer.byteLength(text) > MAX_NAME_BYTES) return `it is longer than ${MAX_NAME_BYTES} bytes`;
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what is refused
  if (/[\u0000-\u001f\u007f\\]/.test(text)) return "it has a control character or a backslash";
  if (!text.isWellFormed()) return "it is not well-formed Unicode";
  for (const segment of text.split("/")) {
    if (segment === "") return "it has an empty segment (no leading, trailing or double slash)";
    if (segment === "." || segment === "..") return `it has the segment "${segment}"`;
  }
  return undefined;
}
