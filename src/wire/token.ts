/**
 * The join token: what a new node must know to find its cluster, to be sure of it, and to be let
 * in. One word that survives copy and paste:
 *
 *     rf1.<base64url of CBOR [ring id, addresses, inviter, secret, expiry] and 6 bytes of its SHA-256>
 *
 * Whoever holds the word may join until it expires: it is a secret.
 */
import { hash } from "node:crypto";
import { z } from "zod";
import { RingfoldError } from "../base/errors.ts";
import type { Millis, NodeId, RingId } from "../base/ids.ts";
import { nodeId, ringId } from "../base/ids.ts";
import { decodeAs, encode } from "./cbor.ts";
import { addressSchema, binarySchema, countSchema } from "./schema-ids.ts";

export interface JoinToken {
  readonly ring: RingId;
  /** `host:port` of the inviter's control listener; tried in order. 1 to 8. */
  readonly addresses: readonly string[];
  /** The key that must answer there. */
  readonly inviter: NodeId;
  /** 32 random bytes that the inviter remembers. */
  readonly secret: Uint8Array;
  /** Milliseconds since 1970 on the inviter's clock. */
  readonly expires: Millis;
}

const PREFIX = "rf1.";
const CHECK_BYTES = 6;
const SECRET_BYTES = 32;
const MAX_TOKEN_CHARS = 4096;

const bytesOf = (length: number) =>
  binarySchema(length).refine((bytes) => bytes.length === length, `not ${length} bytes`);

const tokenSchema = z.tuple([
  bytesOf(16),
  z.array(addressSchema).min(1).max(8),
  bytesOf(32),
  bytesOf(SECRET_BYTES),
  countSchema,
]);

/** The token as one word. */
export function formatToken(token: JoinToken): string {
  const body = encode([
    Buffer.from(token.ring, "hex"),
    [...token.addresses],
    Buffer.from(token.inviter, "hex"),
    token.secret,
    token.expires,
  ]);
  return PREFIX + Buffer.concat([body, checkOf(body)]).toString("base64url");
}

/**
 * The token of a word. Whitespace around it, and line breaks that a terminal put into it, are
 * ignored. The expiry is the inviter's to judge.
 * @throws RingfoldError `token-malformed`; the message never holds any of the token
 */
export function parseToken(text: string): JoinToken {
  const word = text.replaceAll(/\s+/g, "");
  if (word === "") throw malformed("it is empty");
  if (!word.startsWith(PREFIX)) throw malformed(`it does not begin with ${PREFIX}`);
  if (word.length > MAX_TOKEN_CHARS) throw malformed("it is too long");
  const coded = word.slice(PREFIX.length);
  if (!/^[0-9A-Za-z_-]*$/.test(coded)) throw malformed("it has a character that no token has");
  const bytes = Buffer.from(coded, "base64url");
  const body = bytes.subarray(0, Math.max(0, bytes.length - CHECK_BYTES));
  const intact = checkOf(body).equals(bytes.subarray(body.length));
  if (!intact || bytes.toString("base64url") !== coded) {
    throw malformed("a part is missing or changed");
  }
  return decodeBody(body);
}

function decodeBody(body: Uint8Array): JoinToken {
  try {
    const [ring, addresses, inviter, secret, expires] = decodeAs(tokenSchema, body, "join token");
    return {
      ring: ringId(hex(ring)),
      addresses,
      inviter: nodeId(hex(inviter)),
      secret,
      expires,
    };
  } catch {
    throw malformed("its content is not a token's");
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const checkOf = (body: Uint8Array): Buffer =>
  hash("sha256", body, "buffer").subarray(0, CHECK_BYTES);

const malformed = (why: string): RingfoldError =>
  new RingfoldError("token-malformed", `this is not a join token: ${why}`);
