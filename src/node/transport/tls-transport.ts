/** The control transport over TLS 1.3: one dialled connection for each peer, shared by all requests to it. */

import type { RingfoldError } from "../../base/errors.ts";
import { present } from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import { checked } from "../../wire/cbor.ts";
import type { ControlService, Handler } from "./control-link.ts";
import { answerOf, Call, ControlLink } from "./control-link.ts";
import { unreachable } from "./dial.ts";
import type { EndpointOptions } from "./endpoint.ts";
import { Endpoint } from "./endpoint.ts";
import type { Link, LinkReceiver } from "./link.ts";
import type {
  Caller,
  CallOptions,
  MethodSpec,
  MethodTable,
  PeerAddress,
  PeerEvent,
  RequestOf,
  ResponseOf,
  Transport,
  TransportStats,
} from "./transport.ts";

/** @throws RingfoldError `port-in-use`, `listen-address` */
export async function listenTls<T extends MethodTable>(
  methods: T,
  options: EndpointOptions,
): Promise<Transport<T>> {
  const transport = new TlsTransport(methods, options);
  await transport.listen();
  return transport;
}

interface Outgoing {
  readonly address: string;
  readonly dialling: Promise<ControlLink>;
  /** There once the dial has succeeded. */
  link: ControlLink | undefined;
}

class TlsTransport<T extends MethodTable> implements Transport<T> {
  readonly #methods: T;
  readonly #options: EndpointOptions;
  readonly #handlers = new Map<string, Handler>();
  readonly #outgoing = new Map<NodeId, Outgoing>();
  readonly #controls = new WeakMap<Link, ControlLink>();
  #endpoint: Endpoint | undefined;

  constructor(methods: T, options: EndpointOptions) {
    this.#methods = methods;
    this.#options = options;
  }

  async listen(): Promise<void> {
    this.#endpoint = await Endpoint.listen(this.#options, {
      receive: (link) => this.#receive(link),
      strangers: Object.values(this.#methods).some((method) => method.open === true),
      reusesChunks: false,
      watchSilence: true,
    });
  }

  get #end(): Endpoint {
    return present(this.#endpoint, "a transport is used after it listens");
  }

  get address(): string {
    return this.#end.address;
  }

  async request<K extends keyof T & string>(
    to: PeerAddress,
    method: K,
    body: RequestOf<T, K>,
    options: CallOptions,
  ): Promise<ResponseOf<T, K>> {
    const spec = present<MethodSpec>(this.#methods[method], `method ${method} is in the table`);
    const call = new Call(method, checked(spec.request, body, `request ${method}`), options);
    const link = this.#linkTo(to);
    if (link instanceof ControlLink) link.begin(call);
    else {
      link.then(
        (opened) => opened.begin(call),
        (error: RingfoldError) => call.fail(error),
      );
    }
    const payload = await call.promise;
    const what = `response ${method}`;
    return checked(spec.response, answerOf(payload, what), what) as ResponseOf<T, K>;
  }

  handle<K extends keyof T & string>(
    method: K,
    handler: (body: RequestOf<T, K>, from: Caller) => Promise<ResponseOf<T, K>>,
  ): void {
    this.#handlers.set(method, (body, from) => handler(body as RequestOf<T, K>, from));
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

  #linkTo(to: PeerAddress): ControlLink | Promise<ControlLink> {
    const known = this.#outgoing.get(to.node);
    if (known?.link?.link.open === true) return known.link;
    // A dial to where the node was before must not hold up one to where it is now.
    if (known?.link === undefined && known?.address === to.address) return known.dialling;
    const outgoing: Outgoing = { address: to.address, dialling: this.#dial(to), link: undefined };
    this.#outgoing.set(to.node, outgoing);
    outgoing.dialling.then(
      (link) => (outgoing.link = link),
      () => this.#forget(to.node, outgoing),
    );
    return outgoing.dialling;
  }

  async #dial(to: PeerAddress): Promise<ControlLink> {
    const link = await this.#end.dial(to);
    const control = this.#controls.get(link);
    if (control === undefined || !link.open) {
      throw unreachable(to, "it closed the connection");
    }
    return control;
  }

  #forget(node: NodeId, outgoing: Outgoing): void {
    if (this.#outgoing.get(node) === outgoing) this.#outgoing.delete(node);
  }

  #receive(link: Link): LinkReceiver {
    const control = new ControlLink(link, this.#service());
    this.#controls.set(link, control);
    return control;
  }

  #service(): ControlService {
    return {
      methods: this.#methods,
      handlers: this.#handlers,
      counts: this.#end.peers.counts,
      admit: this.#options.admit,
      failed: (method, error) => this.#options.log?.warn({ method, err: error }, "handler failed"),
    };
  }
}
