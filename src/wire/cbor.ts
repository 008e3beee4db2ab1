/**
 * The only door between bytes and values: CBOR (RFC 8949). Encoding is deterministic (shortest
 * forms, sorted keys), so that equal values have equal bytes and can be hashed; decoding is strict.
 *
 * W1: decoding refuses indefinite lengths, numbers and lengths that are not in their shortest form,
 *     duplicate and non-text keys, undefined, NaN, infinities, integers beyond 2^53, tags, and
 *     bytes left over (tested).
 * W2: input longer or deeper than its limit is refused before a value is built from it (tested).
 * W3: whatever the bytes, the only thing thrown is RingfoldError `protocol` (property-tested).
 */

import type { Token } from "cborg";
import { decode as cborDecode, encode as cborEncode, Tokenizer, Type } from "cborg";
import type { DecodeOptions, EncodeOptions } from "cborg/interface";
import type { z } from "zod";
import { RingfoldError } from "../base/errors.ts";
import type { Bytes } from "../base/ids.ts";

/** How much a decoder accepts. */
export interface DecodeLimits {
  /** Default 4 MiB. */
  readonly maxBytes?: Bytes;
  /** Default 32 arrays and maps inside one another. */
  readonly maxDepth?: number;
}

export const MAX_MESSAGE_BYTES: Bytes = 4 * 1024 * 1024;
export const MAX_MESSAGE_DEPTH = 32;

const encodeOptions: EncodeOptions = { ignoreUndefinedProperties: true };

const decodeOptions: DecodeOptions = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
};

/**
 * The value's bytes. Properties that are undefined are left out; a Uint8Array becomes a byte
 * string.
 * @throws TypeError-like errors of cborg for what CBOR has no form for (functions, symbols, class
 *   instances)
 */
export const encode = (value: unknown): Uint8Array => cborEncode(value, encodeOptions);

/**
 * The value of the bytes.
 * @param what names the bytes in the error: `request heartbeat`, `member record`
 * @throws RingfoldError `protocol`
 */
export function decode(bytes: Uint8Array, what: string, limits: DecodeLimits = {}): unknown {
  const maxBytes = limits.maxBytes ?? MAX_MESSAGE_BYTES;
  if (bytes.length > maxBytes) {
    throw new RingfoldError("protocol", `${what}: ${bytes.length} bytes, at most ${maxBytes}`);
  }
  const maxDepth = limits.maxDepth ?? MAX_MESSAGE_DEPTH;
  try {
    const tokenizer = new BoundedTokenizer(plainBytes(bytes), decodeOptions, maxDepth);
    return cborDecode(bytes, { ...decodeOptions, tokenizer });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RingfoldError("protocol", `${what}: not the CBOR expected: ${reason}`, { cause });
  }
}

/**
 * The value of the bytes, as the schema allows it.
 * @throws RingfoldError `protocol`, naming the path inside the value that does not fit
 */
export function decodeAs<S extends z.ZodType>(
  schema: S,
  bytes: Uint8Array,
  what: string,
  limits: DecodeLimits = {},
): z.output<S> {
  return checked(schema, decode(bytes, what, limits), what);
}

/**
 * A decoded value, as the schema allows it.
 * @throws RingfoldError `protocol`, naming the path inside the value that does not fit
 */
export function checked<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue === undefined || issue.path.length === 0 ? "the value" : issue.path.join(".");
  throw new RingfoldError("protocol", `${what}: ${path}: ${issue?.message ?? "does not fit"}`);
}

/** A Buffer as the plain view that cborg slices. */
const plainBytes = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** cborg recurses without a limit; this counts what is open and refuses before the stack does. */
class BoundedTokenizer extends Tokenizer {
  readonly #maxDepth: number;
  /** Items still to come of each open array or map, innermost last. */
  readonly #open: number[] = [];

  constructor(data: Uint8Array, options: DecodeOptions, maxDepth: number) {
    super(data, options);
    this.#maxDepth = maxDepth;
  }

  override next(): Token {
    const token = super.next();
    const open = this.#open;
    while (open.length > 0 && open[open.length - 1] === 0) open.pop();
    if (open.length > 0) open[open.length - 1] = (open[open.length - 1] as number) - 1;
    if (token.type === Type.array) open.push(token.value as number);
    else if (token.type === Type.map) open.push((token.value as number) * 2);
    if (open.length > this.#maxDepth) {
      throw new RingfoldError("protocol", `deeper than ${this.#maxDepth} levels`);
    }
    return token;
  }
}
