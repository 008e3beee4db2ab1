/**
 * One simulated node: the product's cores, wired by a small shell that does what the real one does.
 */
import type { Millis, NodeId } from "../src/base/ids.ts";
import type { Checkers } from "./checkers.ts";
import type { Disk } from "./disk.ts";
import { type Flow, launch, pause } from "./flow.ts";
import type { Leader } from "./leader.ts";
import type { AnswerOf, Method, RequestOf, View } from "./methods.ts";
import type { Host, Network, Served } from "./network.ts";
import { Repair } from "./repair.ts";
import { Storage } from "./storage.ts";
import { Watch } from "./watch.ts";
import { type TaskFaults, Worker } from "./worker.ts";
import { newLife, type World } from "./world.ts";

const ANNOUNCE_DEADLINE: Millis = 1000;
const LEAVE_PATIENCE: Millis = 60_000;

export interface NodeParts {
  readonly id: NodeId;
  readonly name: string;
  readonly zone: string;
  readonly slots: number;
  readonly incarnation: number;
  readonly leader: NodeId;
  readonly disk: Disk;
  readonly world: World;
  readonly network: Network;
  readonly taskFaults: () => TaskFaults;
  readonly checkers: Checkers;
}

type Handlers = {
  readonly [M in Method]?: (body: RequestOf<M>, from: Host) => AnswerOf<M> | Flow<AnswerOf<M>>;
};

export class SimNode implements Host {
  readonly id: NodeId;
  readonly name: string;
  readonly zone: string;
  readonly slots: number;
  readonly incarnation: number;
  readonly leader: NodeId;
  readonly life = newLife();
  readonly checkers: Checkers;
  readonly storage: Storage;
  readonly worker: Worker;
  readonly watch: Watch;
  readonly repair: Repair;
  view: View | undefined;
  readonly #world: World;
  readonly #network: Network;
  readonly #handlers: Handlers;
  #led: Leader | undefined;

  constructor(parts: NodeParts) {
    this.id = parts.id;
    this.name = parts.name;
    this.zone = parts.zone;
    this.slots = parts.slots;
    this.incarnation = parts.incarnation;
    this.leader = parts.leader;
    this.checkers = parts.checkers;
    this.#world = parts.world;
    this.#network = parts.network;
    this.storage = new Storage(this, parts.disk, parts.world, parts.network);
    this.worker = new Worker(this, parts.world, parts.network, parts.taskFaults);
    this.watch = new Watch(this, parts.world, parts.network);
    this.repair = new Repair(this, parts.world, parts.network);
    this.#handlers = this.#served();
  }

  lead(leader: Leader): void {
    this.#led = leader;
  }

  serve(method: Method, body: unknown, from: Host): Served | undefined {
    this.watch.heard(from.id, from.incarnation);
    const led = this.#led?.serve(method, body, from);
    if (led !== undefined) return led;
    // The table of methods ties each handler to its body; the network hands over what the caller's
    // compiler checked.
    const handler = this.#handlers[method] as ((body: unknown, from: Host) => unknown) | undefined;
    if (handler === undefined) return undefined;
    const answer = handler(body, from);
    return isFlow(answer) ? { flow: answer } : { answer };
  }

  peerClosed(peer: NodeId, incarnation: number): void {
    this.watch.closed(peer, incarnation);
  }

  /** Takes a view over, if it is news. */
  takeView(view: View): void {
    if (this.view !== undefined && view.number <= this.view.number) return;
    this.view = view;
    this.watch.membersChanged(view.members);
    this.repair.viewChanged(view);
  }

  /** Makes itself known to the leader until that has heard. */
  *announce(): Flow<void> {
    const { incarnation, slots, zone } = this;
    const body = { incarnation, slots, zone };
    for (;;) {
      const reply = yield* this.#network.call(
        this,
        this.leader,
        "announce",
        body,
        ANNOUNCE_DEADLINE,
      );
      if (reply.ok) return this.takeView(reply.answer);
      yield* pause(this.#world, this.life, 200);
    }
  }

  /**
   * The polite leave: says so, finishes its work, waits until everything is whole without it, and
   * goes. Undefined when patience ended first: then it stays `leaving`, and serves.
   */
  *leave(): Flow<boolean> {
    const call = <M extends Method>(to: NodeId, method: M, body: RequestOf<M>) =>
      this.#network.call(this, to, method, body, ANNOUNCE_DEADLINE);
    const start = this.#world.now;
    while (this.#world.now - start < LEAVE_PATIENCE) {
      // Said again when it was forgotten: a leaving node that is judged down and comes back is up.
      if (this.#state !== "leaving") yield* call(this.leader, "leaving", null);
      yield* pause(this.#world, this.life, 500);
      const needs = yield* call(this.leader, "needs", null);
      if (!needs.ok || needs.answer.running + needs.answer.outputs > 0) continue;
      if (!(yield* this.#isWholeWithout())) continue;
      while (!(yield* call(this.leader, "left", null)).ok)
        yield* pause(this.#world, this.life, 200);
      return true;
    }
    return false;
  }

  /** Every other node has repaired what it plans for, in a view in which this one is leaving. */
  *#isWholeWithout(): Flow<boolean> {
    const { view } = this;
    if (view === undefined || this.#state !== "leaving") return false;
    for (const { id, state } of view.members.members) {
      if (state === "down") return false;
      const status = yield* this.#network.call(this, id, "repair-status", null, ANNOUNCE_DEADLINE);
      if (!status.ok) return false;
      const { report, epoch, filesVersion } = status.answer;
      if (epoch < view.members.epoch || filesVersion < view.filesVersion) return false;
      if (report.missing + report.unknown + report.noCopy > 0) return false;
    }
    return this.view === view;
  }

  get #state() {
    return this.view?.members.members.find((member) => member.id === this.id)?.state;
  }

  launch<T>(flow: Flow<T>, done?: (value: T) => void): void {
    launch(flow, this.life, done);
  }

  #served(): Handlers {
    const { storage, worker } = this;
    return {
      heartbeat: () => ({ incarnation: this.incarnation }),
      view: (view) => {
        this.takeView(view);
        return null;
      },
      inventory: (ids) => ids.filter((id) => !storage.disk.blocks.has(id)),
      "read-block": (block) => storage.disk.blocks.get(block),
      "store-block": ({ block, bytes }) => storage.store(block, bytes),
      "copy-block": ({ block, from }) => storage.copy(block, from),
      "repair-status": () => this.repair.status,
      "start-task": ({ order, shape }) => {
        worker.start(order, shape);
        return null;
      },
      "stop-task": (attempt) => {
        worker.stop(attempt);
        return null;
      },
      "clean-job": (job) => {
        worker.clean(job);
        return null;
      },
      "roll-call": () => worker.rollCall(),
      "read-segment": (which) => worker.segment(which),
    };
  }
}

const isFlow = (value: unknown): value is Flow<unknown> =>
  typeof value === "object" && value !== null && Symbol.iterator in value && "next" in value;
