/**
 * The bytes of one stream, both ways, with back-pressure: what arrives waits here up to a limit, then the socket is paused;
 * what is written counts until the system took it, and the writer waits above a limit.
 *
 * P1: at most INBOUND_HIGH and one socket's worth wait for a reader (tested: T5).
 * P2: at most OUTBOUND_HIGH and one chunk wait for the system (tested: T5).
 * P3: while anybody here waits for the peer, no progress for the deadline breaks the stream (tested).
 */
import { assert, RingfoldError } from "../../base/errors.ts";
import type { Bytes, Millis } from "../../base/ids.ts";
import { encode } from "../../wire/cbor.ts";
import { encodeFrame, FRAME, frameHeader, MAX_DATA_FRAME } from "../../wire/frames.ts";
import type { Link } from "./link.ts";
import type { BulkBytes } from "./transport.ts";

const INBOUND_HIGH: Bytes = 1024 * 1024;
const INBOUND_LOW: Bytes = 256 * 1024;
const SLAB: Bytes = 64 * 1024;
const OUTBOUND_HIGH: Bytes = 1024 * 1024;

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: RingfoldError) => void;
}

/** `readInto` in the middle: bytes go from the socket's chunk straight to their place. */
interface Target {
  readonly bytes: Uint8Array;
  filled: Bytes;
}

export class BulkPipe implements BulkBytes {
  readonly link: Link;
  readonly id: number;
  readonly #onDone: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #inbound: Uint8Array[] = [];
  #inboundBytes: Bytes = 0;
  /** Where bytes that must be copied are gathered. */
  #slab: Uint8Array = Buffer.alloc(0);
  #slabUsed: Bytes = 0;
  #paused = false;
  #ended = false;
  /** Left of what may be dropped unread; undefined: nothing is dropped. */
  #dropping: Bytes | undefined;
  #target: Target | undefined;
  #reader: Waiting | undefined;
  #outboundBytes: Bytes = 0;
  #writer: Waiting | undefined;
  #sentEnd = false;
  #waitingForHeader = false;
  #done = false;
  #failure: RingfoldError | undefined;

  constructor(link: Link, id: number, deadline: Millis, onDone: () => void) {
    this.link = link;
    this.id = id;
    this.#onDone = onDone;
    this.#timer = setTimeout(() => this.#onQuiet(deadline), deadline);
  }

  get failure(): RingfoldError | undefined {
    return this.#failure;
  }

  get sentEnd(): boolean {
    return this.#sentEnd;
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#inboundBytes === 0) await this.#arrival();
    const piece = this.#inbound.shift();
    if (piece !== undefined) this.#took(piece.length);
    return piece;
  }

  async readInto(target: Uint8Array): Promise<void> {
    const wanted: Target = { bytes: target, filled: 0 };
    while (wanted.filled < target.length) {
      const piece = this.#inbound.shift();
      if (piece !== undefined) {
        this.#took(piece.length);
        const rest = fill(wanted, piece);
        if (rest.length > 0) this.#putBack(rest);
        continue;
      }
      this.#target = wanted;
      await this.#arrival();
      if (this.#target === undefined) continue;
      this.#target = undefined;
      const text = `the stream ended after ${wanted.filled} of ${target.length} bytes`;
      throw new RingfoldError("protocol", text);
    }
  }

  async readExactly(length: Bytes): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(length);
    await this.readInto(bytes);
    return bytes;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      const piece = await this.read();
      if (piece === undefined) return;
      yield piece;
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    assert(!this.#sentEnd || this.#failure !== undefined, "nothing is written after the end");
    for (let at = 0; at < chunk.length; at += MAX_DATA_FRAME) {
      if (this.#failure !== undefined) throw this.#failure;
      const part = chunk.subarray(at, at + MAX_DATA_FRAME);
      this.#outboundBytes += part.length;
      const header = frameHeader(FRAME.data, this.id, part.length);
      this.link.sendData(header, part, () => this.#onTaken(part.length));
      if (this.#outboundBytes > OUTBOUND_HIGH) await this.#room();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  async writeAll(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    for await (const chunk of chunks) await this.write(chunk);
  }

  async end(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.sendEnd();
  }

  abort(): void {
    if (!this.#done) this.#break("cancelled", "the stream was given up");
  }

  /** Ends this side's bytes with an error instead of the end mark. */
  sendError(note: Uint8Array): void {
    if (this.#sentEnd) return;
    this.#sentEnd = true;
    this.link.send(encodeFrame(FRAME.error, this.id, note));
    this.#checkDone();
  }

  sendEnd(): void {
    if (this.#sentEnd) return;
    this.#sentEnd = true;
    this.link.send(encodeFrame(FRAME.end, this.id));
    this.#checkDone();
  }

  sendHeader(header: unknown): void {
    this.link.send(encodeFrame(FRAME.header, this.id, encode(header)));
  }

  /** Nobody reads any more: drops what comes, up to `budget`, then gives the connection up. */
  drop(budget: Bytes): void {
    this.#inbound.length = 0;
    this.#took(this.#inboundBytes);
    this.#dropping = budget;
    this.#timer.refresh();
  }

  /** While the caller waits for the answer's header, the deadline runs. */
  waitForHeader(waits: boolean): void {
    this.#waitingForHeader = waits;
    this.#timer.refresh();
  }

  onData(piece: Uint8Array): void {
    if (this.#ended) throw new RingfoldError("protocol", "bytes came after their end");
    this.#timer.refresh();
    if (this.#dropping !== undefined) return this.#onDropped(piece.length);
    const target = this.#target;
    const rest = target === undefined ? piece : fill(target, piece);
    if (rest.length > 0) {
      if (this.link.reusesChunks) this.#copy(rest);
      else this.#inbound.push(rest);
      this.#inboundBytes += rest.length;
      if (this.#inboundBytes > INBOUND_HIGH) this.#pause(true);
    }
    if (target === undefined) this.#wakeReader();
    else if (target.filled === target.bytes.length) {
      this.#target = undefined;
      this.#wakeReader();
    }
  }

  /** The other side's end mark. */
  onEnd(): void {
    if (this.#ended) throw new RingfoldError("protocol", "a second end came");
    this.#ended = true;
    this.#wakeReader();
    this.#checkDone();
  }

  /** The other side ended its bytes with an error: whoever waits here gets it. */
  onError(error: RingfoldError): void {
    this.#fail(error);
    this.#ended = true;
    this.#checkDone();
  }

  /** The connection is gone. */
  onClosed(error: RingfoldError): void {
    if (this.#done) return;
    this.#fail(error);
    this.#finish();
  }

  /** Keeps bytes whose place is about to be used again: gathered, so that a slow reader gets few large pieces. */
  #copy(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#slabUsed === this.#slab.length) {
        this.#slab = Buffer.allocUnsafeSlow(SLAB);
        this.#slabUsed = 0;
      }
      const from = this.#slabUsed;
      const part = bytes.subarray(at, at + this.#slab.length - from);
      this.#slab.set(part, from);
      this.#slabUsed = from + part.length;
      at += part.length;
      const last = this.#inbound.at(-1);
      const joins = last?.buffer === this.#slab.buffer && last.byteOffset + last.length === from;
      if (joins) this.#inbound.pop();
      const start = joins ? last.byteOffset : from;
      this.#inbound.push(this.#slab.subarray(start, this.#slabUsed));
    }
  }

  #onDropped(length: Bytes): void {
    this.#dropping = (this.#dropping ?? 0) - length;
    if (this.#dropping < 0) this.#break("cancelled", "nobody read the rest of the stream");
  }

  #arrival(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.resolve();
    assert(this.#reader === undefined, "a stream has one reader at a time");
    this.#timer.refresh();
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  #room(): Promise<void> {
    assert(this.#writer === undefined, "a stream has one writer at a time");
    this.#timer.refresh();
    return new Promise((resolve, reject) => {
      this.#writer = { resolve, reject };
    });
  }

  #wakeReader(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.resolve();
  }

  #onTaken(length: Bytes): void {
    this.#outboundBytes -= length;
    if (this.#writer === undefined) return;
    this.#timer.refresh();
    if (this.#outboundBytes > OUTBOUND_HIGH / 2) return;
    const writer = this.#writer;
    this.#writer = undefined;
    writer.resolve();
  }

  #took(length: Bytes): void {
    this.#inboundBytes -= length;
    if (this.#inboundBytes <= INBOUND_LOW) this.#pause(false);
  }

  #putBack(piece: Uint8Array): void {
    this.#inbound.unshift(piece);
    this.#inboundBytes += piece.length;
  }

  #pause(paused: boolean): void {
    if (this.#paused === paused || this.#done) return;
    this.#paused = paused;
    if (paused) this.link.pause();
    else this.link.resume();
  }

  #onQuiet(deadline: Millis): void {
    const waits = this.#reader !== undefined || this.#writer !== undefined;
    if (!waits && !this.#waitingForHeader && this.#dropping === undefined) return;
    this.#break("deadline", `no progress for ${deadline} ms`);
  }

  /** Breaks the stream from here, and with it the connection. */
  #break(code: "cancelled" | "deadline", why: string): void {
    this.#fail(new RingfoldError(code, why));
    this.link.destroy("aborted", why);
  }

  #fail(error: RingfoldError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#inbound.length = 0;
    this.#inboundBytes = 0;
    this.#target = undefined;
    this.#reader?.reject(error);
    this.#reader = undefined;
    this.#writer?.reject(error);
    this.#writer = undefined;
  }

  #checkDone(): void {
    if (this.#ended && this.#sentEnd) this.#finish();
  }

  #finish(): void {
    if (this.#done) return;
    this.#pause(false);
    this.#done = true;
    clearTimeout(this.#timer);
    this.#onDone();
  }
}

/** Copies as much of the piece as the target lacks; gives what is left. */
function fill(target: Target, piece: Uint8Array): Uint8Array {
  const take = Math.min(piece.length, target.bytes.length - target.filled);
  target.bytes.set(take === piece.length ? piece : piece.subarray(0, take), target.filled);
  target.filled += take;
  return piece.subarray(take);
}
