/**
 * Keeps the copies whole: tells the repair core what the catalog wants and who is there, asks and orders what it says.
 * Every node drives its own planner; nobody has to run a command.
 */
import type { Logger } from "pino";
import { mapLimited } from "../../base/concurrency.ts";
import { errorNote, unreachable } from "../../base/errors.ts";
import type { BlockId, Millis, NodeId } from "../../base/ids.ts";
import { RepairPlanner } from "../../blocks/repair.ts";
import type {
  RepairEffect,
  RepairInput,
  RepairReport,
  WantedBlock,
} from "../../blocks/repair-words.ts";
import type { WantedManifest } from "../../catalog/queries.ts";
import { partitionOf, placement } from "../../ring/holders.ts";
import type { ControlMethods } from "../../wire/control.ts";
import type { DataPort } from "../data/data-port.ts";
import { decodeManifest } from "../data/manifest-block.ts";
import type { Transport } from "../transport/transport.ts";
import type { CatalogAccess } from "./catalog-access.ts";
import type { ClusterView, ViewHolder } from "./view-holder.ts";
import { addressOf } from "./watch-driver.ts";

const ASK_DEADLINE: Millis = 5000;
/** One block of 64 MiB from a slow peer. */
const COPY_DEADLINE: Millis = 60_000;
const PAGE = 1000;
/** Manifests read at once. */
const READERS = 8;
/** Pause before the wanted list is read again after a failure. */
const RETRY: Millis = 1000;

export interface RepairParts {
  readonly self: NodeId;
  readonly catalog: CatalogAccess;
  readonly transport: Transport<ControlMethods>;
  readonly data: DataPort;
  readonly view: ViewHolder;
  readonly log: Logger;
  /** From a member's death until its copies are made elsewhere. */
  readonly grace: Millis;
}

/** What the blocks of one manifest are, kept while a version with it is. */
interface Listed {
  readonly blocks: readonly { readonly block: BlockId; readonly length: number }[];
}

type Fact<I> = I extends { readonly now: Millis } ? Omit<I, "now"> : never;

const NOTHING: RepairReport = { planned: 0, missing: 0, oneCopyLeft: 0, noCopy: 0, unknown: 0 };

export class RepairDriver {
  readonly #parts: RepairParts;
  readonly #planner: RepairPlanner;
  readonly #manifests = new Map<BlockId, Listed>();
  #wanted = new Map<BlockId, WantedBlock>();
  #report: RepairReport = NOTHING;
  /** What the planner has been told of. */
  #epoch = 0;
  #filesVersion = -1;
  #reading = false;
  #timer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stop: (() => void) | undefined;
  #closed = false;

  constructor(parts: RepairParts) {
    this.#parts = parts;
    this.#planner = new RepairPlanner(parts.self, { grace: parts.grace });
  }

  start(): void {
    const { view } = this.#parts;
    this.#stop = view.subscribe((now) => this.#viewChanged(now));
    if (view.current !== undefined) this.#viewChanged(view.current);
  }

  close(): void {
    this.#closed = true;
    this.#stop?.();
    clearTimeout(this.#timer);
    clearTimeout(this.#retry);
  }

  /** Of the blocks that this node plans for, and of which view that is true. */
  get status(): {
    readonly report: RepairReport;
    readonly epoch: number;
    readonly filesVersion: number;
  } {
    return { report: this.#report, epoch: this.#epoch, filesVersion: this.#filesVersion };
  }

  /** A copy on this node was found bad or gone. */
  copyLost(block: BlockId): void {
    this.#feed({ kind: "copy-lost", block, node: this.#parts.self });
  }

  #viewChanged(view: ClusterView): void {
    const ready = placement(view.table, view.members.members);
    this.#epoch = view.members.epoch;
    this.#feed({
      kind: "view-changed",
      members: view.members.members,
      placement: {
        partitionOf: (block) => partitionOf(block, view.table.partitions),
        holders: (block, copies, usable) => ready.holders(block, copies, usable),
      },
    });
    if (view.filesVersion !== this.#filesVersion) this.#readSoon();
  }

  #readSoon(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#readWanted()
      .catch((error: unknown) => {
        this.#parts.log.warn({ error: errorNote(error) }, "the wanted blocks could not be read");
        this.#readAgain();
      })
      .finally(() => {
        this.#reading = false;
      });
  }

  #readAgain(): void {
    clearTimeout(this.#retry);
    if (!this.#closed) this.#retry = setTimeout(() => this.#readSoon(), RETRY);
  }

  async #readWanted(): Promise<void> {
    while (!this.#closed && this.#parts.view.current?.filesVersion !== this.#filesVersion) {
      const { version, manifests } = await this.#allWanted();
      const wanted = new Map<BlockId, WantedBlock>();
      const used = new Set<BlockId>();
      const read = await mapLimited(manifests, READERS, async (manifest) => {
        used.add(manifest.manifest);
        return this.#want(wanted, manifest);
      });
      for (const id of this.#manifests.keys()) if (!used.has(id)) this.#manifests.delete(id);
      this.#tellWanted(wanted);
      if (read.includes(false)) return this.#readAgain();
      this.#filesVersion = version;
    }
  }

  async #allWanted(): Promise<{ version: number; manifests: WantedManifest[] }> {
    const manifests: WantedManifest[] = [];
    let after: string | undefined;
    let version: number | undefined;
    do {
      const page = await this.#parts.catalog.query({ type: "wanted", after, limit: PAGE });
      version = Math.min(version ?? page.filesVersion, page.filesVersion);
      manifests.push(...page.manifests);
      after = page.next;
    } while (after !== undefined);
    return { version: version ?? 0, manifests };
  }

  /** The manifest's own block, and all that it lists; false when the manifest cannot be read just now. */
  async #want(wanted: Map<BlockId, WantedBlock>, of: WantedManifest): Promise<boolean> {
    add(wanted, { block: of.manifest, length: of.manifestBytes, copies: of.replicas });
    const listed = await this.#listed(of.manifest);
    for (const block of listed?.blocks ?? []) add(wanted, { ...block, copies: of.replicas });
    return listed !== undefined;
  }

  async #listed(id: BlockId): Promise<Listed | undefined> {
    const known = this.#manifests.get(id);
    if (known !== undefined) return known;
    try {
      const { blocks } = decodeManifest(id, await this.#parts.data.getSmall(id));
      const listed = { blocks: blocks.map(({ id: block, length }) => ({ block, length })) };
      this.#manifests.set(id, listed);
      return listed;
    } catch (error) {
      this.#parts.log.warn({ manifest: id, error: errorNote(error) }, "a manifest cannot be read");
      return undefined;
    }
  }

  #tellWanted(wanted: Map<BlockId, WantedBlock>): void {
    const before = this.#wanted;
    const set = [...wanted.values()].filter(
      ({ block, copies }) => before.get(block)?.copies !== copies,
    );
    const removed = [...before.keys()].filter((block) => !wanted.has(block));
    this.#wanted = wanted;
    if (set.length > 0 || removed.length > 0) this.#feed({ kind: "wanted-changed", set, removed });
  }

  #feed(fact: Fact<RepairInput>): void {
    if (this.#closed) return;
    const now = performance.now();
    for (const effect of this.#planner.step({ ...fact, now } as RepairInput)) this.#carry(effect);
  }

  #carry(effect: RepairEffect): void {
    switch (effect.kind) {
      case "ask-inventory":
        void this.#ask(effect);
        return;
      case "order-copy":
        void this.#copy(effect);
        return;
      case "set-timer":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(
          () => this.#feed({ kind: "timer-fired" }),
          Math.max(0, effect.at - performance.now()),
        );
        return;
      case "report": {
        const { kind: _kind, ...report } = effect;
        this.#report = report;
        return;
      }
      default:
        unreachable(effect);
    }
  }

  async #ask({ ask, node, ids }: Extract<RepairEffect, { kind: "ask-inventory" }>): Promise<void> {
    const { self, data, transport, view } = this.#parts;
    try {
      const to = addressOf(view, node);
      const missing =
        node === self || to === undefined
          ? await data.inventory(ids)
          : await transport.request(to, "inventory", [...ids], { deadline: ASK_DEADLINE });
      this.#feed({ kind: "inventory-answer", ask, missing });
    } catch {
      this.#feed({ kind: "inventory-failed", ask });
    }
  }

  async #copy(effect: Extract<RepairEffect, { kind: "order-copy" }>): Promise<void> {
    const { self, data, transport, view, log } = this.#parts;
    const { block, from, to } = effect;
    try {
      const target = addressOf(view, to);
      if (to === self || target === undefined) await data.copyBlock({ block, from });
      else {
        await transport.request(target, "copy-block", { block, from }, { deadline: COPY_DEADLINE });
      }
      this.#feed({ kind: "copy-done", block, to });
    } catch (error) {
      log.debug({ block, from, to, error: errorNote(error) }, "a copy failed");
      this.#feed({ kind: "copy-failed", block, from, to });
    }
  }
}

/** A block of several files keeps as many copies as the most careful of them wants. */
function add(wanted: Map<BlockId, WantedBlock>, block: WantedBlock): void {
  const known = wanted.get(block.block);
  if (known !== undefined && atLeast(known.copies, block.copies)) return;
  wanted.set(block.block, block);
}

const atLeast = (a: WantedBlock["copies"], b: WantedBlock["copies"]): boolean =>
  a === "all" || (b !== "all" && a >= b);
