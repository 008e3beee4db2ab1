/**
 * The leader's side of membership: admits, takes announcements, judges suspicions, computes the partition table, and tells
 * every node the view. All decisions are entered in the catalog first; the view that goes out is read back from it.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { errorNote, RingfoldError } from "../../base/errors.ts";
import type { Millis, NodeId, RingId } from "../../base/ids.ts";
import type { Member } from "../../ring/member.ts";
import { claimPartitions, EMPTY_TABLE } from "../../ring/partition-table.ts";
import { admissionPosition } from "../../ring/position.ts";
import type { Announcement, ControlMethods } from "../../wire/control.ts";
import type { Catalog } from "../catalog/catalog-port.ts";
import type { Transport } from "../transport/transport.ts";
import { type ClusterView, messageOf, type ViewHolder, viewOf } from "./view-holder.ts";

/** How long a dead node keeps its place in the table: it may only be restarting. */
const TABLE_GRACE: Millis = 60_000;
/** News of files alone are gathered for this long before everybody is told. */
const FILES_PULSE: Millis = 200;
/** A newcomer waits at most this long for the others to hear of it. */
const TELL_PATIENCE: Millis = 1000;

export interface MembershipParts {
  readonly self: NodeId;
  readonly ring: RingId;
  readonly catalog: Catalog;
  readonly transport: Transport<ControlMethods>;
  readonly view: ViewHolder;
  readonly log: Logger;
}

export class Membership {
  readonly #parts: MembershipParts;
  #admissions: Promise<unknown> = Promise.resolve();
  #refreshing: Promise<void> | undefined;
  #again = false;
  #tableTimer: NodeJS.Timeout | undefined;
  #filesTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  /** Founds the cluster or takes up an existing one, and enters this node as up. */
  async start(announcement: Announcement): Promise<void> {
    const { catalog, ring, self } = this.#parts;
    await catalog.propose({ type: "cluster-init", ringId: ring });
    const { members } = await catalog.query({ type: "state" });
    if (members.length === 0) await this.#enter(self, announcement, undefined);
    else await catalog.propose({ type: "member-up", id: self, ...announcement });
    catalog.onChange((changed) => {
      if (changed.has("members") || changed.has("table")) void this.refresh();
      else if (changed.has("files")) this.#filesSoon();
    });
    await this.refresh();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#tableTimer);
    clearTimeout(this.#filesTimer);
  }

  /** A newcomer that showed a token. @throws RingfoldError `token-wrong`, `token-expired` */
  async admit(node: NodeId, tokenHash: string, said: Announcement): Promise<ClusterView> {
    const entered = this.#admissions.then(() => this.#enter(node, said, tokenHash));
    this.#admissions = entered.catch(() => {});
    await entered;
    return this.#viewFor(node);
  }

  /** A member that is back. @throws RingfoldError `not-a-member` */
  async announce(node: NodeId, said: Announcement): Promise<ClusterView> {
    await this.#parts.catalog.propose({ type: "member-up", id: node, ...said });
    return this.#viewFor(node);
  }

  async down(node: NodeId, incarnation: number, reason: string): Promise<void> {
    this.#parts.log.warn({ node, incarnation, reason }, "node judged down");
    await this.#parts.catalog.propose({ type: "member-down", id: node, incarnation, reason });
  }

  async leaving(node: NodeId): Promise<void> {
    await this.#parts.catalog.propose({ type: "member-leaving", id: node });
  }

  /** The node handed everything over and goes, or was dead and is taken off the list. */
  async left(node: NodeId): Promise<void> {
    await this.#parts.catalog.propose({ type: "member-remove", id: node });
  }

  /** Reads the state back, fits the table to the members, and tells everybody. Never two at once. */
  async refresh(): Promise<void> {
    if (this.#refreshing !== undefined) {
      this.#again = true;
      return this.#refreshing;
    }
    this.#refreshing = this.#refreshAll().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refreshAll(): Promise<void> {
    do {
      this.#again = false;
      try {
        const view = await this.#read();
        if (this.#closed || (await this.#fitTable(view))) continue;
        if (this.#parts.view.offer(view)) await this.#tell(view);
      } catch (error) {
        this.#parts.log.error({ error: errorNote(error) }, "the view could not be renewed");
      }
    } while (this.#again && !this.#closed);
  }

  async #read(): Promise<ClusterView> {
    const { catalog, self, ring } = this.#parts;
    const state = await catalog.query({ type: "state" });
    return viewOf({
      ring: state.ringId ?? ring,
      leader: self,
      epoch: state.epoch,
      members: state.members.map((member) => ({ ...member })),
      table: (state.table ?? EMPTY_TABLE) as Parameters<typeof viewOf>[0]["table"],
      filesVersion: state.filesVersion,
    });
  }

  /** Proposes a table for the members that keep or get a place; true when one was set. */
  async #fitTable(view: ClusterView): Promise<boolean> {
    const now = Date.now();
    const placed = view.members.members.filter((member) => keepsPlace(member, now));
    this.#wakeForGrace(view.members.members, now);
    const hosts = placed.filter((member) => member.weight > 0);
    const before = view.table.version === 0 ? undefined : view.table;
    const next = claimPartitions(before, hosts);
    if (sameRows(view.table, next)) return false;
    await this.#parts.catalog.propose({
      type: "table-set",
      table: { ...next, version: view.table.version + 1 },
      basedOn: view.table.version,
    });
    this.#again = true;
    return true;
  }

  #wakeForGrace(members: readonly Member[], now: Millis): void {
    clearTimeout(this.#tableTimer);
    const ends = members.filter((m) => m.state === "down").map((m) => m.since + TABLE_GRACE);
    const next = Math.min(...ends.filter((end) => end > now));
    if (!Number.isFinite(next) || this.#closed) return;
    this.#tableTimer = setTimeout(() => void this.refresh(), next - now + 10);
  }

  #filesSoon(): void {
    if (this.#closed) return;
    this.#filesTimer ??= setTimeout(() => {
      this.#filesTimer = undefined;
      void this.refresh();
    }, FILES_PULSE);
  }

  /** Everybody who is up hears of it; the slow ones are not waited for. */
  async #tell(view: ClusterView): Promise<void> {
    const { transport, self, log } = this.#parts;
    const message = messageOf(view);
    const others = view.members.members.filter((m) => m.id !== self && m.state !== "down");
    const told = others.map((member) =>
      transport
        .request({ node: member.id, address: member.addresses.control }, "view", message, {
          deadline: 5000,
        })
        .catch((error: unknown) => log.debug({ node: member.id, error: errorNote(error) }, "view")),
    );
    await Promise.race([Promise.all(told), pause(TELL_PATIENCE, undefined, { ref: false })]);
  }

  async #enter(node: NodeId, said: Announcement, tokenHash: string | undefined): Promise<void> {
    const { members } = await this.#parts.catalog.query({ type: "state" });
    const others = members.filter((member) => member.id !== node);
    const known = members.find((member) => member.id === node);
    const position = known?.position ?? admissionPosition(others as unknown as Member[]);
    await this.#parts.catalog.propose({
      type: "member-admit",
      member: { id: node, position, ...said, name: freeName(said.name, others) },
      tokenHash,
    });
  }

  async #viewFor(node: NodeId): Promise<ClusterView> {
    await this.refresh();
    const view = this.#parts.view.current;
    if (view?.members.members.some((member) => member.id === node) !== true) {
      throw new RingfoldError("no-leader", "the leader could not read its catalog back");
    }
    return view;
  }
}

/** Two nodes of one name could not be told apart by people: the later one gets a number. */
function freeName(wanted: string, others: readonly { readonly name: string }[]): string {
  const taken = new Set(others.map((member) => member.name));
  if (!taken.has(wanted)) return wanted;
  let n = 2;
  while (taken.has(`${wanted}-${n}`)) n++;
  return `${wanted}-${n}`;
}

const keepsPlace = (member: Member, now: Millis): boolean =>
  member.state === "up" || (member.state === "down" && now - member.since < TABLE_GRACE);

function sameRows(
  a: { readonly hosts: readonly NodeId[]; readonly rows: readonly (readonly number[])[] },
  b: typeof a,
): boolean {
  return JSON.stringify([a.hosts, a.rows]) === JSON.stringify([b.hosts, b.rows]);
}
