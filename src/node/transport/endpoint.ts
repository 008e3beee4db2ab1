/**
 * A listening TLS 1.3 socket and the connections from and to it, each proven by key and introduced by hello before a
 * transport sees it. Certificates are self-signed: instead of a chain, the key itself is compared, by the dialler with
 * the id it meant to reach, by the listener with the member list.
 */
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import type { SecureContext, Server, TLSSocket } from "node:tls";
import { createSecureContext, createServer } from "node:tls";
import { RingfoldError } from "../../base/errors.ts";
import type { Millis, NodeId, RingId } from "../../base/ids.ts";
import { systemWords } from "../../base/system-error.ts";
import { formatHostPort, parseHostPort } from "../../wire/address.ts";
import { decodeAs } from "../../wire/cbor.ts";
import { PROTOCOL_VERSION } from "../../wire/frames.ts";
import type { Identity } from "../identity/identity.ts";
import { dialTls, HIGH_WATER, provenNode, unreachable } from "./dial.ts";
import type { Hello } from "./hello.ts";
import { helloFault, helloSchema, short } from "./hello.ts";
import type { Dialled, LinkReceiver } from "./link.ts";
import { Link } from "./link.ts";
import { PeerTable } from "./peer-table.ts";
import type { CloseReason, PeerAddress } from "./transport.ts";

/** The part of pino that is used. */
export interface TransportLog {
  info(detail: object, message: string): void;
  warn(detail: object, message: string): void;
}

export interface EndpointOptions {
  readonly identity: Identity;
  readonly ring: RingId;
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  /** Version of Ringfold, for messages. */
  readonly software: string;
  readonly jobApi: number;
  /** Whether the node is on the member list now. Asked again for every request. */
  readonly admit: (node: NodeId) => boolean;
  /** Whether this node is still joining. Default: never. */
  readonly joining?: () => boolean;
  readonly log?: TransportLog;
  /** Longest time from connect to hello. Default 5 s. */
  readonly helloDeadline?: Millis;
  /** Pace of pings and idle checks; six silent ticks end a control connection. Default 5 s. */
  readonly tick?: Millis;
}

/** How a transport takes part. */
export interface EndpointUser {
  /** Makes the receiver of a new connection. */
  receive(link: Link): LinkReceiver;
  /** Strangers may connect, to call open methods. */
  readonly strangers: boolean;
  /** Dialled connections are read through one buffer: the receiver copies what it keeps. */
  readonly reusesChunks: boolean;
  /** Silent connections are ended. */
  readonly watchSilence: boolean;
}

/** Connections that have not said hello, at most. More are dropped unheard. */
const MAX_STRANGERS = 256;
// AES-128 first: it costs less than AES-256, and no attacker comes near either.
const CIPHERS = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/** How long a goodbye may take to leave. */
const GOODBYE: Millis = 200;

export class Endpoint {
  readonly peers = new PeerTable();
  readonly options: EndpointOptions;
  address = "";
  readonly #user: EndpointUser;
  readonly #context: SecureContext;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #ticker: NodeJS.Timeout;
  /** Connections that have been on the member list since they began. */
  readonly #members = new WeakSet<Link>();
  #strangers = 0;
  #closing: Promise<void> | undefined;

  private constructor(options: EndpointOptions, user: EndpointUser) {
    this.options = options;
    this.#user = user;
    const { keyPem: key, certPem: cert } = options.identity;
    const version = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3", ciphers: CIPHERS } as const;
    this.#context = createSecureContext({ key, cert, ...version });
    this.#server = createServer({
      ...version,
      key,
      cert,
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: this.#helloDeadline,
      highWaterMark: HIGH_WATER,
    });
    this.#server.on("connection", (socket) => this.#onTcp(socket));
    this.#server.on("tlsClientError", (error, socket) => {
      this.#strangers--;
      this.#onRefused(socket.remoteAddress, error.message);
      socket.destroy();
    });
    this.#server.on("secureConnection", (socket) => this.#onSecure(socket));
    this.#ticker = setInterval(() => this.#tick(), options.tick ?? 5000);
  }

  /** @throws RingfoldError `port-in-use`, `listen-address` */
  static async listen(options: EndpointOptions, user: EndpointUser): Promise<Endpoint> {
    const endpoint = new Endpoint(options, user);
    try {
      await endpoint.#listen();
      return endpoint;
    } catch (error) {
      clearInterval(endpoint.#ticker);
      throw error;
    }
  }

  get #helloDeadline(): Millis {
    return this.options.helloDeadline ?? 5000;
  }

  async #listen(): Promise<void> {
    const { host, port } = parseHostPort(this.options.listen);
    this.#server.listen({ host, port });
    try {
      await once(this.#server, "listening");
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      const inUse = code === "EADDRINUSE";
      const why = inUse ? "the port is in use by another program" : systemWords(cause);
      const text = `cannot listen on ${this.options.listen} for nodes: ${why}`;
      throw new RingfoldError(inUse ? "port-in-use" : "listen-address", text, { cause });
    }
    const bound = this.#server.address() as AddressInfo;
    this.address = formatHostPort({ host, port: bound.port });
  }

  /**
   * A new connection to the node that is meant, or nothing.
   * @throws RingfoldError `peer-unreachable`, or why the two cannot talk
   */
  async dial(to: PeerAddress): Promise<Link> {
    this.#refuseWhenClosing(to);
    this.peers.counts.dials++;
    const dialled: Dialled = { reusesChunks: this.#user.reusesChunks, onChunk: undefined };
    const track = (socket: TLSSocket): void => this.#track(socket);
    const socket = await dialTls(this.#context, to, this.#helloDeadline, dialled, track);
    const { link, known } = this.#introduce(socket, to.node, dialled);
    link.sayHello(this.#hello());
    await known;
    return link;
  }

  #refuseWhenClosing(to: PeerAddress): void {
    if (this.#closing !== undefined) throw unreachable(to, "this node is closing");
  }

  /** The member list changed. */
  recheck(): void {
    for (const link of this.peers.all()) {
      if (this.options.admit(link.node)) this.#members.add(link);
      // A stranger in the middle of its join was never a member: it stays.
      else if (this.#members.has(link)) link.sayBye("removed");
    }
  }

  /** Says goodbye on every connection and releases every handle. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #shutDown(): Promise<void> {
    clearInterval(this.#ticker);
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const link of this.peers.all()) link.sayBye("shutdown");
    const impatience = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, GOODBYE);
    await Promise.all([closed, ...[...this.#sockets].map(closedSocket)]);
    clearTimeout(impatience);
  }

  #onTcp(socket: Socket): void {
    if (this.#strangers >= MAX_STRANGERS || this.#closing !== undefined) {
      this.#onRefused(socket.remoteAddress, "too many connections that have not said hello");
      socket.destroy();
      return;
    }
    this.#strangers++;
    this.#track(socket);
  }

  #onSecure(socket: TLSSocket): void {
    this.#track(socket);
    const node = provenNode(socket);
    if (node === undefined || this.#closing !== undefined) {
      this.#strangers--;
      this.#onRefused(socket.remoteAddress, "it showed no key");
      socket.destroy();
      return;
    }
    const { known } = this.#introduce(socket, node, undefined);
    const settled = (): void => {
      this.#strangers--;
    };
    known.then(settled, settled);
    this.peers.counts.accepted++;
  }

  /** A link that waits for hello, and the promise of it. */
  #introduce(socket: TLSSocket, node: NodeId, dialled: Dialled | undefined): Introduction {
    const { promise: known, resolve, reject } = Promise.withResolvers<void>();
    const link = new Link(socket, node, dialled, {
      onHello: (_, payload) => {
        const answer = this.#onHello(link, payload);
        if (!(answer instanceof RingfoldError)) resolve();
        return answer;
      },
      onClosed: (_, reason, error) => {
        clearTimeout(timer);
        this.peers.remove(link, reason);
        if (reason !== "idle" && reason !== "shutdown") this.#onClosed(link, reason, error);
        reject(error);
      },
    });
    const late = `no hello within ${this.#helloDeadline} ms`;
    const timer = setTimeout(() => link.destroy("refused", late), this.#helloDeadline);
    void known.then(
      () => clearTimeout(timer),
      () => undefined,
    );
    return { link, known };
  }

  #onHello(link: Link, payload: Uint8Array): LinkReceiver | RingfoldError {
    const hello = decodeAs(helloSchema, payload, "hello");
    const fault = helloFault(this.#hello(), hello, link.node) ?? this.#strangerFault(link);
    if (fault !== undefined) return fault;
    link.incarnation = hello.incarnation;
    if (!this.peers.add(link)) {
      const text = `node ${short(link.node)} is here with a later incarnation`;
      return new RingfoldError("peer-unreachable", text);
    }
    if (this.options.admit(link.node)) this.#members.add(link);
    if (!link.dialled) link.sayHello(this.#hello());
    return this.#user.receive(link);
  }

  #strangerFault(link: Link): RingfoldError | undefined {
    if (link.dialled || this.#user.strangers || this.options.admit(link.node)) return undefined;
    return new RingfoldError(
      "not-a-member",
      `node ${short(link.node)} is not on the member list of node ${short(this.#hello().node)}`,
    );
  }

  #hello(): Hello {
    const { identity, ring, software, jobApi, joining } = this.options;
    const { node, incarnation } = identity;
    const protocol = PROTOCOL_VERSION;
    return { protocol, jobApi, software, ring, node, incarnation, joining: joining?.() ?? false };
  }

  #tick(): void {
    for (const link of this.peers.all()) link.tick(this.#user.watchSilence);
  }

  #onRefused(address: string | undefined, error: string): void {
    this.peers.countRefused();
    this.options.log?.warn({ address, error }, "connection refused");
  }

  #onClosed(link: Link, reason: CloseReason, error: RingfoldError): void {
    const { node, address, dialled } = link;
    const detail = { node, address, dialled, reason, code: error.code, error: error.message };
    this.options.log?.warn(detail, "connection closed");
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

/** Unlike `once`, it does not mind an error on the way. */
const closedSocket = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once("close", () => resolve());
  });

interface Introduction {
  readonly link: Link;
  readonly known: Promise<void>;
}
