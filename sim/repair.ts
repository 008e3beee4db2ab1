/** Drives a node's repair planner. The simulated twin of the node's repair driver. */
import { unreachable } from "../src/base/errors.ts";
import type { BlockId, Millis } from "../src/base/ids.ts";
import { RepairPlanner } from "../src/blocks/repair.ts";
import type {
  RepairEffect,
  RepairInput,
  RepairReport,
  WantedBlock,
} from "../src/blocks/repair-words.ts";
import { partitionOf, placement } from "../src/ring/holders.ts";
import { type Flow, launch, pause } from "./flow.ts";
import type { View } from "./methods.ts";
import type { Network } from "./network.ts";
import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

const ASK_DEADLINE: Millis = 2000;
const COPY_DEADLINE: Millis = 3000;
const RETRY: Millis = 500;
/** A third of the product's, so that a run is short. */
export const REPAIR_GRACE: Millis = 5000;

type Fact<I> = I extends { readonly now: Millis } ? Omit<I, "now"> : never;

export class Repair {
  readonly #node: SimNode;
  readonly #world: World;
  readonly #network: Network;
  readonly #planner: RepairPlanner;
  #wanted = new Map<BlockId, WantedBlock>();
  #filesVersion = -1;
  #epoch = 0;
  #reading = false;
  #timer = 0;

  constructor(node: SimNode, world: World, network: Network) {
    this.#node = node;
    this.#world = world;
    this.#network = network;
    this.#planner = new RepairPlanner(node.id, { grace: REPAIR_GRACE, audit: 120_000 });
  }

  get status(): { report: RepairReport; epoch: number; filesVersion: number } {
    return { report: this.#planner.report, epoch: this.#epoch, filesVersion: this.#filesVersion };
  }

  viewChanged(view: View): void {
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
    if (view.filesVersion === this.#filesVersion || this.#reading) return;
    this.#reading = true;
    launch(this.#readWanted(), this.#node.life);
  }

  *#readWanted(): Flow<void> {
    const node = this.#node;
    while (node.view?.filesVersion !== this.#filesVersion) {
      const reply = yield* this.#network.call(node, node.leader, "wanted", null, ASK_DEADLINE);
      if (!reply.ok) {
        yield* pause(this.#world, node.life, RETRY);
        continue;
      }
      this.#tellWanted(reply.answer.blocks);
      this.#filesVersion = reply.answer.version;
      if (this.#filesVersion > (node.view?.filesVersion ?? 0)) break;
    }
    this.#reading = false;
  }

  #tellWanted(blocks: readonly WantedBlock[]): void {
    const before = this.#wanted;
    this.#wanted = new Map(blocks.map((wanted) => [wanted.block, wanted]));
    const set = blocks.filter(({ block, copies }) => before.get(block)?.copies !== copies);
    const removed = [...before.keys()].filter((block) => !this.#wanted.has(block));
    if (set.length > 0 || removed.length > 0) this.#feed({ kind: "wanted-changed", set, removed });
  }

  #feed(fact: Fact<RepairInput>): void {
    const input = { ...fact, now: this.#world.now } as RepairInput;
    for (const effect of this.#planner.step(input)) this.#carry(effect);
  }

  #carry(effect: RepairEffect): void {
    const { life } = this.#node;
    switch (effect.kind) {
      case "ask-inventory":
        return launch(this.#ask(effect), life);
      case "order-copy":
        return launch(this.#copy(effect), life);
      case "set-timer": {
        this.#timer += 1;
        const mine = this.#timer;
        const wait = Math.max(0, effect.at - this.#world.now);
        return this.#world.after(wait, life, () => {
          if (mine === this.#timer) this.#feed({ kind: "timer-fired" });
        });
      }
      case "report":
        return;
      default:
        unreachable(effect);
    }
  }

  *#ask({ ask, node, ids }: Extract<RepairEffect, { kind: "ask-inventory" }>): Flow<void> {
    const reply = yield* this.#network.call(this.#node, node, "inventory", ids, ASK_DEADLINE);
    if (reply.ok) this.#feed({ kind: "inventory-answer", ask, missing: reply.answer });
    else this.#feed({ kind: "inventory-failed", ask });
  }

  *#copy({ block, from, to }: Extract<RepairEffect, { kind: "order-copy" }>): Flow<void> {
    const body = { block, from };
    const reply = yield* this.#network.call(this.#node, to, "copy-block", body, COPY_DEADLINE);
    const kind = reply.ok && reply.answer ? "copy-done" : "copy-failed";
    this.#world.tell(`${this.#node.name} ${kind} ${block.slice(0, 6)}`);
    if (kind === "copy-done") this.#feed({ kind, block, to });
    else this.#feed({ kind, block, from, to });
  }
}
