/**
 * Links to bodies: control checks who asks and for what, and sends the client to the data process with a link that covers
 * exactly one method, path and query, for a while. The secret lives as long as the node and never leaves it.
 *
 * K1: a link is good only for what was signed, before its end. Tested with every part changed.
 * K2: keys are compared in constant time.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { RingfoldError } from "../../base/errors.ts";
import type { Millis } from "../../base/ids.ts";

/** How long a request may be started; a started one may last longer. */
export const LINK_LIFE: Millis = 10 * 60_000;

export interface BodyRequest {
  readonly method: "GET" | "PUT" | "POST";
  /** As it stands in the URL: names encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
}

/**
 * The whole URL for one request.
 * @param base the data process's `http://HOST:PORT`
 * @param now milliseconds since 1970
 */
export function bodyLink(
  base: string,
  secret: Uint8Array,
  request: BodyRequest,
  now: Millis,
): string {
  const query = new URLSearchParams(request.query);
  query.set("expires", String(now + LINK_LIFE));
  const signed = `${request.path}?${query.toString()}`;
  return `${base}${signed}&key=${keyOf(secret, request.method, signed)}`;
}

/**
 * The query of a good link, without what the signature added.
 * @param target path and query as they came
 * @throws RingfoldError `body-url`
 */
export function openLink(
  secret: Uint8Array,
  method: string,
  target: string,
  now: Millis,
): { readonly path: string; readonly query: URLSearchParams } {
  const cut = target.lastIndexOf("&key=");
  const signed = target.slice(0, Math.max(cut, 0));
  const given = Buffer.from(target.slice(cut + "&key=".length));
  const right = Buffer.from(keyOf(secret, method, signed));
  if (cut < 0 || given.length !== right.length || !timingSafeEqual(given, right)) {
    throw new RingfoldError("body-url", "the link is not one that this node gave out");
  }
  const split = signed.indexOf("?");
  const query = new URLSearchParams(signed.slice(split + 1));
  if (!(Number(query.get("expires")) > now)) {
    throw new RingfoldError("body-url", "the link has run out");
  }
  query.delete("expires");
  return { path: signed.slice(0, split), query };
}

const keyOf = (secret: Uint8Array, method: string, signed: string): string =>
  createHmac("sha256", secret).update(`${method} ${signed}`).digest("base64url");
