/** A small cluster of repair planners for tests: virtual time, late and lost messages, crashes and returns, on one seed. */
import { sha256Hex } from "../base/hash.ts";
import type { BlockId, Millis, NodeId } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import { RepairPlanner } from "./repair.ts";
import type {
  BlockPlacement,
  RepairEffect,
  RepairInput,
  RepairMember,
  RepairOptions,
  WantedBlock,
} from "./repair-words.ts";

export const testNode = (n: number): NodeId => sha256Hex(`node ${n}`) as NodeId;
export const testBlock = (n: number): BlockId => sha256Hex(`block ${n}`) as BlockId;

/** Rendezvous hashing over 16 partitions: as good a placement as the ring's, and written apart from it. */
export function rendezvous(nodes: readonly NodeId[]): BlockPlacement {
  const partitionOf = (block: BlockId): number => Number.parseInt(block.slice(0, 1), 16);
  const orders = Array.from({ length: 16 }, (_, p) => {
    const score = new Map(nodes.map((id) => [id, sha256Hex(`${p} ${id}`)]));
    return nodes.toSorted((a, b) => ((score.get(a) ?? "") < (score.get(b) ?? "") ? -1 : 1));
  });
  return {
    partitionOf,
    holders(block, copies, usable) {
      const order = (orders[partitionOf(block)] ?? []).filter(usable);
      return copies === "all" ? order : order.slice(0, copies);
    },
  };
}

interface Host {
  readonly id: NodeId;
  readonly disk: Set<BlockId>;
  planner: RepairPlanner;
  timer: Millis | undefined;
  up: boolean;
  incarnation: number;
  /** What the member list says. */
  listed: RepairMember["state"];
}

interface Event {
  readonly at: Millis;
  readonly run: () => void;
}

export class RepairCluster {
  now: Millis = 0;
  readonly hosts: Host[];
  readonly trace: string[] = [];
  copies = 0;
  readonly #random: Random;
  readonly #options: Partial<RepairOptions>;
  #loss: number;
  readonly #wanted: WantedBlock[] = [];
  readonly #events: Event[] = [];

  constructor(random: Random, size: number, options: Partial<RepairOptions> = {}, loss = 0) {
    this.#random = random;
    this.#options = options;
    this.#loss = loss;
    this.hosts = Array.from({ length: size }, (_, n) => this.#host(testNode(n)));
    this.publish();
  }

  #host(id: NodeId): Host {
    const planner = new RepairPlanner(id, this.#options);
    const disk = new Set<BlockId>();
    return { id, disk, planner, timer: undefined, up: true, incarnation: 1, listed: "up" };
  }

  placement(): BlockPlacement {
    return rendezvous(this.hosts.map((host) => host.id));
  }

  liveHolders(wanted: WantedBlock): NodeId[] {
    const up = new Set(this.hosts.filter((host) => host.up).map((host) => host.id));
    return this.placement().holders(wanted.block, wanted.copies, (id) => up.has(id));
  }

  /** Stores a block on its live holders, or only on the first so many of them. */
  put(wanted: WantedBlock, on = Number.POSITIVE_INFINITY): void {
    this.#wanted.push(wanted);
    for (const id of this.liveHolders(wanted).slice(0, on)) this.#hostOf(id).disk.add(wanted.block);
    for (const host of this.hosts) {
      this.#later(host, { kind: "wanted-changed", set: [wanted], removed: [], now: 0 });
    }
  }

  wanted(n: number): WantedBlock {
    return this.#wanted[n] as WantedBlock;
  }

  join(): void {
    const host = this.#host(testNode(this.hosts.length));
    this.hosts.push(host);
    this.#later(host, { kind: "wanted-changed", set: this.#wanted, removed: [], now: 0 });
    this.publish();
  }

  /** Whether every wanted block would still have a copy on a host that is up. */
  mayCrash(host: Host): boolean {
    return this.#wanted.every(({ block }) =>
      this.hosts.some((other) => other !== host && other.up && other.disk.has(block)),
    );
  }

  crash(host: Host): void {
    host.up = false;
    this.#at(this.#random.below(500), () => {
      if (host.up) return;
      host.listed = "down";
      this.publish();
    });
  }

  restart(host: Host): void {
    host.up = true;
    host.incarnation++;
    host.listed = "up";
    host.timer = undefined;
    host.planner = new RepairPlanner(host.id, this.#options);
    this.#later(host, { kind: "wanted-changed", set: this.#wanted, removed: [], now: 0 });
    this.publish();
  }

  /** The member list to everybody, each at its own time but never an older one after a newer. */
  publish(): void {
    const members = this.hosts.map(({ id, incarnation, listed: state }) => ({
      id,
      incarnation,
      state,
    }));
    const placement = this.placement();
    for (const host of this.hosts) {
      this.#later(host, { kind: "view-changed", members, placement, now: 0 }, 0);
    }
  }

  quiet(): void {
    this.#loss = 0;
  }

  run(duration: Millis): void {
    const end = this.now + duration;
    for (;;) {
      const next = this.#events.at(-1);
      if (next === undefined || next.at > end) break;
      this.#events.pop();
      this.now = next.at;
      next.run();
    }
    this.now = end;
  }

  #at(delay: Millis, run: () => void): void {
    const at = this.now + delay;
    // The next event is the last of the list; of one moment, the one pushed first.
    let [low, high] = [0, this.#events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.at ?? 0) > at) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, { at, run });
  }

  #hostOf(id: NodeId): Host {
    const host = this.hosts.find((h) => h.id === id);
    if (host === undefined) throw new TypeError(`no host ${id}`);
    return host;
  }

  #later(host: Host, input: RepairInput, delay: Millis = this.#random.below(50)): void {
    const { incarnation } = host;
    this.#at(delay, () => {
      if (!host.up || host.incarnation !== incarnation) return;
      for (const effect of host.planner.step({ ...input, now: this.now })) this.#do(host, effect);
    });
  }

  #do(host: Host, effect: RepairEffect): void {
    if (effect.kind !== "report")
      this.trace.push(`${this.now} ${host.id.slice(0, 4)} ${said(effect)}`);
    if (effect.kind === "set-timer") this.#setTimer(host, effect.at);
    if (effect.kind === "ask-inventory") this.#ask(host, effect.ask, effect.node, effect.ids);
    if (effect.kind === "order-copy") this.#copy(host, effect.block, effect.from, effect.to);
  }

  #setTimer(host: Host, at: Millis): void {
    host.timer = at;
    const { incarnation } = host;
    this.#at(at - this.now, () => {
      if (host.timer !== at || host.incarnation !== incarnation) return;
      host.timer = undefined;
      this.#later(host, { kind: "timer-fired", now: 0 }, 0);
    });
  }

  #ask(host: Host, ask: number, node: NodeId, ids: readonly BlockId[]): void {
    const other = this.#hostOf(node);
    this.#at(this.#random.below(50), () => {
      const lost = !other.up || this.#random.next() < this.#loss;
      const missing = ids.filter((id) => !other.disk.has(id));
      if (lost) this.#later(host, { kind: "inventory-failed", ask, now: 0 }, 1000);
      else this.#later(host, { kind: "inventory-answer", ask, missing, now: 0 });
    });
  }

  #copy(host: Host, block: BlockId, from: NodeId, to: NodeId): void {
    const [source, target] = [this.#hostOf(from), this.#hostOf(to)];
    this.#at(this.#random.below(200), () => {
      const works = source.up && source.disk.has(block) && target.up;
      if (!works || this.#random.next() < this.#loss) {
        this.#later(host, { kind: "copy-failed", block, from, to, now: 0 }, 500);
        return;
      }
      target.disk.add(block);
      this.copies++;
      // The copy is made, the word of it may be lost: then the order counts as failed.
      const heard = this.#random.next() >= this.#loss;
      if (heard) this.#later(host, { kind: "copy-done", block, to, now: 0 });
      else this.#later(host, { kind: "copy-failed", block, from, to, now: 0 }, 500);
    });
  }
}

function said(effect: RepairEffect): string {
  if (effect.kind === "ask-inventory")
    return `asks ${effect.node.slice(0, 4)} ${effect.ids.length}`;
  if (effect.kind !== "order-copy") return effect.kind;
  const [block, from, to] = [effect.block, effect.from, effect.to].map((id) => id.slice(0, 4));
  return `copies ${block} ${from} ${to}`;
}
