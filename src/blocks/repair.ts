/**
 * Keeps the copies of blocks whole: pulls what a host should hold and does not, after a crash, a join or a put with too few
 * hosts. As in DHash and Dynamo's replica synchronization (section 4.7), but for blocks that never change, so that a plain
 * question "which of these do you lack?" is enough.
 *
 * Every block is planned for by its first live holder. It asks the holders (and, when none has it, everybody), orders
 * missing copies, and forgets all of that when the first live holder is another. Planning twice is harmless: a copy of a
 * block that is there is nothing.
 *
 * R1  After a quiet time every wanted block of which a copy lives has min(R, hosts) copies at its holders. Simulated.
 * R2  A member that is down keeps its place for the grace, unless one live copy is left. Tested.
 * R3  Fewest live copies go first. Tested.
 * R4  At most `inFlight` copies are ordered at a time, and none twice at once. Tested.
 * R5  A member that returns in time costs no copy. Tested.
 * R6  A failed copy is tried from another source; one without sources is looked for again. Tested.
 * R7  Only live members are asked, are sources or targets; a leaving one is a source, never a target. Tested.
 * R8  The order of effects depends on the inputs only. Tested.
 */
import { assert, unreachable } from "../base/errors.ts";
import type { BlockId, Millis, NodeId } from "../base/ids.ts";
import { InventoryAsks } from "./repair-asks.ts";
import { RepairQueue } from "./repair-queue.ts";
import { RepairView } from "./repair-view.ts";
import {
  REPAIR_DEFAULTS,
  type RepairEffect,
  type RepairInput,
  type RepairOptions,
  type RepairReport,
  type WantedBlock,
} from "./repair-words.ts";

type Knowledge = "has" | "lacks" | "asked";

interface Plan {
  readonly wanted: WantedBlock;
  readonly known: Map<NodeId, Knowledge>;
  /** Sources that failed since the last success. */
  readonly failed: Set<NodeId>;
  /** What it adds to the report. */
  share: RepairReport;
}

const NOTHING: RepairReport = { planned: 0, missing: 0, oneCopyLeft: 0, noCopy: 0, unknown: 0 };
/** A block without any copy is looked for this many times more slowly than a failed copy is tried again. */
const SEARCH_SLOWER = 10;

export class RepairPlanner {
  readonly #self: NodeId;
  readonly #options: RepairOptions;
  readonly #view: RepairView;
  readonly #wanted = new Map<BlockId, WantedBlock>();
  readonly #plans = new Map<BlockId, Plan>();
  readonly #queue = new RepairQueue();
  readonly #asks = new InventoryAsks();
  /** Copies ordered and not answered: block and target, with the source. */
  readonly #inFlight = new Map<string, { readonly from: NodeId; readonly to: NodeId }>();
  /** Blocks to look at again, all at one time. */
  readonly #again = new Set<BlockId>();
  #againAt: Millis | undefined;
  #auditAt: Millis | undefined;
  #timer: Millis | undefined;
  #report = NOTHING;
  #reported = NOTHING;

  constructor(self: NodeId, options: Partial<RepairOptions> = {}) {
    this.#self = self;
    this.#options = { ...REPAIR_DEFAULTS, ...options };
    this.#view = new RepairView(this.#options.grace);
  }

  step(input: RepairInput): RepairEffect[] {
    this.#take(input);
    return [
      ...this.#asks.effects(this.#options.batch),
      ...this.#copyEffects(input.now),
      ...this.#reportEffects(),
      ...this.#timerEffects(input.now),
    ];
  }

  /** How things stand with the blocks that this node plans for. */
  get report(): RepairReport {
    return this.#report;
  }

  #take(input: RepairInput): void {
    switch (input.kind) {
      case "wanted-changed":
        for (const block of input.removed) this.#unwant(block);
        for (const wanted of input.set) this.#want(wanted, input.now);
        return;
      case "view-changed":
        for (const id of this.#view.update(input.members, input.placement, input.now)) {
          this.#forgetNode(id);
        }
        this.#auditAt ??= input.now + this.#options.audit;
        return this.#considerAll(input.now);
      case "inventory-answer":
        return this.#answered(input.ask, new Set(input.missing), input.now);
      case "inventory-failed":
        return this.#answered(input.ask, undefined, input.now);
      case "copy-done":
        return this.#copied(input.block, input.to, input.now);
      case "copy-failed":
        return this.#copyFailed(input.block, input.from, input.to, input.now);
      case "copy-lost":
        this.#plans.get(input.block)?.known.set(input.node, "lacks");
        return this.#evaluate(input.block, input.now);
      case "timer-fired":
        return this.#timerFired(input.now);
      default:
        return unreachable(input);
    }
  }

  #want(wanted: WantedBlock, now: Millis): void {
    const known = this.#wanted.get(wanted.block);
    if (known?.copies === wanted.copies) return;
    this.#wanted.set(wanted.block, wanted);
    const plan = this.#plans.get(wanted.block);
    if (plan !== undefined) this.#plans.set(wanted.block, { ...plan, wanted });
    this.#consider(wanted, now);
  }

  #unwant(block: BlockId): void {
    this.#wanted.delete(block);
    this.#drop(block);
  }

  /** Takes up or drops the plan for a block. */
  #consider(wanted: WantedBlock, now: Millis): void {
    const { block, copies } = wanted;
    const { kept, strict } = this.#view.holding(block, copies);
    const planner = kept.find((id) => this.#view.isLive(id)) ?? strict[0];
    if (planner !== this.#self) return this.#drop(block);
    if (!this.#plans.has(block)) {
      this.#plans.set(block, { wanted, known: new Map(), failed: new Set(), share: NOTHING });
    }
    this.#evaluate(block, now);
  }

  #considerAll(now: Millis): void {
    for (const wanted of this.#wanted.values()) this.#consider(wanted, now);
  }

  #drop(block: BlockId): void {
    const plan = this.#plans.get(block);
    if (plan === undefined) return;
    this.#account(plan, NOTHING);
    this.#plans.delete(block);
    this.#queue.delete(block);
    this.#again.delete(block);
  }

  #forgetNode(id: NodeId): void {
    for (const plan of this.#plans.values()) plan.known.delete(id);
    this.#asks.forget(id);
    for (const [key, { from, to }] of this.#inFlight) {
      if (from === id || to === id) this.#inFlight.delete(key);
    }
  }

  /** Decides what a block needs next: to be asked about, to be copied, to be looked for, or nothing. */
  #evaluate(block: BlockId, now: Millis): void {
    const plan = this.#plans.get(block);
    if (plan === undefined) return;
    const { kept, strict } = this.#view.holding(block, plan.wanted.copies);
    const live = this.#sources(plan).length;
    let unknown = this.#askAbout(plan, kept);
    if (!unknown && live <= 1) unknown = this.#askAbout(plan, strict);
    if (!unknown && live === 0) unknown = this.#askAbout(plan, this.#view.nodes());
    const missing = this.#lacking(plan).length;
    if (missing > 0 && live > 0) this.#queue.add(block, live);
    else this.#queue.delete(block);
    const noCopy = !unknown && live === 0;
    if (noCopy) this.#tryLater(block, now + this.#options.retry * SEARCH_SLOWER);
    const last = !unknown && live === 1 && plan.wanted.copies !== 1;
    this.#account(plan, {
      planned: 1,
      missing,
      oneCopyLeft: last ? 1 : 0,
      noCopy: noCopy ? 1 : 0,
      unknown: unknown ? 1 : 0,
    });
  }

  /** Live nodes known to have the block, in an order that does not depend on who answered first. */
  #sources(plan: Plan): NodeId[] {
    return [...plan.known]
      .flatMap(([id, what]) => (what === "has" && this.#view.isLive(id) ? [id] : []))
      .sort();
  }

  /** Live holders known to lack it. With one live copy left, nobody's place is kept (R2). */
  #lacking(plan: Plan): NodeId[] {
    const { kept, strict } = this.#view.holding(plan.wanted.block, plan.wanted.copies);
    const unheard = kept.some((id) => this.#view.isLive(id) && !isHeard(plan.known.get(id)));
    const holders = !unheard && this.#sources(plan).length <= 1 ? strict : kept;
    return holders.filter((id) => this.#view.isLive(id) && plan.known.get(id) === "lacks");
  }

  /** Asks the live ones of whom nothing is known; true while an answer is awaited. */
  #askAbout(plan: Plan, nodes: readonly NodeId[]): boolean {
    const unheard = nodes.filter((id) => this.#view.isLive(id) && !isHeard(plan.known.get(id)));
    for (const id of unheard) {
      if (plan.known.get(id) === undefined) this.#asks.add(id, plan.wanted.block);
      plan.known.set(id, "asked");
    }
    return unheard.length > 0;
  }

  #answered(number: number, missing: ReadonlySet<BlockId> | undefined, now: Millis): void {
    const ask = this.#asks.close(number);
    if (ask === undefined) return;
    if (missing === undefined) {
      this.#asks.mute(ask.node);
      this.#wakeAt(now + this.#options.retry);
    }
    for (const block of ask.ids) {
      const plan = this.#plans.get(block);
      if (plan?.known.get(ask.node) !== "asked") continue;
      if (missing === undefined) plan.known.delete(ask.node);
      else plan.known.set(ask.node, missing.has(block) ? "lacks" : "has");
      this.#evaluate(block, now);
    }
  }

  #copied(block: BlockId, to: NodeId, now: Millis): void {
    this.#inFlight.delete(flight(block, to));
    const plan = this.#plans.get(block);
    if (plan === undefined || !this.#view.isLive(to)) return;
    plan.failed.clear();
    plan.known.set(to, "has");
    this.#evaluate(block, now);
  }

  /** The next source in turn; when all have failed, later, and the last one is asked whether it still has it. */
  #copyFailed(block: BlockId, from: NodeId, to: NodeId, now: Millis): void {
    this.#inFlight.delete(flight(block, to));
    const plan = this.#plans.get(block);
    if (plan === undefined) return;
    plan.failed.add(from);
    if (this.#sources(plan).some((id) => !plan.failed.has(id))) return this.#evaluate(block, now);
    plan.known.delete(from);
    this.#queue.delete(block);
    this.#tryLater(block, now + this.#options.retry);
  }

  #tryLater(block: BlockId, at: Millis): void {
    this.#again.add(block);
    this.#wakeAt(at);
  }

  #wakeAt(at: Millis): void {
    this.#againAt = Math.min(this.#againAt ?? at, at);
  }

  #timerFired(now: Millis): void {
    this.#timer = undefined;
    if (this.#againAt !== undefined && now >= this.#againAt) this.#tryAgain(now);
    const graceOver = this.#view.expire(now);
    const audit = this.#auditAt !== undefined && now >= this.#auditAt;
    if (audit) this.#startAudit(now);
    if (audit || graceOver) this.#considerAll(now);
  }

  #tryAgain(now: Millis): void {
    this.#againAt = undefined;
    this.#asks.unmute();
    const blocks = [...this.#again];
    this.#again.clear();
    for (const block of blocks) {
      const plan = this.#plans.get(block);
      if (plan === undefined) continue;
      plan.failed.clear();
      // Somebody may have got it meanwhile: another planner's order, or a client's put.
      forgetHeard(plan, (what) => what === "lacks");
      this.#evaluate(block, now);
    }
  }

  /** What was heard may have changed on the disks since. */
  #startAudit(now: Millis): void {
    this.#auditAt = now + this.#options.audit;
    for (const plan of this.#plans.values()) forgetHeard(plan, isHeard);
  }

  #copyEffects(now: Millis): RepairEffect[] {
    const effects: RepairEffect[] = [];
    while (this.#inFlight.size < this.#options.inFlight) {
      const block = this.#queue.next();
      if (block === undefined) break;
      const order = this.#order(block, now);
      if (order === undefined) continue;
      effects.push(order);
      this.#evaluate(block, now);
    }
    return effects;
  }

  /** One copy of the block, to the first holder that lacks it and is not being served. */
  #order(block: BlockId, now: Millis): RepairEffect | undefined {
    const plan = this.#plans.get(block);
    if (plan === undefined) return undefined;
    const to = this.#lacking(plan).find((id) => !this.#inFlight.has(flight(block, id)));
    const sources = this.#sources(plan).filter((id) => !plan.failed.has(id));
    const from = sources[Number.parseInt(block.slice(-8), 16) % Math.max(1, sources.length)];
    // The sources that are left failed once, when there were others: they are tried again (R6).
    if (to !== undefined && from === undefined) this.#tryLater(block, now + this.#options.retry);
    if (to === undefined || from === undefined) return undefined;
    assert(from !== to, "R7: a source is not the target");
    this.#inFlight.set(flight(block, to), { from, to });
    return { kind: "order-copy", block, length: plan.wanted.length, from, to };
  }

  #account(plan: Plan, share: RepairReport): void {
    const [total, before] = [this.#report, plan.share];
    const moved = (field: keyof RepairReport): number =>
      total[field] + share[field] - before[field];
    this.#report = {
      planned: moved("planned"),
      missing: moved("missing"),
      oneCopyLeft: moved("oneCopyLeft"),
      noCopy: moved("noCopy"),
      unknown: moved("unknown"),
    };
    plan.share = share;
  }

  #reportEffects(): RepairEffect[] {
    if (JSON.stringify(this.#report) === JSON.stringify(this.#reported)) return [];
    this.#reported = this.#report;
    return [{ kind: "report", ...this.#report }];
  }

  #timerEffects(now: Millis): RepairEffect[] {
    const times = [this.#againAt, this.#auditAt, this.#view.nextEnd()].filter(
      (at) => at !== undefined,
    );
    const at = Math.max(now + 1, Math.min(...times));
    if (times.length === 0 || at === this.#timer) return [];
    this.#timer = at;
    return [{ kind: "set-timer", at }];
  }
}

const flight = (block: BlockId, to: NodeId): string => `${block} ${to}`;

const isHeard = (what: Knowledge | undefined): boolean => what === "has" || what === "lacks";

function forgetHeard(plan: Plan, which: (what: Knowledge) => boolean): void {
  for (const [id, what] of plan.known) if (which(what)) plan.known.delete(id);
}
