/**
 * Frames: how both kinds of connection cut their byte stream.
 *
 *     u8 version | u8 kind | u32 id | u32 length | payload        (big-endian)
 *
 * F1: the frames read do not depend on how the stream was cut into chunks (property-tested).
 * F2: version, kind and length are checked before a byte is kept or allocated for the payload
 *     (tested).
 * F3: bulk data is handed on as it arrives and never gathered (tested).
 */
import { RingfoldError } from "../base/errors.ts";
import type { Bytes } from "../base/ids.ts";

/** The version of the frame's form and of the protocol. The hello frame keeps its form for ever. */
export const PROTOCOL_VERSION = 1;
export const FRAME_HEADER_BYTES = 10;

export const FRAME = {
  hello: 1,
  request: 2,
  response: 3,
  error: 4,
  cancel: 5,
  ping: 6,
  bye: 7,
  /** Bulk: the header of a stream, or of its answer. */
  header: 8,
  /** Bulk: raw bytes. */
  data: 9,
  /** Bulk: no more bytes from this side. */
  end: 10,
} as const;

export type FrameKind = (typeof FRAME)[keyof typeof FRAME];
const LAST_KIND = FRAME.end;

/** Before a hello was accepted, and from a peer that is not a member. */
export const MAX_STRANGER_FRAME: Bytes = 16 * 1024;
export const MAX_CONTROL_FRAME: Bytes = 4 * 1024 * 1024;
export const MAX_DATA_FRAME: Bytes = 1024 * 1024;

export interface Frame {
  readonly kind: FrameKind;
  readonly id: number;
  readonly payload: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/** A frame's first bytes. */
export function frameHeader(kind: FrameKind, id: number, length: Bytes): Uint8Array {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header[0] = PROTOCOL_VERSION;
  header[1] = kind;
  header.writeUInt32BE(id, 2);
  header.writeUInt32BE(length, 6);
  return header;
}

/** A whole frame in one buffer. */
export function encodeFrame(
  kind: FrameKind,
  id: number,
  payload: Uint8Array = NOTHING,
): Uint8Array {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  frame.set(frameHeader(kind, id, payload.length), 0);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** Where the reader puts what it read. */
export interface FrameSink {
  /** Largest payload acceptable for the kind now; undefined: the kind is not expected now. */
  limitOf(kind: FrameKind): Bytes | undefined;
  onFrame(frame: Frame): void;
  /** A piece of a `data` frame; it is a view into the chunk pushed. */
  onData(piece: Uint8Array, id: number): void;
}

/** Cuts chunks into frames. After it threw, the connection is of no use. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerFill = 0;
  #kind: FrameKind = FRAME.ping;
  #id = 0;
  /** Bytes of the present frame's payload still to come. */
  #left = 0;
  /** Where a payload that spans chunks is gathered. */
  #body: Uint8Array | undefined;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /**
   * Reads on. The payloads handed out may be views into `chunk`.
   * @throws RingfoldError `protocol`, or `version-mismatch` when the frame's first byte is another
   *   version
   */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerFill < FRAME_HEADER_BYTES) {
        at = this.#readHeader(chunk, at);
        if (this.#headerFill < FRAME_HEADER_BYTES) return;
        if (this.#left === 0) this.#finish(NOTHING);
      } else {
        at = this.#readPayload(chunk, at);
      }
    }
  }

  #readHeader(chunk: Uint8Array, from: number): number {
    const take = Math.min(FRAME_HEADER_BYTES - this.#headerFill, chunk.length - from);
    this.#header.set(chunk.subarray(from, from + take), this.#headerFill);
    this.#headerFill += take;
    const header = this.#header;
    if (header[0] !== PROTOCOL_VERSION) throw wrongVersion(header[0] ?? 0);
    if (this.#headerFill === FRAME_HEADER_BYTES) {
      this.#kind = frameKind(header[1] ?? 0);
      this.#id = header.readUInt32BE(2);
      this.#left = header.readUInt32BE(6);
      this.#checkLimit();
    }
    return from + take;
  }

  #checkLimit(): void {
    const limit = this.#sink.limitOf(this.#kind);
    if (limit === undefined) {
      throw new RingfoldError("protocol", `a frame of kind ${this.#kind} was not expected here`);
    }
    if (this.#left > limit) {
      throw new RingfoldError(
        "protocol",
        `a frame of kind ${this.#kind} says ${this.#left} bytes, at most ${limit}`,
      );
    }
  }

  #readPayload(chunk: Uint8Array, from: number): number {
    const take = Math.min(this.#left, chunk.length - from);
    const piece = chunk.subarray(from, from + take);
    const length = this.#left;
    this.#left -= take;
    if (this.#kind === FRAME.data) {
      if (this.#left === 0) this.#headerFill = 0;
      this.#sink.onData(piece, this.#id);
    } else if (this.#body === undefined && this.#left === 0) {
      this.#finish(piece);
    } else {
      this.#gather(piece, length);
    }
    return from + take;
  }

  #gather(piece: Uint8Array, length: number): void {
    const body = (this.#body ??= Buffer.allocUnsafe(length));
    body.set(piece, body.length - length);
    if (this.#left === 0) {
      this.#body = undefined;
      this.#finish(body);
    }
  }

  #finish(payload: Uint8Array): void {
    this.#headerFill = 0;
    this.#sink.onFrame({ kind: this.#kind, id: this.#id, payload });
  }
}

const wrongVersion = (theirs: number): RingfoldError =>
  new RingfoldError(
    "version-mismatch",
    `the peer's frames are of protocol version ${theirs}, this node's of ${PROTOCOL_VERSION}`,
  );

function frameKind(byte: number): FrameKind {
  if (byte < FRAME.hello || byte > LAST_KIND) {
    throw new RingfoldError("protocol", `no frame is of kind ${byte}`);
  }
  return byte as FrameKind;
}
