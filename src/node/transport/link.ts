/**
 * One connection whose peer has proven its key and said hello: frames in, frames out, and one reason for its end.
 * Both transports build on it.
 *
 * L1: the receiver is told of the end exactly once, whatever ended it (tested through the transports).
 * L2: frames written in one turn of the event loop leave in one write.
 */
import type { TLSSocket } from "node:tls";
import { z } from "zod";
import type { ErrorCode } from "../../base/errors.ts";
import { isErrorCode, RingfoldError } from "../../base/errors.ts";
import type { Bytes, NodeId } from "../../base/ids.ts";
import { decodeAs, encode } from "../../wire/cbor.ts";
import type { Frame, FrameKind } from "../../wire/frames.ts";
import { encodeFrame, FRAME, FrameReader, MAX_STRANGER_FRAME } from "../../wire/frames.ts";
import type { Hello } from "./hello.ts";
import { short } from "./hello.ts";
import type { CloseReason } from "./transport.ts";

/** What a transport does with a connection's frames. */
export interface LinkReceiver {
  limitOf(kind: FrameKind): Bytes | undefined;
  onFrame(frame: Frame): void;
  onData(piece: Uint8Array, id: number): void;
  /** The end, once. The error is what the calls in flight fail with. */
  onClosed(reason: CloseReason, error: RingfoldError): void;
  /** About every tick: true when nobody has used the link for so long that it may go. */
  idle(): boolean;
}

export interface LinkEvents {
  /** The peer's hello came: the receiver for what follows, or the refusal. */
  onHello(link: Link, hello: Uint8Array): LinkReceiver | RingfoldError;
  /** The connection ended. */
  onClosed(link: Link, reason: CloseReason, error: RingfoldError): void;
}

/**
 * How a dialled socket is read. Reading into one buffer, time and again, halves what receiving costs (0.5 CPU-s/GB in
 * place of 1.0, measured); node:tls offers it to the dialling side only.
 */
export interface Dialled {
  readonly reusesChunks: boolean;
  onChunk: ((chunk: Uint8Array) => void) | undefined;
}

/** More than this waiting in a socket means that the peer does not read. */
const MAX_UNREAD: Bytes = 64 * 1024 * 1024;
/** Ticks without a byte before a connection counts as silent. Ticks, not time: a paused process misses none. */
const SILENT_TICKS = 6;

const noteSchema = z.object({ code: z.string().max(64), message: z.string().max(8192) });
const byeSchema = z.object({ reason: z.enum(["idle", "shutdown", "superseded", "removed"]) });
type Bye = z.output<typeof byeSchema>["reason"];

export class Link {
  readonly node: NodeId;
  readonly dialled: boolean;
  /** What {@link LinkReceiver.onFrame} and onData get is overwritten when they return. */
  readonly reusesChunks: boolean;
  /** Remote `host:port`. */
  readonly address: string;
  bytesIn: Bytes = 0;
  bytesOut: Bytes = 0;
  /** Set by the peer's hello. */
  incarnation = 0;
  readonly #socket: TLSSocket;
  readonly #events: LinkEvents;
  readonly #reader: FrameReader;
  #receiver: LinkReceiver | undefined;
  #pending: Uint8Array[] = [];
  #flushing: NodeJS.Immediate | undefined;
  #ended: { readonly reason: CloseReason; readonly error: RingfoldError } | undefined;
  #closed = false;
  #heard = true;
  #quietTicks = 0;

  constructor(socket: TLSSocket, node: NodeId, dialled: Dialled | undefined, events: LinkEvents) {
    this.#socket = socket;
    this.node = node;
    this.dialled = dialled !== undefined;
    this.reusesChunks = dialled?.reusesChunks ?? false;
    this.address = `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`;
    this.#events = events;
    this.#reader = new FrameReader({
      limitOf: (kind) => this.#limitOf(kind),
      onFrame: (frame) => this.#onFrame(frame),
      onData: (piece, id) => this.#receiver?.onData(piece, id),
    });
    socket.setNoDelay(true);
    if (dialled?.reusesChunks === true) dialled.onChunk = (chunk) => this.#onChunk(chunk);
    else socket.on("data", (chunk: Uint8Array) => this.#onChunk(chunk));
    socket.on("error", (error) => this.#end("lost", this.#unreachable(error.message)));
    socket.on("end", () => this.#end("lost", this.#unreachable("it closed the connection")));
    socket.on("close", () => this.#onSocketClosed());
  }

  get open(): boolean {
    return this.#ended === undefined;
  }

  /** Bytes written that the system has not taken. */
  get unsent(): Bytes {
    return this.#socket.writableLength;
  }

  sayHello(hello: Hello): void {
    this.send(encodeFrame(FRAME.hello, 0, encode(hello)));
  }

  /** Queues whole frames; they leave together at the end of this turn of the event loop. */
  send(...parts: readonly Uint8Array[]): void {
    if (!this.open) return;
    this.#pending.push(...parts);
    this.#flushing ??= setImmediate(() => this.#flush());
  }

  /** Writes one data frame now. `taken` is called when the system took it or the link ended. */
  sendData(header: Uint8Array, chunk: Uint8Array, taken: () => void): void {
    if (!this.open) return taken();
    this.#flush();
    this.bytesOut += header.length + chunk.length;
    this.#socket.cork();
    this.#socket.write(header);
    this.#socket.write(chunk, taken);
    this.#socket.uncork();
  }

  /** Stops reading until {@link resume}: the peer feels it when its window is full. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Sends an error frame as the last one. */
  refuse(error: RingfoldError, reason: CloseReason): void {
    this.send(encodeFrame(FRAME.error, 0, encodeNote(error.code, error.message)));
    this.#end(reason, error);
  }

  /** Ends politely, telling why. */
  sayBye(reason: Bye): void {
    this.send(encodeFrame(FRAME.bye, 0, encode({ reason })));
    this.#end(reason, this.#unreachable(`the connection was closed: ${reason}`));
  }

  /** Ends at once. */
  destroy(reason: CloseReason, why: string): void {
    this.#end(reason, this.#unreachable(why));
    this.#socket.destroy();
  }

  /** Keeps the link heard, and ends one that is silent or idle. Called at a steady pace. */
  tick(watchSilence: boolean): void {
    const receiver = this.#receiver;
    if (receiver === undefined || !this.open) return;
    if (this.dialled && receiver.idle()) return this.sayBye("idle");
    this.#quietTicks = this.#heard ? 0 : this.#quietTicks + 1;
    this.#heard = false;
    if (!watchSilence) return;
    if (this.#quietTicks >= SILENT_TICKS) this.destroy("silent", "it is silent");
    else if (this.dialled) this.send(encodeFrame(FRAME.ping, 0));
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    const parts = this.#pending;
    if (parts.length === 0 || this.#socket.destroyed) return;
    this.#pending = [];
    const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
    this.bytesOut += bytes.length;
    this.#socket.write(bytes);
    if (this.unsent > MAX_UNREAD) this.destroy("silent", "it does not read what it is sent");
  }

  #limitOf(kind: FrameKind): Bytes | undefined {
    if (kind === FRAME.bye || kind === FRAME.ping) return this.#receiver && 64;
    if (this.#receiver !== undefined) return this.#receiver.limitOf(kind);
    return kind === FRAME.hello || (kind === FRAME.error && this.dialled)
      ? MAX_STRANGER_FRAME
      : undefined;
  }

  #onChunk(chunk: Uint8Array): void {
    this.#heard = true;
    this.bytesIn += chunk.length;
    if (!this.open) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof RingfoldError)) throw error;
      this.refuse(error, error.code === "version-mismatch" ? "refused" : "protocol");
    }
  }

  #onFrame(frame: Frame): void {
    if (!this.open) return;
    if (this.#receiver === undefined) this.#onFirstFrame(frame);
    else if (frame.kind === FRAME.bye) this.#onBye(frame.payload);
    else if (frame.kind === FRAME.ping) this.#onPing(frame.id);
    else this.#receiver.onFrame(frame);
  }

  #onFirstFrame(frame: Frame): void {
    if (frame.kind === FRAME.error) return this.#end("refused", decodeNote(frame.payload));
    const answer = this.#events.onHello(this, frame.payload);
    if (answer instanceof RingfoldError) this.refuse(answer, "refused");
    else this.#receiver = answer;
  }

  #onPing(id: number): void {
    if (id === 0) this.send(encodeFrame(FRAME.ping, 1));
  }

  #onBye(payload: Uint8Array): void {
    const { reason } = decodeAs(byeSchema, payload, "bye");
    this.#end(reason, this.#unreachable(`it closed the connection: ${reason}`));
  }

  /** The only way to the end: remembers the reason, lets what is queued leave, then closes. */
  #end(reason: CloseReason, error: RingfoldError): void {
    if (this.#ended !== undefined) return;
    this.#flush();
    this.#ended = { reason, error };
    this.#socket.end();
    this.#socket.resume();
    // Whoever does not close its side would keep ours half open.
    const impatience = setTimeout(() => this.#socket.destroy(), 1000);
    this.#socket.once("close", () => clearTimeout(impatience));
    if (reason === "lost") this.#socket.destroy();
    this.#report();
  }

  #onSocketClosed(): void {
    clearImmediate(this.#flushing);
    this.#ended ??= { reason: "lost", error: this.#unreachable("the connection was lost") };
    this.#report();
  }

  #report(): void {
    if (this.#closed || this.#ended === undefined) return;
    this.#closed = true;
    const { reason, error } = this.#ended;
    this.#receiver?.onClosed(reason, error);
    this.#events.onClosed(this, reason, error);
  }

  #unreachable(why: string): RingfoldError {
    return new RingfoldError(
      "peer-unreachable",
      `node ${short(this.node)} at ${this.address}: ${why}`,
    );
  }
}

const MAX_NOTE_CHARS = 4000;

/** An error as it crosses the wire. */
export const encodeNote = (code: ErrorCode, message: string): Uint8Array =>
  encode({ code, message: message.slice(0, MAX_NOTE_CHARS).toWellFormed() });

/** The error that a peer sent; a code that this version does not know counts as `protocol`. */
export function decodeNote(payload: Uint8Array): RingfoldError {
  const { code, message } = decodeAs(noteSchema, payload, "error");
  return isErrorCode(code)
    ? new RingfoldError(code, message)
    : new RingfoldError("protocol", `${code}: ${message}`);
}
