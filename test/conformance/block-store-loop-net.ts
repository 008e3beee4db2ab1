/**
 * Bulk transports joined in one process, with faults: for what the data side does when a peer is
 * gone, slow or wrong.
 */
import { RingfoldError } from "../../src/base/errors.ts";
import type { NodeId } from "../../src/base/ids.ts";
import type {
  BulkAnswer,
  BulkBytes,
  BulkStream,
  BulkTransport,
  Caller,
  CallOptions,
  PeerAddress,
} from "../../src/node/transport/transport.ts";
import { decode, encode } from "../../src/wire/cbor.ts";

type Handler = (header: unknown, stream: BulkAnswer, from: Caller) => Promise<void>;

const broken = (): RingfoldError => new RingfoldError("peer-unreachable", "the connection is lost");
const ROOM = 256 * 1024;

/** One direction: chunks with back-pressure. */
class Pipe {
  #chunks: Uint8Array[] = [];
  #held = 0;
  #ended = false;
  #error: RingfoldError | undefined;
  #wake: (() => void)[] = [];

  async push(chunk: Uint8Array): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    // A copy, as a network would make: the writer's buffer is used again later.
    this.#chunks.push(Uint8Array.from(chunk));
    this.#held += chunk.length;
    this.#stir();
    while (this.#held > ROOM && this.#error === undefined) await this.#change();
    if (this.#error !== undefined) throw this.#error;
  }

  async pull(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0 && !this.#ended && this.#error === undefined) {
      await this.#change();
    }
    if (this.#error !== undefined) throw this.#error;
    const chunk = this.#chunks.shift();
    this.#held -= chunk?.length ?? 0;
    this.#stir();
    return chunk;
  }

  end(): void {
    this.#ended = true;
    this.#stir();
  }

  fail(error: RingfoldError): void {
    this.#error ??= error;
    this.#stir();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #stir(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}

class Side implements BulkBytes {
  readonly incoming: Pipe;
  readonly outgoing: Pipe;
  #rest: Uint8Array | undefined;

  constructor(incoming: Pipe, outgoing: Pipe) {
    this.incoming = incoming;
    this.outgoing = outgoing;
  }

  async read(): Promise<Uint8Array | undefined> {
    const rest = this.#rest;
    this.#rest = undefined;
    return rest ?? this.incoming.pull();
  }

  async readInto(target: Uint8Array): Promise<void> {
    for (let at = 0; at < target.length; ) {
      const chunk = await this.read();
      if (chunk === undefined) throw new RingfoldError("protocol", "ended before its time");
      const take = Math.min(chunk.length, target.length - at);
      target.set(chunk.subarray(0, take), at);
      if (take < chunk.length) this.#rest = chunk.subarray(take);
      at += take;
    }
  }

  async readExactly(length: number): Promise<Uint8Array> {
    const target = new Uint8Array(length);
    await this.readInto(target);
    return target;
  }

  write(chunk: Uint8Array): Promise<void> {
    return chunk.length === 0 ? Promise.resolve() : this.outgoing.push(chunk);
  }

  async writeAll(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    for await (const chunk of chunks) await this.write(chunk);
  }

  async end(): Promise<void> {
    this.outgoing.end();
  }

  abort(): void {
    this.incoming.fail(broken());
    this.outgoing.fail(broken());
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let chunk = await this.read(); chunk !== undefined; chunk = await this.read()) yield chunk;
  }
}

/** What happens to requests to a node. */
export interface NodeFault {
  /** `dead`: refused at once. `silent`: taken, never answered (SIGSTOP). */
  mode: "well" | "dead" | "silent";
  /** Bytes of its answers are changed on the way. */
  flip: boolean;
  /** Milliseconds before it begins to answer. */
  lateness: number;
  /** Its answers break after so many bytes. */
  breakAfter: number;
}

export class LoopNet {
  readonly #handlers = new Map<NodeId, Handler>();
  readonly faults = new Map<NodeId, NodeFault>();
  /** Every request: `node type`, in order. */
  readonly requests: string[] = [];

  transport(self: NodeId): BulkTransport {
    const fault: NodeFault = {
      mode: "well",
      flip: false,
      lateness: 0,
      breakAfter: Number.POSITIVE_INFINITY,
    };
    this.faults.set(self, fault);
    return {
      address: `127.0.0.1:${1 + this.faults.size}`,
      connected: () => true,
      onPeer: () => () => {},
      recheck: () => {},
      stats: () => ({
        connections: 0,
        dials: 0,
        accepted: 0,
        requestsSent: 0,
        requestsServed: 0,
        streamsOpened: 0,
        streamsServed: 0,
        bytesIn: 0,
        bytesOut: 0,
        closed: {},
      }),
      close: async () => void this.#handlers.delete(self),
      handleStream: (handler) => void this.#handlers.set(self, handler),
      open: (to, header, options) => this.#open(self, to, header, options),
    };
  }

  async #open(
    from: NodeId,
    to: PeerAddress,
    header: unknown,
    { signal, deadline }: CallOptions,
  ): Promise<BulkStream> {
    const plain = decode(encode(header), "header");
    this.requests.push(`${to.node.slice(0, 1)} ${(plain as { type: string }).type}`);
    const fault = this.faults.get(to.node);
    const handler = this.#handlers.get(to.node);
    if (fault === undefined || fault.mode === "dead" || handler === undefined) throw broken();
    const [up, down] = [new Pipe(), new Pipe()];
    const cancel = (): void => {
      up.fail(new RingfoldError("cancelled", "cancelled"));
      down.fail(new RingfoldError("cancelled", "cancelled"));
    };
    if (signal?.aborted === true) cancel();
    signal?.addEventListener("abort", cancel);
    const answered = Promise.withResolvers<unknown>();
    answered.promise.catch(() => {});
    signal?.addEventListener("abort", () => {
      answered.reject(new RingfoldError("cancelled", "cancelled"));
    });
    if (fault.mode === "well") {
      const serve = (): void => {
        void this.#serve(handler, plain, new Side(up, spoiled(down, fault)), from, answered);
      };
      if (fault.lateness === 0) serve();
      else setTimeout(serve, fault.lateness).unref();
    }
    const near = new Side(down, up);
    if (fault.mode === "silent") {
      const late = new RingfoldError("deadline", "no progress");
      const timer = setTimeout(() => {
        for (const pipe of [up, down]) pipe.fail(late);
        answered.reject(late);
      }, deadline);
      timer.unref();
    }
    return Object.assign(near, { response: () => answered.promise, release: () => {} });
  }

  async #serve(
    handler: Handler,
    header: unknown,
    side: Side,
    from: NodeId,
    answered: PromiseWithResolvers<unknown>,
  ): Promise<void> {
    const respond = async (answer: unknown): Promise<void> =>
      answered.resolve(decode(encode(answer), "answer"));
    const caller: Caller = {
      node: from,
      incarnation: 1,
      member: true,
      address: "127.0.0.1:1",
      signal: new AbortController().signal,
    };
    try {
      await handler(header, Object.assign(side, { respond }), caller);
      answered.resolve(null);
      side.outgoing.end();
    } catch (error) {
      const told = error instanceof RingfoldError ? error : new RingfoldError("bug", String(error));
      answered.reject(told);
      side.outgoing.fail(told);
      side.incoming.fail(told);
    }
  }
}

/** The pipe of answers with the node's faults in it. */
function spoiled(pipe: Pipe, fault: NodeFault): Pipe {
  const push = pipe.push.bind(pipe);
  let sent = 0;
  pipe.push = async (chunk) => {
    sent += chunk.length;
    if (sent > fault.breakAfter) {
      pipe.fail(broken());
      throw broken();
    }
    const copy = Uint8Array.from(chunk);
    if (fault.flip) copy[0] = (copy[0] ?? 0) ^ 1;
    await push(copy);
  };
  return pipe;
}
