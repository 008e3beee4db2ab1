/**
 * Task hosts started ahead: one process per slot, each for one job, never used again for another. They are started when
 * work is near (a job was announced, or the last one is not long over), and given back when none came for a while.
 *
 * P1: never more leased hosts than slots; a lease waits, in order. Tested.
 * P2: a closed host's process is not given to another job. Kept by construction: a lease takes a fresh host.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { RingfoldError } from "../../base/errors.ts";
import type { Millis } from "../../base/ids.ts";
import { HOST_LIMITS, type HostLimits } from "./host-limits.ts";
import { makeScratch } from "./host-process.ts";
import { hostProgram } from "./host-program.ts";
import { TaskHost } from "./task-host.ts";

export interface PoolOptions {
  /** Hosts that may be leased at a time. */
  readonly slots: number;
  /** Folder of the hosts' scratch folders, absolute; its old ones are removed. */
  readonly scratchRoot: string;
  readonly limits?: Partial<HostLimits>;
  /** Processes started ahead of a job that is near; default 1. */
  readonly warm?: number;
  /** How long they are kept without work; default 60 s. */
  readonly linger?: Millis;
}

const LINGER: Millis = 60_000;

export class HostPool {
  private readonly options: PoolOptions;
  private readonly limits: HostLimits;
  private readonly program: Promise<string>;
  private readonly fresh: Promise<TaskHost>[] = [];
  /** Hosts whose process has been started and not closed. */
  private readonly made = new Set<TaskHost>();
  private readonly leased = new Set<TaskHost>();
  private readonly waiting: ((closed: boolean) => void)[] = [];
  private taken = 0;
  private started = 0;
  private closed = false;
  private idle: NodeJS.Timeout | undefined;

  constructor(options: PoolOptions) {
    this.options = options;
    this.limits = { ...HOST_LIMITS, ...options.limits };
    this.program = this.prepare();
    this.program.catch(() => undefined);
  }

  /** Hosts that wait for a lease. */
  get ready(): readonly TaskHost[] {
    return [...this.made].filter((host) => !this.leased.has(host));
  }

  /** Hosts leased now. */
  get busy(): number {
    return this.taken;
  }

  private get warm(): number {
    return this.options.warm ?? 1;
  }

  /** A job is coming. */
  wake(): void {
    this.fill(Math.min(this.warm, this.options.slots - this.taken));
    if (this.taken === 0) this.endLater();
  }

  /**
   * A host of one's own, for tasks of one job. Waits for a free slot. Give it back with `close`.
   * @throws RingfoldError `cancelled` when the pool is closed, `disk-failed` when the scratch folder cannot be made
   */
  async lease(): Promise<TaskHost> {
    if (this.taken >= this.options.slots) {
      const closed = await new Promise<boolean>((resolve) => this.waiting.push(resolve));
      if (closed) throw new RingfoldError("cancelled", "the task hosts are closed");
    } else this.taken++;
    if (this.closed) throw new RingfoldError("cancelled", "the task hosts are closed");
    try {
      const host = await this.takeFresh();
      this.leased.add(host);
      return host;
    } catch (thrown) {
      this.release();
      throw thrown;
    }
  }

  /** Ends all processes and removes all scratch folders. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.idle);
    for (const wake of this.waiting.splice(0)) wake(true);
    const fresh = await Promise.allSettled(this.fresh.splice(0));
    const hosts = fresh.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    await Promise.all([...hosts, ...this.leased].map((host) => host.close()));
    await rm(this.options.scratchRoot, { recursive: true, force: true });
  }

  private async prepare(): Promise<string> {
    const { scratchRoot } = this.options;
    try {
      await rm(scratchRoot, { recursive: true, force: true });
      await mkdir(scratchRoot, { recursive: true, mode: 0o700 });
    } catch (cause) {
      const why = `cannot make the scratch folder ${scratchRoot}`;
      throw new RingfoldError("disk-failed", why, { cause });
    }
    return hostProgram(join(scratchRoot, "program"));
  }

  private async takeFresh(): Promise<TaskHost> {
    const next = this.fresh.shift() ?? this.start();
    clearTimeout(this.idle);
    const host = await next;
    await host.ready;
    if (host.alive) return host;
    await host.close();
    const again = await this.start();
    await again.ready;
    return again;
  }

  private fill(count: number): void {
    while (!this.closed && this.fresh.length < count) {
      const host = this.start();
      host.catch(() => undefined);
      this.fresh.push(host);
    }
  }

  private async start(): Promise<TaskHost> {
    const root = join(this.options.scratchRoot, `${this.started++}`);
    const program = await this.program;
    const paths = await makeScratch(root);
    const host: TaskHost = new TaskHost(program, paths, this.limits, () => {
      this.made.delete(host);
      if (this.leased.delete(host)) this.release();
    });
    this.made.add(host);
    return host;
  }

  /** The slot goes to whoever waits longest. */
  private release(): void {
    const wake = this.waiting.shift();
    if (wake !== undefined) wake(false);
    else if (--this.taken === 0 && !this.closed) {
      this.fill(this.warm);
      this.endLater();
    }
  }

  private endLater(): void {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => void this.trim(), this.options.linger ?? LINGER);
    this.idle.unref();
  }

  /** Idle for long: gives the memory back. */
  private async trim(): Promise<void> {
    const spare = this.fresh.splice(0);
    for (const one of await Promise.allSettled(spare)) {
      if (one.status === "fulfilled") await one.value.close();
    }
  }
}
