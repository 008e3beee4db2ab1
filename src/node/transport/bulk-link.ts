/**
 * Streams over one bulk connection, one after the other. The dialler opens a stream with a header frame; each side's bytes
 * end with an end mark or an error; when both have, the connection is free for the next stream.
 */
import { errorNote, RingfoldError } from "../../base/errors.ts";
import type { Bytes, Millis } from "../../base/ids.ts";
import { decode } from "../../wire/cbor.ts";
import type { Frame, FrameKind } from "../../wire/frames.ts";
import { FRAME, MAX_DATA_FRAME } from "../../wire/frames.ts";
import { BulkPipe } from "./bulk-pipe.ts";
import type { Link, LinkReceiver } from "./link.ts";
import { decodeNote, encodeNote } from "./link.ts";
import type { BulkAnswer, BulkStream, Caller, CallOptions, CloseReason } from "./transport.ts";

/** A stream's header or its answer's. */
const MAX_HEADER: Bytes = 256 * 1024;
/** What is read only to be dropped, so that a connection can be used again. */
const MAX_DROPPED: Bytes = 1024 * 1024;
/** What a refused writer may still have under way. */
const MAX_REFUSED: Bytes = 64 * 1024 * 1024;
/** Ticks unused before a pooled connection goes. */
const IDLE_TICKS = 12;

const LIMITS: Readonly<Partial<Record<FrameKind, Bytes>>> = {
  [FRAME.header]: MAX_HEADER,
  [FRAME.error]: MAX_HEADER,
  [FRAME.data]: MAX_DATA_FRAME,
  [FRAME.end]: 0,
};
const limitOf = (kind: FrameKind): Bytes | undefined => LIMITS[kind];

const unexpected = (frame: Frame): RingfoldError =>
  new RingfoldError("protocol", `a frame of kind ${frame.kind} does not belong here`);

/** Told when a connection is free for the next stream, and when it is gone. */
export interface BulkPool {
  onFree(): void;
  onClosed(): void;
}

/** The dialler's side. */
export class OutgoingBulk implements LinkReceiver {
  readonly link: Link;
  readonly limitOf = limitOf;
  readonly #pool: BulkPool;
  #nextId = 1;
  #stream: OutgoingStream | undefined;
  #reserved = true;
  #unusedTicks = 0;

  constructor(link: Link, pool: BulkPool) {
    this.link = link;
    this.#pool = pool;
  }

  /** A new connection belongs to whoever dialled it, until {@link open} or this. */
  unreserve(): void {
    this.#reserved = false;
  }

  get free(): boolean {
    return this.#stream === undefined && !this.#reserved && this.link.open;
  }

  open(header: unknown, options: CallOptions): BulkStream {
    this.#reserved = false;
    const id = this.#nextId;
    this.#nextId = id === 0xffffffff ? 1 : id + 1;
    this.#unusedTicks = 0;
    const stream = new OutgoingStream(this.link, id, options, () => {
      this.#stream = undefined;
      if (this.link.open) this.#pool.onFree();
    });
    this.#stream = stream;
    stream.sendHeader(header);
    return stream;
  }

  onFrame(frame: Frame): void {
    if (frame.id === 0 && frame.kind === FRAME.error) throw decodeNote(frame.payload);
    const stream = this.#stream;
    if (stream === undefined || frame.id !== stream.id) throw unexpected(frame);
    if (frame.kind === FRAME.header) stream.onHeader(decode(frame.payload, "answer header"));
    else if (frame.kind === FRAME.end) stream.onEnd();
    else stream.onError(decodeNote(frame.payload));
  }

  onData(piece: Uint8Array, id: number): void {
    if (this.#stream?.id !== id || !this.#stream.answered) {
      throw new RingfoldError("protocol", "bytes came before their header");
    }
    this.#stream.onData(piece);
  }

  onClosed(_reason: CloseReason, error: RingfoldError): void {
    this.#stream?.onClosed(error);
    this.#pool.onClosed();
  }

  idle(): boolean {
    this.#unusedTicks = this.free ? this.#unusedTicks + 1 : 0;
    return this.#unusedTicks > IDLE_TICKS;
  }
}

class OutgoingStream extends BulkPipe implements BulkStream {
  readonly #header = Promise.withResolvers<unknown>();
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.abort();
  answered = false;

  constructor(link: Link, id: number, options: CallOptions, onDone: () => void) {
    super(link, id, options.deadline, () => {
      this.#signal?.removeEventListener("abort", this.#onAbort);
      onDone();
    });
    this.#signal = options.signal;
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#header.promise.catch(() => undefined);
  }

  async response(): Promise<unknown> {
    if (!this.answered) this.waitForHeader(true);
    try {
      return await this.#header.promise;
    } finally {
      this.waitForHeader(false);
    }
  }

  release(): void {
    if (this.failure !== undefined) return;
    this.drop(MAX_DROPPED);
    this.sendEnd();
  }

  override abort(): void {
    super.abort();
    if (this.failure !== undefined) this.#header.reject(this.failure);
  }

  onHeader(header: unknown): void {
    if (this.answered) throw new RingfoldError("protocol", "a second answer header came");
    this.answered = true;
    this.waitForHeader(false);
    this.#header.resolve(header);
  }

  override onEnd(): void {
    if (!this.answered) throw new RingfoldError("protocol", "the end came before the header");
    super.onEnd();
  }

  override onError(error: RingfoldError): void {
    this.#header.reject(error);
    // What this side still had to say is of no use: the connection becomes free.
    super.onError(error);
    this.sendEnd();
  }

  override onClosed(error: RingfoldError): void {
    super.onClosed(error);
    this.#header.reject(this.failure ?? error);
  }
}

/** What a served connection needs of its transport. */
export interface BulkService {
  /** Longest time without progress while a handler waits for its caller. */
  readonly deadline: Millis;
  readonly counts: { streamsServed: number };
  admitted(link: Link): boolean;
  handler(): ((header: unknown, stream: BulkAnswer, from: Caller) => Promise<void>) | undefined;
  failed(error: unknown): void;
}

/** The listener's side. */
export class ServedBulk implements LinkReceiver {
  readonly link: Link;
  readonly limitOf = limitOf;
  readonly #service: BulkService;
  #stream: ServedStream | undefined;
  #aborted: AbortController | undefined;

  constructor(link: Link, service: BulkService) {
    this.link = link;
    this.#service = service;
  }

  onFrame(frame: Frame): void {
    if (frame.kind === FRAME.header && this.#stream === undefined) return this.#onHeader(frame);
    const stream = this.#stream;
    if (frame.kind !== FRAME.end || stream === undefined || frame.id !== stream.id) {
      throw unexpected(frame);
    }
    stream.onEnd();
  }

  onData(piece: Uint8Array, id: number): void {
    if (this.#stream?.id !== id) throw new RingfoldError("protocol", "bytes came without a stream");
    this.#stream.onData(piece);
  }

  onClosed(_reason: CloseReason, error: RingfoldError): void {
    this.#aborted?.abort();
    this.#stream?.onClosed(error);
  }

  idle(): boolean {
    return false; // the dialler keeps the pool
  }

  #onHeader(frame: Frame): void {
    const header = decode(frame.payload, "stream header");
    const stream = new ServedStream(this.link, frame.id, this.#service.deadline, () => {
      this.#stream = undefined;
    });
    this.#stream = stream;
    this.#aborted = new AbortController();
    this.#service.counts.streamsServed++;
    void this.#serve(header, stream, this.#aborted.signal);
  }

  async #serve(header: unknown, stream: ServedStream, signal: AbortSignal): Promise<void> {
    try {
      const handler = this.#service.handler();
      if (!this.#service.admitted(this.link)) {
        throw new RingfoldError("not-a-member", "only members of the cluster may open streams");
      }
      if (handler === undefined) throw new RingfoldError("protocol", "no streams are served now");
      const { node, incarnation, address } = this.link;
      await handler(header, stream, { node, incarnation, address, member: true, signal });
      if (stream.failure !== undefined) return;
      if (!stream.responded) await stream.respond(null);
      stream.sendEnd();
    } catch (error) {
      if (!(error instanceof RingfoldError)) this.#service.failed(error);
      const { code, message } = errorNote(error);
      stream.sendError(encodeNote(code, message));
    }
    if (stream.failure === undefined) stream.drop(MAX_REFUSED);
  }
}

class ServedStream extends BulkPipe implements BulkAnswer {
  responded = false;

  respond(header: unknown): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.responded = true;
    this.sendHeader(header);
    return Promise.resolve();
  }

  override write(chunk: Uint8Array): Promise<void> {
    // The caller must not see bytes before a header.
    if (!this.responded) void this.respond(null).catch(() => undefined);
    return super.write(chunk);
  }
}
