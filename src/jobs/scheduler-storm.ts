/**
 * For tests: a scheduler in the middle of a storm, all on one seed. Nodes crash, restart, join and
 * leave; orders and reports are delayed, lost with their connection and repeated; the ledger
 * answers late. What is checked at each step is in {@link RandomCluster.feed} and the ledger; what
 * must hold when the storm is over in {@link RandomCluster.checkEnd}.
 */
import { assert } from "../base/errors.ts";
import { type JobId, jobId, type NodeId } from "../base/ids.ts";
import { type Random, seededRandom } from "../base/random.ts";
import { Scheduler } from "./scheduler.ts";
import type { SchedulerEffect, SchedulerInput } from "./scheduler-events.ts";
import { job, node, part, plan, segments, told } from "./scheduler-play.ts";
import type { JobAttempt, TaskFailure, TaskRecord, WorkOrder } from "./task.ts";

const LETTERS = ["a", "b", "c", "d", "e"];
const OWN_FAILURE_IN = 25;

const keyOf = (at: JobAttempt): string => `${at.job} ${at.phase} ${at.task} ${at.attempt}`;
const taskOf = (at: JobAttempt): string => `${at.job} ${at.phase} ${at.task}`;

/** A worker: what it really runs and really has, whatever the scheduler thinks. */
interface FakeNode {
  readonly id: NodeId;
  readonly slots: number;
  incarnation: number;
  state: "up" | "down" | "leaving";
  /** Orders under way to it, in order. */
  inbox: SchedulerEffect[];
  running: Map<string, WorkOrder>;
  /** Results that it has told, kept to tell them again. */
  told: Map<string, SchedulerInput>;
  /** Map outputs, by attempt. */
  outputs: Set<string>;
}

export class RandomCluster {
  readonly trace: string[] = [];
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  readonly #nodes = new Map<NodeId, FakeNode>();
  readonly #jobs = new Map<JobId, ReturnType<typeof plan>>();
  readonly #ends = new Map<JobId, Extract<SchedulerEffect, { type: "end-job" }>>();
  /** The ledger: what counts, by task. */
  readonly #ledger = new Map<string, TaskRecord>();
  #ledgerInbox: SchedulerEffect[] = [];
  /** Reports under way to the scheduler, in no order. */
  #reports: SchedulerInput[] = [];
  /** What the scheduler has ordered and not heard the end of, by node. */
  readonly #ordered = new Map<NodeId, Set<string>>();
  #now = 0;
  #epoch = 0;
  #timer: number | undefined;
  #stormy = true;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#scheduler = new Scheduler((id) =>
      LETTERS.filter((letter, i) => (id.charCodeAt(1) + i) % 3 === 0).map(node),
    );
    for (const letter of LETTERS.slice(0, 2 + this.#random.below(2))) this.#join(letter);
  }

  /** So many random moves. */
  blow(moves: number): void {
    for (let i = 0; i < moves; i++) this.#move();
  }

  /** No more faults; whatever is under way arrives, until nothing happens any more. */
  calm(): void {
    this.#stormy = false;
    for (const one of this.#nodes.values()) {
      if (one.state === "leaving") this.#crash(one);
      if (one.state === "down") this.#restart(one);
    }
    for (const one of this.#nodes.values()) this.#reconnect(one);
    for (let i = 0; i < 20_000 && this.#scheduler.jobs().length > 0; i++) this.#move();
    for (let i = 0; i < 1000 && this.#deliver(); i++);
  }

  checkEnd(): void {
    assert(this.#scheduler.jobs().length === 0, "J1: every job ends once the storm is over");
    for (const [id, made] of this.#jobs) {
      const end = this.#ends.get(id);
      assert(end !== undefined, "J1: every job ends");
      if (end.state !== "done") continue;
      const phase = made.partitions === 0 ? "map" : "reduce";
      const tasks = made.partitions === 0 ? made.maps.length : made.partitions;
      assert(end.outputs.length === tasks, "J7: all parts");
      for (const { task, output } of end.outputs) {
        const record = this.#ledger.get(`${id} ${phase} ${task}`);
        assert(record?.result.output === output, "J4: the part that counts is the ledger's");
      }
    }
    for (const one of this.#nodes.values()) {
      const needs = this.#scheduler.needs(one.id);
      assert(needs.running === 0 && needs.outputs === 0, "J5: all slots are free in the end");
      assert(one.running.size === 0, "J1: nothing runs when every job is over");
      assert(one.outputs.size === 0, "J1: every node is told to clean up");
    }
  }

  #move(): void {
    this.#now += this.#random.below(60);
    if (this.#timer !== undefined && this.#now >= this.#timer) {
      this.#timer = undefined;
      this.#feed({ type: "timer-fired" });
    }
    const dice = this.#random.below(100);
    if (this.#stormy && dice < 6) this.#fault();
    else if (this.#stormy && dice < 10) this.#submitOne();
    else if (dice < 50) this.#finishOne();
    else this.#deliver();
    if (!this.#stormy) this.#now += 20;
    for (const one of this.#nodes.values()) {
      for (const order of one.running.values()) this.#progress(one, order);
    }
  }

  #fault(): void {
    const one = this.#random.pick([...this.#nodes.values()]);
    const dice = this.#random.below(10);
    if (dice < 3 && one.state !== "down") this.#crash(one);
    else if (dice < 5 && one.state === "down") this.#restart(one);
    else if (dice < 6) this.#join(this.#random.pick(LETTERS));
    else if (dice < 7 && one.state === "up") {
      one.state = "leaving";
      this.#feed({ type: "node-leaving", node: one.id });
    } else if (dice < 9 && one.state !== "down") this.#reconnect(one);
    else if (this.#random.below(4) === 0 && this.#jobs.size > 0) {
      this.#feed({ type: "cancel", job: this.#random.pick([...this.#jobs.keys()]) });
    }
  }

  #join(letter: string): void {
    const id = node(letter);
    if (this.#nodes.has(id)) return;
    const fresh = { inbox: [], running: new Map(), told: new Map(), outputs: new Set<string>() };
    const slots = 1 + this.#random.below(3);
    const one: FakeNode = { id, slots, incarnation: 0, state: "down", ...fresh };
    this.#nodes.set(id, one);
    this.#restart(one);
  }

  #restart(one: FakeNode): void {
    one.state = "up";
    one.incarnation += 1;
    this.#epoch += 1;
    this.#ordered.set(one.id, new Set());
    const { id, slots, incarnation } = one;
    this.#feed({ type: "node-up", node: id, slots, zone: "z", incarnation, epoch: this.#epoch });
  }

  /** Memory and outputs are gone; what it said before may still arrive. */
  #crash(one: FakeNode): void {
    one.state = "down";
    one.inbox = [];
    one.running.clear();
    one.told.clear();
    one.outputs.clear();
    this.#epoch += 1;
    this.#ordered.set(one.id, new Set());
    this.#feed({ type: "node-down", node: one.id, epoch: this.#epoch });
  }

  /** The connection broke: orders and reports under way are lost; the node tells what it runs. */
  #reconnect(one: FakeNode): void {
    one.inbox = [];
    this.#reports = this.#reports.filter((it) => !("node" in it) || it.node !== one.id);
    const running = [...one.running.values()].map(({ job: id, phase, task, attempt }) => ({
      job: id,
      phase,
      task,
      attempt,
    }));
    const names = [...one.outputs, ...one.running.keys()].map((key) => key.split(" ")[0] ?? "");
    const holding = names.map(jobId);
    const reported = new Set(running.map(keyOf));
    const ordered = this.#ordered.get(one.id) ?? new Set();
    for (const key of ordered) if (!reported.has(key)) ordered.delete(key);
    this.#feed({ type: "node-report", node: one.id, running, holding });
  }

  #submitOne(): void {
    if (this.#jobs.size >= 3) return;
    const id = ["x", "y", "z"][this.#jobs.size] ?? "x";
    const made = plan({
      id,
      reducers: this.#random.below(4),
      maxAttempts: 3,
      ...(this.#random.below(2) === 0
        ? { maps: 1 + this.#random.below(12) }
        : { blocks: Array.from({ length: 1 + this.#random.below(12) }, (_, i) => `b${i}`) }),
    });
    this.#jobs.set(job(id), made);
    this.#feed({ type: "job-submitted", plan: made });
  }

  #progress(one: FakeNode, order: WorkOrder): void {
    if (this.#random.below(4) > 0) return;
    const { job: id, phase, task, attempt } = order;
    this.#feed({ type: "task-progress", node: one.id, job: id, phase, task, attempt, share: 0.5 });
  }

  #finishOne(): void {
    const busy = [...this.#nodes.values()].filter((one) => one.running.size > 0);
    if (busy.length === 0) return void this.#deliver();
    const one = this.#random.pick(busy);
    const order = this.#random.pick([...one.running.values()]);
    const { job: id, phase, task, attempt } = order;
    const at = { job: id, phase, task, attempt, node: one.id };
    one.running.delete(keyOf(order));
    const failure = this.#failureOf(order);
    const partitions = this.#jobs.get(id)?.partitions ?? 0;
    const isSegments = phase === "map" && partitions > 0;
    if (failure === undefined && isSegments) one.outputs.add(keyOf(order));
    const result = isSegments ? segments(partitions) : part(`f${task}`);
    const report: SchedulerInput =
      failure === undefined
        ? { type: "task-done", ...at, result }
        : { type: "task-failed", ...at, failure };
    one.told.set(keyOf(order), report);
    this.#reports.push(report);
    if (this.#stormy && this.#random.below(5) === 0) this.#reports.push(report);
  }

  #failureOf(order: WorkOrder): TaskFailure | undefined {
    if (order.phase === "reduce") {
      const lostMaps = order.segments
        .filter((it) => {
          const holder = this.#nodes.get(it.node);
          const key = keyOf({ ...it, job: order.job, phase: "map" });
          return holder === undefined || holder.state === "down" || !holder.outputs.has(key);
        })
        .map((it) => it.task);
      if (lostMaps.length > 0) {
        return { kind: "lost-segment", code: "peer-unreachable", message: "gone", lostMaps };
      }
    }
    if (!this.#stormy || this.#random.below(OWN_FAILURE_IN) > 0) return undefined;
    const kind = this.#random.pick(["user", "died", "limit", "infra", "missing-input"] as const);
    return { kind, code: "job-threw", message: "boom" };
  }

  /** One message arrives somewhere. False when none is under way. */
  #deliver(): boolean {
    const inboxes = [...this.#nodes.values()].filter((one) => one.inbox.length > 0);
    const ways: (() => void)[] = inboxes.map((one) => () => this.#obey(one, one.inbox.shift()));
    if (this.#ledgerInbox.length > 0) ways.push(() => this.#write(this.#ledgerInbox.shift()));
    if (this.#reports.length > 0) {
      ways.push(() => {
        const [report] = this.#reports.splice(this.#random.below(this.#reports.length), 1);
        if (report !== undefined) this.#feed(report);
      });
    }
    if (ways.length === 0) return false;
    this.#random.pick(ways)();
    return true;
  }

  #obey(one: FakeNode, effect: SchedulerEffect | undefined): void {
    if (effect?.type === "start-task") {
      const key = keyOf(effect.order);
      const again = one.told.get(key);
      if (again !== undefined) this.#reports.push(again);
      else one.running.set(key, effect.order);
    } else if (effect?.type === "stop-task") {
      one.running.delete(keyOf(effect));
      one.outputs.delete(keyOf(effect));
    } else if (effect?.type === "clean-job") {
      for (const key of one.running.keys()) if (key.startsWith(effect.job)) one.running.delete(key);
      for (const key of one.outputs) if (key.startsWith(effect.job)) one.outputs.delete(key);
    }
  }

  #write(effect: SchedulerEffect | undefined): void {
    if (effect?.type === "record-lost") {
      for (const at of effect.tasks) {
        const key = taskOf({ ...at, job: effect.job });
        if (this.#ledger.get(key)?.attempt === at.attempt) this.#ledger.delete(key);
      }
    }
    if (effect?.type !== "record") return;
    for (const record of effect.tasks) {
      const key = taskOf({ ...record, job: effect.job });
      assert(!this.#ledger.has(key), "J4: each task is recorded once");
      this.#ledger.set(key, record);
    }
    this.#reports.push({
      type: "tasks-recorded",
      job: effect.job,
      accepted: effect.tasks,
      ignored: [],
    });
  }

  /** Feeds the scheduler and checks what it orders. */
  #feed(input: SchedulerInput): void {
    if (input.type === "task-done" || input.type === "task-failed") {
      this.#ordered.get(input.node)?.delete(keyOf(input));
    }
    const effects = this.#scheduler.step(input, this.#now);
    if (input.type !== "task-progress") this.trace.push(input.type, ...effects.map(told));
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: SchedulerEffect): void {
    if ("job" in effect && effect.type !== "clean-job" && effect.type !== "stop-task") {
      assert(!this.#ends.has(effect.job), "J1: nothing is ordered after the end");
    }
    if (effect.type === "set-timer") this.#timer = Math.min(effect.at, this.#timer ?? Infinity);
    else if (effect.type === "end-job") this.#ends.set(effect.job, effect);
    else if (effect.type === "record" || effect.type === "record-lost") {
      this.#ledgerInbox.push(effect);
    } else if (effect.type !== "wake-hosts") {
      this.#account(effect);
      this.#nodes.get(effect.node)?.inbox.push(effect);
    }
  }

  #account(effect: Extract<SchedulerEffect, { type: "start-task" | "stop-task" | "clean-job" }>) {
    const one = this.#nodes.get(effect.node);
    const open = this.#ordered.get(effect.node);
    if (effect.type === "stop-task") open?.delete(keyOf(effect));
    if (effect.type !== "start-task") return;
    const { order } = effect;
    assert(!this.#ends.has(order.job), "J1: no task is started after its job's end");
    assert(one?.state === "up", "J5: work goes to nodes that are up");
    open?.add(keyOf(order));
    assert((open?.size ?? 0) <= (one?.slots ?? 0), "J5: never more than the slots");
  }
}
