/**
 * The requests of one control connection: those sent, waiting for answers, and those received, being served.
 *
 * C1: a call settles once: by its answer, its deadline, its signal, or the end of the connection (by `Call.settle`).
 * C2: what arrives is checked against the method's schema before a handler or a caller sees it (tested).
 */
import { z } from "zod";
import { errorNote, RingfoldError } from "../../base/errors.ts";
import type { Bytes, NodeId } from "../../base/ids.ts";
import { checked, decode, decodeAs, encode } from "../../wire/cbor.ts";
import type { Frame, FrameKind } from "../../wire/frames.ts";
import { encodeFrame, FRAME, MAX_CONTROL_FRAME, MAX_STRANGER_FRAME } from "../../wire/frames.ts";
import { short } from "./hello.ts";
import type { Link, LinkReceiver } from "./link.ts";
import { decodeNote, encodeNote } from "./link.ts";
import type { Caller, CallOptions, CloseReason, MethodSpec, MethodTable } from "./transport.ts";

/** Requests in flight on one connection, at most, each way. */
export const MAX_IN_FLIGHT = 4096;
/** More than this unsent means that the peer is slower than we are. */
const MAX_UNSENT: Bytes = 16 * 1024 * 1024;
/** Ticks without a request before a dialled connection goes. */
const IDLE_TICKS = 60;

const requestSchema = z.union([
  z.tuple([z.string().max(64)]),
  z.tuple([z.string().max(64), z.unknown()]),
]);

const payloadOf = (value: unknown): Uint8Array =>
  value === undefined ? new Uint8Array(0) : encode(value);

/** One request on its way: a promise that settles once, by a deadline at the latest. */
export class Call {
  readonly method: string;
  readonly payload: Uint8Array;
  readonly promise: Promise<Uint8Array>;
  /** Tells the connection that nobody waits any more. */
  onGivenUp: (() => void) | undefined;
  readonly #resolve: (payload: Uint8Array) => void;
  readonly #reject: (error: RingfoldError) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#giveUp("cancelled", "the caller cancelled it");
  #settled = false;

  /** @throws RingfoldError `too-large` */
  constructor(method: string, body: unknown, options: CallOptions) {
    this.method = method;
    this.payload = encode(body === undefined ? [method] : [method, body]);
    const size = this.payload.length;
    if (size > MAX_CONTROL_FRAME) throw tooLarge(`request ${method}`, size);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = options.signal;
    const late = (): void => this.#giveUp("deadline", `no answer within ${options.deadline} ms`);
    this.#timer = setTimeout(late, options.deadline);
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (this.#signal?.aborted === true) this.#onAbort();
  }

  get settled(): boolean {
    return this.#settled;
  }

  answer(payload: Uint8Array): void {
    if (this.#settle()) this.#resolve(payload);
  }

  fail(error: RingfoldError): void {
    if (this.#settle()) this.#reject(error);
  }

  #giveUp(code: "deadline" | "cancelled", why: string): void {
    if (!this.#settle()) return;
    this.onGivenUp?.();
    this.#reject(new RingfoldError(code, `request ${this.method}: ${why}`));
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    return true;
  }
}

export type Handler = (body: unknown, from: Caller) => Promise<unknown>;

/** What a connection needs of its transport. */
export interface ControlService {
  readonly methods: MethodTable;
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly counts: { requestsSent: number; requestsServed: number };
  admit(node: NodeId): boolean;
  failed(method: string, error: unknown): void;
}

interface Service {
  readonly spec: MethodSpec;
  readonly handler: Handler;
}

export class ControlLink implements LinkReceiver {
  readonly link: Link;
  readonly #service: ControlService;
  readonly #calls = new Map<number, Call>();
  readonly #serving = new Map<number, Served>();
  #nextId = 1;
  #unusedTicks = 0;

  constructor(link: Link, service: ControlService) {
    this.link = link;
    this.#service = service;
  }

  /** Sends a call; its promise tells the rest. */
  begin(call: Call): void {
    if (call.settled) return;
    if (this.#calls.size >= MAX_IN_FLIGHT || this.link.unsent > MAX_UNSENT) {
      const text = `request ${call.method}: too many in flight to node ${short(this.link.node)}`;
      return call.fail(new RingfoldError("overloaded", text));
    }
    const id = this.#nextId;
    this.#nextId = id === 0xffffffff ? 1 : id + 1;
    this.#calls.set(id, call);
    this.#unusedTicks = 0;
    this.#service.counts.requestsSent++;
    call.onGivenUp = () => {
      this.#calls.delete(id);
      this.link.send(encodeFrame(FRAME.cancel, id));
    };
    this.link.send(encodeFrame(FRAME.request, id, call.payload));
  }

  limitOf(kind: FrameKind): Bytes | undefined {
    if (kind === FRAME.cancel) return 0;
    if (kind === FRAME.response || kind === FRAME.error) return MAX_CONTROL_FRAME;
    if (kind !== FRAME.request) return undefined;
    return this.#service.admit(this.link.node) ? MAX_CONTROL_FRAME : MAX_STRANGER_FRAME;
  }

  onData(): void {
    // limitOf never lets a data frame in.
  }

  onFrame(frame: Frame): void {
    if (frame.kind === FRAME.request) this.#onRequest(frame);
    else if (frame.kind === FRAME.cancel) this.#serving.get(frame.id)?.cancel();
    else this.#onAnswer(frame);
  }

  onClosed(_reason: CloseReason, error: RingfoldError): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.fail(error);
    for (const served of this.#serving.values()) served.cancel();
    this.#serving.clear();
  }

  idle(): boolean {
    this.#unusedTicks = this.#calls.size > 0 ? 0 : this.#unusedTicks + 1;
    return this.#unusedTicks > IDLE_TICKS;
  }

  #onAnswer(frame: Frame): void {
    const call = this.#calls.get(frame.id);
    // An answer that crossed our cancel is nobody's; id 0 is the peer's last word on this connection.
    if (frame.id === 0 && frame.kind === FRAME.error) throw decodeNote(frame.payload);
    if (call === undefined) return;
    this.#calls.delete(frame.id);
    if (frame.kind === FRAME.response) call.answer(frame.payload);
    else call.fail(decodeNote(frame.payload));
  }

  #onRequest(frame: Frame): void {
    if (this.#serving.has(frame.id)) {
      throw new RingfoldError("protocol", `request id ${frame.id} is in use`);
    }
    const [method, body] = decodeAs(requestSchema, frame.payload, "request");
    const service = this.#refusal(method) ?? this.#served(method);
    if (service instanceof RingfoldError) return this.#sendError(frame.id, service);
    const request = this.#checkedRequest(frame.id, method, service.spec, body);
    const served = new Served(this.link, this.#service.admit(this.link.node));
    this.#serving.set(frame.id, served);
    void this.#serve(frame.id, method, service, request, served);
  }

  /** A body that its schema refuses is answered with the place, then ends the connection. */
  #checkedRequest(id: number, method: string, spec: MethodSpec, body: unknown): unknown {
    try {
      return checked(spec.request, body, `request ${method}`);
    } catch (error) {
      this.#sendError(id, error);
      throw error;
    }
  }

  #served(method: string): Service | RingfoldError {
    const handler = this.#service.handlers.get(method);
    const spec = this.#service.methods[method];
    return handler === undefined || spec === undefined
      ? new RingfoldError("protocol", `this node does not serve ${method} now`)
      : { spec, handler };
  }

  #refusal(method: string): RingfoldError | undefined {
    if (!Object.hasOwn(this.#service.methods, method)) {
      return new RingfoldError("protocol", `there is no method ${method}`);
    }
    const open = this.#service.methods[method]?.open === true;
    if (!open && !this.#service.admit(this.link.node)) {
      const text = `request ${method}: node ${short(this.link.node)} is not on the member list`;
      return new RingfoldError("not-a-member", text);
    }
    if (this.#serving.size >= MAX_IN_FLIGHT) {
      return new RingfoldError("overloaded", `request ${method}: too many in flight`);
    }
    return undefined;
  }

  async #serve(
    id: number,
    method: string,
    service: Service,
    request: unknown,
    served: Served,
  ): Promise<void> {
    this.#service.counts.requestsServed++;
    try {
      const response = await service.handler(request, served);
      const answer = payloadOf(checked(service.spec.response, response, `response ${method}`));
      if (answer.length > MAX_CONTROL_FRAME) throw tooLarge(`response ${method}`, answer.length);
      if (this.#serving.delete(id)) this.link.send(encodeFrame(FRAME.response, id, answer));
    } catch (error) {
      if (this.#serving.delete(id)) this.#sendError(id, error);
      if (!(error instanceof RingfoldError)) this.#service.failed(method, error);
    }
  }

  #sendError(id: number, error: unknown): void {
    const note = errorNote(error);
    this.link.send(encodeFrame(FRAME.error, id, encodeNote(note.code, note.message)));
  }
}

/** A request being served. The signal is made only for handlers that ask for it. */
class Served implements Caller {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly member: boolean;
  readonly address: string;
  #cancelled = false;
  #controller: AbortController | undefined;

  constructor(link: Link, member: boolean) {
    this.node = link.node;
    this.incarnation = link.incarnation;
    this.address = link.address;
    this.member = member;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#cancelled) this.#controller.abort();
    return this.#controller.signal;
  }

  cancel(): void {
    this.#cancelled = true;
    this.#controller?.abort();
  }
}

/** The value of an answer. */
export const answerOf = (payload: Uint8Array, what: string): unknown =>
  payload.length === 0 ? undefined : decode(payload, what);

const tooLarge = (what: string, size: Bytes): RingfoldError =>
  new RingfoldError("too-large", `${what}: ${size} bytes, at most ${MAX_CONTROL_FRAME}`);
