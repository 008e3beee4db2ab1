/**
 * The port between nodes. Two kinds that never share a connection, a queue or a process: {@link Transport} carries small
 * control messages, many in flight; {@link BulkTransport} carries byte streams, one at a time on each connection.
 * Both know the peer by its key: a peer is a {@link NodeId}, an address is only where to find it today.
 *
 * Promises that every adapter keeps (test/conformance/transport.test.ts):
 * T1: a call reaches the node whose id was asked for, or fails; the address alone decides nothing.
 * T2: whoever is not admitted reaches open methods only, and no stream.
 * T3: every call ends: answer, the handler's error, `deadline`, `cancelled` or `peer-unreachable`.
 * T4: a message is handed to a handler only whole, within its limit, and after its schema accepted it.
 * T5: a reader that stops reading stops the writer; neither side's memory grows with the length of a stream.
 * T6: after `close()` nothing is left: no socket, no timer, no waiting promise.
 */
import type { z } from "zod";
import type { Bytes, Millis, NodeId } from "../../base/ids.ts";

/** Where a node is, and who it must prove to be. */
export interface PeerAddress {
  readonly node: NodeId;
  /** `host:port`; an IPv6 host in brackets. */
  readonly address: string;
}

/** One method of the control protocol. `open`: also for a peer that is not a member yet. */
export interface MethodSpec {
  readonly request: z.ZodType;
  readonly response: z.ZodType;
  readonly open?: boolean;
}

/** Every method by its name. A `z.void()` body or answer travels as no bytes. */
export type MethodTable = Readonly<Record<string, MethodSpec>>;
export type RequestOf<T extends MethodTable, K extends keyof T> = z.output<T[K]["request"]>;
export type ResponseOf<T extends MethodTable, K extends keyof T> = z.output<T[K]["response"]>;

export interface CallOptions {
  /** A request: time to the answer. A stream: longest time without any progress. */
  readonly deadline: Millis;
  /** Aborting it ends the call with `cancelled` and aborts the handler's signal. */
  readonly signal?: AbortSignal;
}

/** Who calls, as its key proved. */
export interface Caller {
  readonly node: NodeId;
  readonly incarnation: number;
  /** On the member list now. False only in open methods. */
  readonly member: boolean;
  /** Remote `host:port`, for logs. */
  readonly address: string;
  /** Aborted when the caller cancels, or its connection is lost. */
  readonly signal: AbortSignal;
}

/** Why a connection ended; counted in {@link TransportStats}. */
export type CloseReason =
  | "lost" // the socket closed or failed under us: a killed peer looks like this
  | "silent" // nothing received for the silence limit
  | "idle" // either side closed a connection that nobody used
  | "shutdown" // the peer said that it is closing, or we are
  | "superseded" // the same node came back with a higher incarnation
  | "aborted" // a stream was given up in the middle
  | "removed" // the peer is not on the member list any more
  | "refused" // version, ring or key did not fit
  | "protocol"; // the peer sent what the protocol does not allow

/**
 * `connected`: the first connection with this node, whoever dialled. `closed`: the last one ended.
 * `closed` with `lost` or `silent` hints at a death, and is never a verdict.
 */
export type PeerEvent =
  | { readonly type: "connected"; readonly node: NodeId; readonly incarnation: number }
  | {
      readonly type: "closed";
      readonly node: NodeId;
      readonly incarnation: number;
      readonly reason: CloseReason;
    };

export interface TransportStats {
  readonly connections: number;
  readonly dials: number;
  readonly accepted: number;
  readonly requestsSent: number;
  readonly requestsServed: number;
  readonly streamsOpened: number;
  readonly streamsServed: number;
  readonly bytesIn: Bytes;
  readonly bytesOut: Bytes;
  readonly closed: Readonly<Partial<Record<CloseReason, number>>>;
}

/** What both kinds have. */
export interface Listening {
  /** `host:port` that it listens on. */
  readonly address: string;
  connected(node: NodeId): boolean;
  onPeer(listener: (event: PeerEvent) => void): () => void;
  /** The member list changed: closes the connections of nodes that are no longer admitted. */
  recheck(): void;
  stats(): TransportStats;
  /** Says goodbye, fails what is in flight, releases every handle. Idempotent. */
  close(): Promise<void>;
}

/** Control messages: requests with deadlines, multiplexed on one dialled connection for each peer. */
export interface Transport<T extends MethodTable> extends Listening {
  /**
   * @throws RingfoldError the handler's own code, or `peer-unreachable`, `deadline`, `cancelled`, `overloaded`,
   * `protocol`, `version-mismatch`, `wrong-cluster`, `token-foreign`, `not-a-member`
   */
  request<K extends keyof T & string>(
    to: PeerAddress,
    method: K,
    body: RequestOf<T, K>,
    options: CallOptions,
  ): Promise<ResponseOf<T, K>>;
  /** One handler for each method; a thrown error reaches the caller as code and message. */
  handle<K extends keyof T & string>(
    method: K,
    handler: (body: RequestOf<T, K>, from: Caller) => Promise<ResponseOf<T, K>>,
  ): void;
}

/** Byte streams: a header out, bytes both ways, an answer header back. */
export interface BulkTransport extends Listening {
  /** Resolves when the header is on its way to a proven peer. Throws what {@link Transport.request} throws. */
  open(to: PeerAddress, header: unknown, options: CallOptions): Promise<BulkStream>;
  /**
   * The handler owns the stream until its promise settles: then the answer ends. A throw reaches the caller as an error.
   * Headers are plain data; the handler checks them against its own schema (`checked` of src/wire/cbor.ts).
   */
  handleStream(handler: (header: unknown, stream: BulkAnswer, from: Caller) => Promise<void>): void;
}

/** Bytes both ways, with back-pressure. All methods reject with a RingfoldError once the stream broke. */
export interface BulkBytes extends AsyncIterable<Uint8Array> {
  /** The next bytes that arrived, of any length above 0, or undefined at the end of the other side's bytes. */
  read(): Promise<Uint8Array | undefined>;
  /** Fills `target` wholly. @throws RingfoldError `protocol` when the other side ends before */
  readInto(target: Uint8Array): Promise<void>;
  /** Exactly `length` bytes in one new buffer. */
  readExactly(length: Bytes): Promise<Uint8Array>;
  /**
   * Queues bytes and resolves when more may be written: await it, and memory stays bounded.
   * The chunk must not be changed until `end()` or the stream is over.
   */
  write(chunk: Uint8Array): Promise<void>;
  /** Writes all of an iterable with back-pressure. Does not end. */
  writeAll(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /** No more bytes from this side. */
  end(): Promise<void>;
  /** Gives up: breaks this stream's connection only. */
  abort(): void;
}

/** The caller's end of a stream. */
export interface BulkStream extends BulkBytes {
  /** The answer's header, once. @throws RingfoldError what the handler threw */
  response(): Promise<unknown>;
  /**
   * Reads and drops the rest, so that the connection can be used again; or aborts when more than a little is left.
   * Always call this, `abort()`, or read to the end.
   */
  release(): void;
}

/** The handler's end of a stream. */
export interface BulkAnswer extends BulkBytes {
  /** Sends the answer's header, once, before the first byte. Without it the caller gets `null`. */
  respond(header: unknown): Promise<void>;
}
