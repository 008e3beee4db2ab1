/**
 * Task hosts by job: a host that ran a task of a job waits for the job's next one, and is ended with the job. One slot is
 * one host; an idle host of one job gives way to another job's task.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BlockId, Bytes, JobId, Millis } from "../../base/ids.ts";
import { describeJob } from "../hosts/describe-job.ts";
import type { HostPool } from "../hosts/host-pool.ts";
import type { TaskHost } from "../hosts/task-host.ts";
import type { JobDescription } from "../hosts/task-order.ts";

const BUNDLE = "job.mjs";
/** Below this a task takes less time than a fresh host needs to get up to speed … */
const SMALL_TASK: Bytes = 1024 * 1024;
/** … so it waits so long for one that is: once for each slot, where the tasks turn out to be slow ones. */
const PATIENCE: Millis = 250;
/** Descriptions that are remembered, by bundle. */
const DESCRIBED = 100;

/** A host with the job's bundle in its folder. */
export interface JobHost {
  readonly host: TaskHost;
  readonly bundle: string;
}

export class JobHosts {
  readonly #pool: HostPool;
  readonly #slots: number;
  readonly #spare: () => HostPool;
  readonly #getBundle: (id: BlockId) => Promise<Uint8Array>;
  readonly #idle = new Map<JobId, TaskHost[]>();
  readonly #leased = new Map<TaskHost, JobId>();
  /** Jobs for which a host is on its way. */
  readonly #starting: JobId[] = [];
  readonly #ended = new Set<JobId>();
  /** Small tasks that wait for a host of their job. */
  readonly #waiting = new Map<JobId, ((host: TaskHost | undefined) => void)[]>();
  /** Tasks that found all slots taken, and wait for one. */
  #queued = 0;
  readonly #described = new Map<BlockId, Promise<JobDescription>>();

  /** @param spare makes the pool for descriptions while all slots work */
  constructor(
    pool: HostPool,
    slots: number,
    spare: () => HostPool,
    getBundle: (id: BlockId) => Promise<Uint8Array>,
  ) {
    this.#pool = pool;
    this.#slots = slots;
    this.#spare = spare;
    this.#getBundle = getBundle;
  }

  /** A pool of one host beside the slots, for whatever must not wait for them. Close it. */
  spare(): HostPool {
    return this.#spare();
  }

  /** Processes that live now. */
  get pids(): number[] {
    const hosts = [...this.#leased.keys(), ...[...this.#idle.values()].flat()];
    return [...hosts, ...this.#pool.ready].flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  wake(job: JobId): void {
    this.#ended.delete(job);
    this.#pool.wake();
  }

  /**
   * A host for one task. A small task waits a moment for a host that serves its job already: a fresh one takes longer to
   * get up to speed than the task takes.
   * @param bytes of the task's input
   * @throws RingfoldError `cancelled` when the node is closing, `disk-failed`, `block-missing`
   */
  async lease(job: JobId, bundle: BlockId, bytes: Bytes): Promise<JobHost> {
    this.#ended.delete(job);
    // Decided before anything is waited for: orders come in twos.
    const waits = bytes <= SMALL_TASK && this.#serves(job);
    const known = this.#takeIdle(job) ?? (waits ? await this.#soonFree(job) : undefined);
    if (known !== undefined) {
      this.#leased.set(known, job);
      return { host: known, bundle: BUNDLE };
    }
    const host = await this.#fresh(job);
    this.#leased.set(host, job);
    try {
      await writeFile(join(host.paths.in, BUNDLE), await this.#getBundle(bundle));
    } catch (error) {
      await this.release({ host, bundle: BUNDLE });
      throw error;
    }
    return { host, bundle: BUNDLE };
  }

  /** The task is over; the host waits for the job's next one, unless somebody waits for the slot. */
  async release({ host }: JobHost): Promise<void> {
    const job = this.#leased.get(host);
    this.#leased.delete(host);
    const useless = job === undefined || !host.alive || this.#ended.has(job);
    if (useless || this.#queued > 0) return host.close();
    const waiting = this.#waiting.get(job)?.shift();
    if (waiting !== undefined) return waiting(host);
    this.#idle.set(job, [...(this.#idle.get(job) ?? []), host]);
  }

  async endJob(job: JobId): Promise<void> {
    this.#ended.add(job);
    for (const old of this.#ended) {
      if (this.#ended.size <= DESCRIBED) break;
      this.#ended.delete(old);
    }
    for (const waiting of this.#waiting.get(job)?.splice(0) ?? []) waiting(undefined);
    const idle = this.#idle.get(job) ?? [];
    this.#idle.delete(job);
    await Promise.all(idle.map((host) => host.close()));
  }

  /** What the bundle declares. @throws RingfoldError `job-file`, `job-threw`, `block-missing` … */
  describe(bundle: BlockId): Promise<JobDescription> {
    const known = this.#described.get(bundle);
    if (known !== undefined) return known;
    const asked = this.#describe(bundle);
    this.#described.set(bundle, asked);
    asked.catch(() => this.#described.delete(bundle));
    for (const old of this.#described.keys()) {
      if (this.#described.size <= DESCRIBED) break;
      this.#described.delete(old);
    }
    return asked;
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  async #describe(id: BlockId): Promise<JobDescription> {
    const bytes = await this.#getBundle(id);
    if (this.#pool.busy < this.#slots) return describeJob(this.#pool, { bytes });
    const spare = this.#spare();
    try {
      return await describeJob(spare, { bytes });
    } finally {
      await spare.close();
    }
  }

  async #fresh(job: JobId): Promise<TaskHost> {
    this.#starting.push(job);
    try {
      return await this.#take();
    } finally {
      this.#starting.splice(this.#starting.indexOf(job), 1);
    }
  }

  #serves(job: JobId): boolean {
    return this.#starting.includes(job) || Array.from(this.#leased.values()).includes(job);
  }

  #soonFree(job: JobId): Promise<TaskHost | undefined> {
    const waiting = this.#waiting.get(job) ?? [];
    this.#waiting.set(job, waiting);
    return new Promise((resolve) => {
      const answer = (host: TaskHost | undefined): void => {
        clearTimeout(timer);
        const place = waiting.indexOf(answer);
        if (place >= 0) waiting.splice(place, 1);
        if (waiting.length === 0) this.#waiting.delete(job);
        resolve(host);
      };
      const timer = setTimeout(() => answer(undefined), PATIENCE);
      waiting.push(answer);
    });
  }

  #takeIdle(job: JobId): TaskHost | undefined {
    const idle = this.#idle.get(job) ?? [];
    const host = idle.pop();
    if (idle.length === 0) this.#idle.delete(job);
    if (host?.alive !== false) return host;
    void host.close();
    return undefined;
  }

  async #take(): Promise<TaskHost> {
    if (this.#pool.busy < this.#slots) return this.#pool.lease();
    this.#queued++;
    try {
      await this.#makeRoom();
      return await this.#pool.lease();
    } finally {
      this.#queued--;
    }
  }

  /** The job that has waited longest gives one idle host up. */
  async #makeRoom(): Promise<void> {
    const [job] = this.#idle.keys();
    if (job === undefined) return;
    await this.#takeIdle(job)?.close();
  }
}
