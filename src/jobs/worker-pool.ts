/**
 * The nodes that can be given work: their slots, what they run, and who is passed over for a while
 * because tasks keep failing there. Dean and Ghemawat (2004), section 3.3; the blame rule is
 * Hadoop's per-node blacklist with evidence: a task's own failure blames a node only after the same
 * task went well on another.
 *
 * W1  A node is given a task only while it runs fewer than its slots. Asserted in schedule.ts,
 *     tested.
 * W2  News of a node older than what is known (by incarnation, then epoch) changes nothing. Tested.
 * W3  When every usable node is blamed, none is passed over. Tested.
 */
import { assert } from "../base/errors.ts";
import type { Epoch, JobId, Millis, NodeId } from "../base/ids.ts";
import type { Attempt, TaskRun } from "./task-run.ts";

export interface RunningTask {
  readonly job: JobId;
  readonly task: TaskRun;
  readonly attempt: Attempt;
}

interface Evidence {
  readonly job: JobId;
  readonly infra: boolean;
  readonly at: Millis;
}

export interface Worker {
  readonly node: NodeId;
  slots: number;
  zone: string;
  incarnation: number;
  epoch: Epoch;
  state: "up" | "leaving" | "down";
  readonly running: Set<RunningTask>;
  evidence: Evidence[];
  passedOverUntil: Millis;
}

/** How long a failure counts against a node, and how long a blamed node is passed over. */
export const BLAME_WINDOW: Millis = 60_000;
export const PASS_OVER: Millis = 30_000;
const BLAME_JOBS = 2;
const BLAME_INFRA = 3;

export class WorkerPool {
  readonly #workers = new Map<NodeId, Worker>();
  /** Those with a free slot that may be given work. */
  readonly #free = new Set<Worker>();

  get(node: NodeId): Worker | undefined {
    return this.#workers.get(node);
  }

  isLive(node: NodeId): boolean {
    const worker = this.#workers.get(node);
    return worker !== undefined && worker.state !== "down";
  }

  /** Enters or updates a node that is up; undefined when the news is old (W2). */
  up(news: Pick<Worker, "node" | "slots" | "zone" | "incarnation" | "epoch">): Worker | undefined {
    const known = this.#workers.get(news.node);
    if (known === undefined) return this.#enter(news);
    if (news.incarnation < known.incarnation) return undefined;
    const restarted = news.incarnation > known.incarnation;
    if (!restarted && news.epoch < known.epoch) return undefined;
    assert(!restarted || known.running.size === 0, "W1: what ran before a restart was given up");
    if (restarted) known.evidence = [];
    if (restarted) known.passedOverUntil = 0;
    // Whoever leaves goes on leaving until it is gone; a later epoch is somebody else's news.
    if (known.state === "down" || restarted) known.state = "up";
    Object.assign(known, { ...news, epoch: Math.max(news.epoch, known.epoch) });
    this.#settle(known);
    return known;
  }

  #enter(news: Pick<Worker, "node" | "slots" | "zone" | "incarnation" | "epoch">): Worker {
    const worker: Worker = {
      ...news,
      state: "up",
      running: new Set(),
      evidence: [],
      passedOverUntil: 0,
    };
    this.#workers.set(news.node, worker);
    this.#settle(worker);
    return worker;
  }

  /** Whether this news of a death counts (W2). */
  isNewsOf(node: NodeId, epoch: Epoch): boolean {
    const worker = this.#workers.get(node);
    return worker === undefined || (worker.state !== "down" && epoch >= worker.epoch);
  }

  setState(worker: Worker, state: "leaving" | "down"): void {
    worker.state = state;
    this.#settle(worker);
  }

  /**
   * The task takes a slot. One adopted after a restart of the coordinator may exceed them; none is
   * started then.
   */
  take(worker: Worker, run: RunningTask): void {
    worker.running.add(run);
    this.#settle(worker);
  }

  give(worker: Worker, run: RunningTask): void {
    worker.running.delete(run);
    this.#settle(worker);
  }

  /** Nodes with a free slot, most free slots first, then by id. */
  free(now: Millis): Worker[] {
    if (this.#free.size === 0) return [];
    const all = [...this.#free];
    const trusted = all.filter((worker) => worker.passedOverUntil <= now);
    const usable = trusted.length > 0 || this.#anyTrusted(now) ? trusted : all;
    return usable.sort(
      (a, b) => b.slots - b.running.size - (a.slots - a.running.size) || (a.node < b.node ? -1 : 1),
    );
  }

  /** Whether there is a node, busy or not, that is usable and not in the list. */
  hasOther(nodes: readonly NodeId[], now: Millis): boolean {
    return this.usable().some((w) => w.passedOverUntil <= now && !nodes.includes(w.node));
  }

  /** Nodes that may be given work, free or busy, by id. */
  usable(): Worker[] {
    return [...this.#workers.values()]
      .filter((worker) => worker.state === "up" && worker.slots > 0)
      .sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  /** Every node that runs something, in the order of their ids. */
  busy(): Worker[] {
    return [...this.#workers.values()]
      .filter((worker) => worker.running.size > 0)
      .sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  /** Counts a failure against a node; passes it over when there is enough. Answers until when. */
  blame(node: NodeId, job: JobId, infra: boolean, now: Millis): Millis | undefined {
    const worker = this.#workers.get(node);
    if (worker === undefined) return undefined;
    worker.evidence = worker.evidence.filter((seen) => now - seen.at < BLAME_WINDOW);
    worker.evidence.push({ job, infra, at: now });
    const jobs = new Set(worker.evidence.map((seen) => seen.job)).size;
    const infras = worker.evidence.filter((seen) => seen.infra).length;
    if (jobs < BLAME_JOBS && infras < BLAME_INFRA) return undefined;
    worker.evidence = [];
    worker.passedOverUntil = now + PASS_OVER;
    return worker.passedOverUntil;
  }

  /** The next moment after `now` at which a node is no longer passed over. */
  nextPardon(now: Millis): Millis | undefined {
    const times = [...this.#workers.values()].map((worker) => worker.passedOverUntil);
    const later = times.filter((at) => at > now);
    return later.length === 0 ? undefined : Math.min(...later);
  }

  #anyTrusted(now: Millis): boolean {
    return this.usable().some((worker) => worker.passedOverUntil <= now);
  }

  #settle(worker: Worker): void {
    const free = worker.state === "up" && worker.running.size < worker.slots;
    if (free) this.#free.add(worker);
    else this.#free.delete(worker);
  }
}
