/**
 * What this node does while it leads the catalog: membership, the coordinator, everybody's vitals, the event stream's
 * source, and the methods that other nodes call on the leader.
 */
import type { Logger } from "pino";
import type { Millis, NodeId, RingId } from "../../base/ids.ts";
import type { EventKind } from "../../contract/event.ts";
import { type Announcement, type ControlMethods, type Vitals } from "../../wire/control.ts";
import type { Catalog } from "../catalog/catalog-port.ts";
import type { DataPort } from "../data/data-port.ts";
import type { Transport } from "../transport/transport.ts";
import { LeaderAsks, VITALS_LIFE } from "./asks.ts";
import { Coordinator } from "./coordinator.ts";
import type { EventLog } from "./event-log.ts";
import type { JobResults } from "./job-results.ts";
import { Membership } from "./membership.ts";
import type { TaskRunner } from "./task-runner.ts";
import { messageOf, type ViewHolder } from "./view-holder.ts";
import { addressOf, type WatchDriver } from "./watch-driver.ts";

/** How long a leaving node's running tasks and map outputs are waited for. */
const HANDOVER: Millis = 30_000;
const LOOK: Millis = 200;

export interface LeaderParts {
  readonly self: NodeId;
  readonly incarnation: number;
  readonly ring: RingId;
  readonly catalog: Catalog;
  readonly transport: Transport<ControlMethods>;
  readonly data: DataPort;
  readonly runner: TaskRunner;
  readonly view: ViewHolder;
  readonly watch: WatchDriver;
  readonly events: EventLog;
  readonly results: JobResults;
  readonly log: Logger;
  /** This node's own. */
  readonly vitals: () => Vitals;
}

export class Leader {
  readonly #parts: LeaderParts;
  readonly #membership: Membership;
  readonly #vitals = new Map<NodeId, { readonly told: Vitals; readonly at: Millis }>();
  readonly coordinator: Coordinator;
  readonly asks: LeaderAsks;

  constructor(parts: LeaderParts) {
    this.#parts = parts;
    this.#membership = new Membership(parts);
    this.coordinator = new Coordinator({
      ...parts,
      tell: (kind, subject, text) => this.#tell(kind, subject, text),
    });
    this.asks = new LeaderAsks({
      ...parts,
      coordinator: this.coordinator,
      vitals: () => this.#freshVitals(),
    });
  }

  async start(announcement: Announcement): Promise<void> {
    this.#serve();
    await this.#membership.start(announcement);
    this.#parts.watch.lead({
      down: (node, incarnation, because) => this.#membership.down(node, incarnation, because),
      up: (node) => this.#upAgain(node),
    });
    await this.coordinator.start();
  }

  close(): void {
    this.#membership.close();
    this.coordinator.close();
  }

  #serve(): void {
    const { transport, catalog, watch } = this.#parts;
    const membership = this.#membership;
    transport.handle("admit", async ({ node, tokenHash, self }) =>
      messageOf(await membership.admit(node, tokenHash, self)),
    );
    transport.handle("announce", async (self, from) =>
      messageOf(await membership.announce(from.node, self)),
    );
    transport.handle("propose", (command) => catalog.propose(command));
    transport.handle("query", (query) => catalog.query(query));
    transport.handle("vitals", async (told, from) => {
      watch.heard(from.node, from.incarnation);
      this.#vitals.set(from.node, { told, at: performance.now() });
      return { epoch: this.#parts.view.members.epoch };
    });
    transport.handle("report", async (report, from) => this.coordinator.report(from.node, report));
    transport.handle("ask", ({ call, argument }) => this.asks.answer(call, argument));
    transport.handle("leaving", async (_body, from) => membership.leaving(from.node));
    transport.handle("left", async (_body, from) => this.#left(from.node));
  }

  /** Admits a newcomer that came to this node itself. */
  async admit(node: NodeId, tokenHash: string, said: Announcement) {
    return this.#membership.admit(node, tokenHash, said);
  }

  async #left(node: NodeId): Promise<void> {
    const end = performance.now() + HANDOVER;
    while (this.#stillNeeded(node) && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    }
    await this.#membership.left(node);
  }

  #stillNeeded(node: NodeId): boolean {
    const { running, outputs } = this.coordinator.needs(node);
    return running > 0 || outputs > 0;
  }

  /** It was only paused or cut off: it is what it was. */
  async #upAgain(node: NodeId): Promise<void> {
    const member = this.#parts.view.member(node);
    if (member === undefined) return;
    const { incarnation, addresses, slots } = member;
    this.#parts.log.info({ node }, "node heard again");
    await this.#parts.catalog.propose({
      type: "member-up",
      id: node,
      incarnation,
      addresses,
      slots,
    });
  }

  #freshVitals(): Record<string, Vitals> {
    const { self, vitals } = this.#parts;
    const oldest = performance.now() - VITALS_LIFE;
    const fresh = [...this.#vitals].filter(([, { at }]) => at >= oldest);
    return { ...Object.fromEntries(fresh.map(([id, { told }]) => [id, told])), [self]: vitals() };
  }

  /** An event of the coordinator's, for the streams of all nodes. */
  #tell(kind: EventKind, subject: string, text: string): void {
    const { self, events, transport, view } = this.#parts;
    const at = Date.now();
    events.add(kind, subject, text, at);
    for (const member of view.members.members) {
      const to = addressOf(view, member.id);
      if (member.id === self || member.state === "down" || to === undefined) continue;
      const message = [{ at, kind, subject, text: text.slice(0, 4000) }];
      transport.request(to, "events", message, { deadline: 5000 }).catch(() => {});
    }
  }
}
