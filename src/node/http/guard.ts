/**
 * Who may call the HTTP API: only this machine's own programs and the node's own page. The port listens on loopback without
 * a password, so a browser that visits a hostile site is the one way in from outside. Two checks close it:
 *
 * G1  DNS rebinding: the Host header must name loopback (or a configured name); a hostile name that was made to resolve to
 *     127.0.0.1 is refused. Tested.
 * G2  Cross-site request: a request that writes and comes from a page carries Origin and Sec-Fetch-Site; both must say "this
 *     very page". A program sends neither. No CORS header is ever sent. Tested.
 */
import { isIPv4 } from "node:net";
import { RingfoldError } from "../../base/errors.ts";

export interface CallOrigin {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
}

const READS = new Set(["GET", "HEAD", "OPTIONS"]);

/** The name or address part of a Host header; undefined when it is none. */
export function hostnameOf(host: string): string | undefined {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?$/.exec(host);
  return match?.[1]?.toLowerCase();
}

/** Loopback addresses as literals, and localhost. */
export function isLoopbackName(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, "");
  if (bare === "localhost" || bare === "::1") return true;
  return isIPv4(bare) && bare.startsWith("127.");
}

/**
 * @param allowed further host names, without port
 * @throws host-refused (G1), origin-refused (G2)
 */
export function checkCall(call: CallOrigin, allowed: readonly string[]): void {
  const hostname = call.host === undefined ? undefined : hostnameOf(call.host);
  if (hostname === undefined || !(isLoopbackName(hostname) || allowed.includes(hostname))) {
    const named = (call.host ?? "").slice(0, 80);
    throw new RingfoldError("host-refused", `the request names the host "${named}"`);
  }
  if (READS.has(call.method)) return;
  const site = call.fetchSite;
  if (site !== undefined && site !== "same-origin" && site !== "none") {
    throw new RingfoldError("origin-refused", `a ${site} page may not change anything here`);
  }
  if (call.origin !== undefined && call.origin !== `http://${call.host}`) {
    const named = call.origin.slice(0, 80);
    throw new RingfoldError("origin-refused", `the page ${named} may not change anything here`);
  }
}
