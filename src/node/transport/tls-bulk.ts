/** The bulk transport over TLS 1.3: a pool of connections to each peer, each with one stream at a time. */
import { present, RingfoldError } from "../../base/errors.ts";
import type { Millis, NodeId } from "../../base/ids.ts";
import { OutgoingBulk, ServedBulk } from "./bulk-link.ts";
import { unreachable } from "./dial.ts";
import type { EndpointOptions } from "./endpoint.ts";
import { Endpoint } from "./endpoint.ts";
import { short } from "./hello.ts";
import type { Link, LinkReceiver } from "./link.ts";
import type {
  BulkAnswer,
  BulkStream,
  BulkTransport,
  Caller,
  CallOptions,
  PeerAddress,
  PeerEvent,
  TransportStats,
} from "./transport.ts";

/** Streams to one peer at once, at most. */
const MAX_STREAMS = 64;
/** Connections kept for later to one peer. */
const MAX_POOLED = 8;

export interface BulkOptions extends EndpointOptions {
  /** Longest time without progress while a handler waits for its caller. Default 60 s. */
  readonly serveDeadline?: Millis;
}

/** @throws RingfoldError `port-in-use`, `listen-address` */
export async function listenTlsBulk(options: BulkOptions): Promise<BulkTransport> {
  const transport = new TlsBulk(options);
  await transport.listen();
  return transport;
}

type StreamHandler = (header: unknown, stream: BulkAnswer, from: Caller) => Promise<void>;

class TlsBulk implements BulkTransport {
  readonly #options: BulkOptions;
  readonly #links = new Map<NodeId, Set<OutgoingBulk>>();
  readonly #outgoing = new WeakMap<Link, OutgoingBulk>();
  /** Dials under way to each peer. */
  readonly #dialling = new Map<NodeId, number>();
  #endpoint: Endpoint | undefined;
  #handler: StreamHandler | undefined;

  constructor(options: BulkOptions) {
    this.#options = options;
  }

  async listen(): Promise<void> {
    this.#endpoint = await Endpoint.listen(this.#options, {
      receive: (link) => this.#receive(link),
      strangers: false,
      reusesChunks: true,
      watchSilence: false,
    });
  }

  get #end(): Endpoint {
    return present(this.#endpoint, "a transport is used after it listens");
  }

  get address(): string {
    return this.#end.address;
  }

  async open(to: PeerAddress, header: unknown, options: CallOptions): Promise<BulkStream> {
    throwIfAborted(options.signal);
    const bulk = this.#pooled(to.node) ?? (await this.#dialWithin(to, options));
    this.#end.peers.counts.streamsOpened++;
    return bulk.open(header, options);
  }

  handleStream(handler: StreamHandler): void {
    this.#handler = handler;
  }

  connected(node: NodeId): boolean {
    return this.#end.peers.has(node);
  }

  onPeer(listener: (event: PeerEvent) => void): () => void {
    return this.#end.peers.listen(listener);
  }

  recheck(): void {
    this.#end.recheck();
  }

  stats(): TransportStats {
    return this.#end.peers.stats();
  }

  close(): Promise<void> {
    return this.#end.close();
  }

  #pooled(node: NodeId): OutgoingBulk | undefined {
    for (const bulk of this.#links.get(node) ?? []) if (bulk.free) return bulk;
    return undefined;
  }

  async #dialWithin(to: PeerAddress, options: CallOptions): Promise<OutgoingBulk> {
    const gone = Promise.withResolvers<never>();
    const give = (code: "deadline" | "cancelled", why: string): void =>
      gone.reject(new RingfoldError(code, `stream to node ${short(to.node)}: ${why}`));
    const timer = setTimeout(
      () => give("deadline", `no connection within ${options.deadline} ms`),
      options.deadline,
    );
    const onAbort = (): void => give("cancelled", "the caller cancelled it");
    options.signal?.addEventListener("abort", onAbort, { once: true });
    const dialled = this.#dial(to);
    try {
      return await Promise.race([dialled, gone.promise]);
    } catch (error) {
      dialled.then(
        (late) => late.unreserve(),
        () => undefined,
      );
      throw error;
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", onAbort);
    }
  }

  async #dial(to: PeerAddress): Promise<OutgoingBulk> {
    const dialling = this.#dialling.get(to.node) ?? 0;
    if (dialling + (this.#links.get(to.node)?.size ?? 0) >= MAX_STREAMS) {
      const text = `node ${short(to.node)}: ${MAX_STREAMS} streams are open already`;
      throw new RingfoldError("overloaded", text);
    }
    this.#dialling.set(to.node, dialling + 1);
    try {
      const link = await this.#end.dial(to);
      if (!link.open) throw unreachable(to, "it closed the connection");
      return present(this.#outgoing.get(link), "a dialled link has its receiver");
    } finally {
      const left = (this.#dialling.get(to.node) ?? 1) - 1;
      if (left === 0) this.#dialling.delete(to.node);
      else this.#dialling.set(to.node, left);
    }
  }

  #receive(link: Link): LinkReceiver {
    return link.dialled ? this.#keep(link) : this.#serve(link);
  }

  #keep(link: Link): OutgoingBulk {
    const links = this.#links.get(link.node) ?? new Set<OutgoingBulk>();
    this.#links.set(link.node, links);
    const bulk = new OutgoingBulk(link, {
      onFree: () => {
        if ([...links].filter((other) => other.free).length > MAX_POOLED) link.sayBye("idle");
      },
      onClosed: () => {
        links.delete(bulk);
        if (links.size === 0) this.#links.delete(link.node);
      },
    });
    links.add(bulk);
    this.#outgoing.set(link, bulk);
    return bulk;
  }

  #serve(link: Link): ServedBulk {
    return new ServedBulk(link, {
      deadline: this.#options.serveDeadline ?? 60_000,
      counts: this.#end.peers.counts,
      admitted: (served) => this.#options.admit(served.node),
      handler: () => this.#handler,
      failed: (error) => this.#options.log?.warn({ err: error }, "stream handler failed"),
    });
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new RingfoldError("cancelled", "the caller cancelled it");
}
