/** The TLS half of a dial: a socket whose other end has proven the key that was meant, or an error. */
import type { KeyObject } from "node:crypto";
import type { OnReadOpts } from "node:net";
import type { ConnectionOptions, SecureContext, TLSSocket } from "node:tls";
import { connect } from "node:tls";
import { RingfoldError } from "../../base/errors.ts";
import type { Bytes, Millis, NodeId } from "../../base/ids.ts";
import { systemWords } from "../../base/system-error.ts";
import { parseHostPort } from "../../wire/address.ts";
import { nodeIdOfKey } from "../identity/certificate.ts";
import { short } from "./hello.ts";
import type { Dialled } from "./link.ts";
import type { PeerAddress } from "./transport.ts";

/** How much a socket buffers before it says stop. */
export const HIGH_WATER: Bytes = 1024 * 1024;

/** A few TLS records of 16 KiB. */
const READ_BUFFER: Bytes = 64 * 1024;

/** @throws RingfoldError `peer-unreachable` */
export function dialTls(
  context: SecureContext,
  to: PeerAddress,
  deadline: Millis,
  dialled: Dialled,
  track: (socket: TLSSocket) => void,
): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const options: ConnectionOptions & SocketReading = {
    ...parseHostPort(to.address),
    secureContext: context,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    highWaterMark: HIGH_WATER,
    ...(dialled.reusesChunks ? { onread: readInto(dialled) } : {}),
  };
  const socket = connect(options);
  track(socket);
  const settle = (why: string | undefined): void => {
    clearTimeout(timer);
    socket.off("error", onError).off("close", onClose).off("secureConnect", onSecure);
    if (why === undefined) return resolve(socket);
    socket.on("error", () => undefined);
    socket.destroy();
    reject(unreachable(to, why));
  };
  const onError = (error: Error): void => settle(systemWords(error));
  const onClose = (): void => settle("it closed the connection");
  const onSecure = (): void =>
    settle(provenNode(socket) === to.node ? undefined : "another key answers there");
  const timer = setTimeout(() => settle(`no answer within ${deadline} ms`), deadline);
  socket.once("error", onError).once("close", onClose).once("secureConnect", onSecure);
  return promise;
}

/** Options of node:net that node:tls passes on, and its types leave out. */
interface SocketReading {
  readonly highWaterMark: Bytes;
  readonly onread?: OnReadOpts;
}

const readInto = (dialled: Dialled): OnReadOpts => ({
  buffer: Buffer.allocUnsafeSlow(READ_BUFFER),
  callback: (length, buffer) => {
    // Nothing is sent to a dialler before it said hello: without a taker there is nothing to lose.
    dialled.onChunk?.(buffer.subarray(0, length));
    return true;
  },
});

/** The node of the key that the other end of a TLS socket has proven to hold. */
export function provenNode(socket: TLSSocket): NodeId | undefined {
  const key: KeyObject | undefined = socket.getPeerX509Certificate()?.publicKey;
  return key === undefined ? undefined : nodeIdOfKey(key);
}

export const unreachable = (to: PeerAddress, why: string): RingfoldError =>
  new RingfoldError("peer-unreachable", `node ${short(to.node)} at ${to.address}: ${why}`);
