/** The live connections of a transport by node, what happened to them, and who wants to know. */
import type { Bytes, NodeId } from "../../base/ids.ts";
import type { Link } from "./link.ts";
import type { CloseReason, PeerEvent, TransportStats } from "./transport.ts";

export class PeerTable {
  readonly #links = new Map<NodeId, Set<Link>>();
  readonly #listeners = new Set<(event: PeerEvent) => void>();
  readonly #closed: Partial<Record<CloseReason, number>> = {};
  readonly counts = {
    dials: 0,
    accepted: 0,
    requestsSent: 0,
    requestsServed: 0,
    streamsOpened: 0,
    streamsServed: 0,
  };
  /** Bytes of the connections that have ended. */
  #bytesIn: Bytes = 0;
  #bytesOut: Bytes = 0;

  /** False when the node is known by a higher incarnation: the newcomer is a ghost. */
  add(link: Link): boolean {
    const present = [...(this.#links.get(link.node) ?? [])];
    if (present.some((other) => other.incarnation > link.incarnation)) return false;
    const older = present.filter((other) => other.incarnation < link.incarnation);
    for (const other of older) other.sayBye("superseded");
    const links = this.#links.get(link.node) ?? new Set();
    links.add(link);
    this.#links.set(link.node, links);
    if (links.size === 1) {
      this.#emit({ type: "connected", node: link.node, incarnation: link.incarnation });
    }
    return true;
  }

  remove(link: Link, reason: CloseReason): void {
    this.#closed[reason] = (this.#closed[reason] ?? 0) + 1;
    this.#bytesIn += link.bytesIn;
    this.#bytesOut += link.bytesOut;
    const links = this.#links.get(link.node);
    if (links?.delete(link) !== true || links.size > 0) return;
    this.#links.delete(link.node);
    this.#emit({ type: "closed", node: link.node, incarnation: link.incarnation, reason });
  }

  /** A connection that ended before anybody knew whose it was. */
  countRefused(): void {
    this.#closed.refused = (this.#closed.refused ?? 0) + 1;
  }

  has(node: NodeId): boolean {
    return this.#links.has(node);
  }

  all(): Link[] {
    return [...this.#links.values()].flatMap((links) => [...links]);
  }

  listen(listener: (event: PeerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stats(): TransportStats {
    const links = this.all();
    return {
      ...this.counts,
      connections: links.length,
      bytesIn: links.reduce((sum, link) => sum + link.bytesIn, this.#bytesIn),
      bytesOut: links.reduce((sum, link) => sum + link.bytesOut, this.#bytesOut),
      closed: { ...this.#closed },
    };
  }

  #emit(event: PeerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
