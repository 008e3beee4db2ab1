/** Two or more transports on loopback, closed after each test, and hostile peers made of bare TLS. */
import { once } from "node:events";
import type { TLSSocket } from "node:tls";
import { connect } from "node:tls";
import { z } from "zod";
import { type RingId, ringId } from "../../src/base/ids.ts";
import type { Identity } from "../../src/node/identity/identity.ts";
import { newIdentity } from "../../src/node/identity/identity.ts";
import type { EndpointOptions } from "../../src/node/transport/endpoint.ts";
import type { BulkOptions } from "../../src/node/transport/tls-bulk.ts";
import { listenTlsBulk } from "../../src/node/transport/tls-bulk.ts";
import { listenTls } from "../../src/node/transport/tls-transport.ts";
import type { BulkTransport, PeerAddress, Transport } from "../../src/node/transport/transport.ts";
import { parseHostPort } from "../../src/wire/address.ts";
import { encode } from "../../src/wire/cbor.ts";
import { encodeFrame, FRAME } from "../../src/wire/frames.ts";

export const RING: RingId = ringId("0".repeat(32));
export const OTHER_RING: RingId = ringId("1".repeat(32));

export const methods = {
  echo: { request: z.object({ text: z.string() }), response: z.object({ text: z.string() }) },
  wait: { request: z.void(), response: z.void() },
  size: { request: z.object({ bytes: z.instanceof(Uint8Array) }), response: z.int() },
  join: { request: z.object({ secret: z.string() }), response: z.string(), open: true },
};
export type Methods = typeof methods;

const toClose: { close(): Promise<void> }[] = [];

/** For `afterEach`. */
export async function closeAll(): Promise<void> {
  await Promise.all(toClose.splice(0).map((one) => one.close()));
}

export interface Peer<T> {
  readonly transport: T;
  readonly identity: Identity;
  readonly at: PeerAddress;
}

const defaults = (identity: Identity): EndpointOptions => ({
  identity,
  ring: RING,
  listen: "127.0.0.1:0",
  software: "0.1.0",
  jobApi: 1,
  admit: () => true,
});

export async function control(
  options: Partial<EndpointOptions> = {},
): Promise<Peer<Transport<Methods>>> {
  const identity = options.identity ?? newIdentity();
  const transport = await listenTls(methods, { ...defaults(identity), ...options });
  toClose.push(transport);
  return { transport, identity, at: { node: identity.node, address: transport.address } };
}

export async function bulk(options: Partial<BulkOptions> = {}): Promise<Peer<BulkTransport>> {
  const identity = options.identity ?? newIdentity();
  const transport = await listenTlsBulk({ ...defaults(identity), ...options });
  toClose.push(transport);
  return { transport, identity, at: { node: identity.node, address: transport.address } };
}

/** A bare TLS connection with a key of its own: whatever it sends is up to the test. */
export async function intruder(address: string, identity = newIdentity()): Promise<TLSSocket> {
  const socket = connect({
    ...parseHostPort(address),
    key: identity.keyPem,
    cert: identity.certPem,
    rejectUnauthorized: false,
  });
  socket.on("error", () => undefined);
  await Promise.race(["secureConnect", "close"].map((event) => once(socket, event)));
  return socket;
}

/** The hello of an intruder that means well so far. */
export const helloFrame = (identity: Identity, change: object = {}): Uint8Array =>
  encodeFrame(
    FRAME.hello,
    0,
    encode({
      protocol: 1,
      jobApi: 1,
      software: "0.1.0",
      ring: RING,
      node: identity.node,
      incarnation: 1,
      joining: false,
      ...change,
    }),
  );

/** All that comes until the other side closes. */
export async function untilClosed(socket: TLSSocket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(chunks);
}
