/**
 * The parent's view of one task host: gives it orders, watches its limits, and turns whatever happens into a result.
 *
 * H1: `run` always resolves, with the child's answer or a failure that says what happened; it never throws for
 *     anything that the child does. Tested with each bad job.
 * H2: a host that failed by limit, death or cancellation is dead, its process gone: lease another. Tested.
 * H3: after `close` neither process nor scratch folder is left. Tested.
 */
import { copyFile, link, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { RingfoldError } from "../../base/errors.ts";
import type { HostMessage } from "./child-frames.ts";
import { HostFrames, orderFrame } from "./host-frames.ts";
import type { HostLimits } from "./host-limits.ts";
import {
  endChild,
  type HostChild,
  type HostPaths,
  residentBytes,
  startChild,
} from "./host-process.ts";
import { LogTail } from "./log-tail.ts";
import type { DoneOf, TaskFailed, TaskOrder, TaskProgress } from "./task-order.ts";

export interface RunOptions {
  /** Firing it kills the process within milliseconds. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TaskProgress) => void;
  /** A line of the task's log; at most {@link HostLimits.log} bytes of a task are passed on. */
  readonly onLog?: (line: string) => void;
  /** The job's own limits, over the pool's. The heap's limit stays the pool's. */
  readonly limits?: Partial<HostLimits>;
}

/** How often memory and disk are looked at while a task runs. */
const WATCH_MS = 40;

interface Running {
  readonly order: TaskOrder;
  readonly options: RunOptions;
  readonly since: number;
  heard: number;
  logged: number;
  finish(result: DoneOf<TaskOrder> | TaskFailed): void;
}

export class TaskHost {
  readonly paths: HostPaths;
  /** Settles when the process is ready for orders, or is gone. */
  readonly ready: Promise<void>;
  private readonly child: HostChild;
  private readonly limits: HostLimits;
  private readonly frames = new HostFrames();
  private readonly tail: LogTail;
  private readonly released: () => void;
  private running: Running | undefined;
  private dead: TaskFailed | undefined;
  private becomeReady: () => void = () => undefined;

  /**
   * @param released called once, when the host is closed
   */
  constructor(program: string, paths: HostPaths, limits: HostLimits, released: () => void) {
    this.paths = paths;
    this.limits = limits;
    this.released = released;
    this.tail = new LogTail(limits.log);
    this.ready = new Promise((resolve) => {
      this.becomeReady = resolve;
    });
    this.child = startChild(program, paths, limits.memory);
    this.listen();
  }

  get alive(): boolean {
    return this.dead === undefined;
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** The end of what the current or last task printed. */
  get log(): string {
    return this.tail.toString();
  }

  /**
   * Puts a file into `in/`: a hard link, or a copy where the file is on another device.
   * @throws RingfoldError `disk-full`, `disk-failed`
   */
  async give(file: string, name: string): Promise<void> {
    const to = join(this.paths.in, name);
    try {
      await link(file, to).catch((thrown: NodeJS.ErrnoException) => {
        if (thrown.code === "EEXIST") return;
        if (thrown.code === "EXDEV" || thrown.code === "EPERM") return copyFile(file, to);
        throw thrown;
      });
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      const kind = code === "ENOSPC" ? "disk-full" : "disk-failed";
      throw new RingfoldError(kind, `cannot give ${name} to a task host: ${code}`, { cause });
    }
  }

  /** Removes a file that {@link give} put there. */
  async takeBack(name: string): Promise<void> {
    await rm(join(this.paths.in, name), { force: true });
  }

  /** Runs one task. One at a time (asserted by the protocol: a second one is refused as `bug`). */
  async run<O extends TaskOrder>(
    order: O,
    options: RunOptions = {},
  ): Promise<DoneOf<O> | TaskFailed> {
    await this.ready;
    if (this.dead !== undefined) return this.dead;
    if (this.running !== undefined) return failed("died", "bug", "the task host is busy");
    if (options.signal?.aborted === true) return this.die("cancelled", "cancelled", "cancelled");
    this.tail.clear();
    const result = await new Promise<DoneOf<TaskOrder> | TaskFailed>((resolve) => {
      const now = performance.now();
      this.running = { order, options, since: now, heard: now, logged: 0, finish: resolve };
      options.signal?.addEventListener("abort", this.cancel);
      this.child.stdin.write(orderFrame(order));
      void this.watch(this.running);
    });
    options.signal?.removeEventListener("abort", this.cancel);
    return result as DoneOf<O> | TaskFailed;
  }

  /** Ends the process, removes the scratch folder. Safe to call twice. */
  async close(): Promise<void> {
    this.die("cancelled", "cancelled", "the task host was closed");
    await endChild(this.child);
    await rm(this.paths.root, { recursive: true, force: true });
    this.released();
  }

  private readonly cancel = (): void => {
    this.die("cancelled", "cancelled", "the task was cancelled");
  };

  private listen(): void {
    const { child } = this;
    child.stdout.on("data", (chunk: Buffer) => {
      try {
        for (const message of this.frames.push(chunk)) this.hear(message);
      } catch (thrown) {
        this.die("died", "protocol", thrown instanceof Error ? thrown.message : String(thrown));
      }
    });
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      this.tail.push(text);
    });
    // A broken pipe is told by the process's end.
    child.stdin.on("error", () => undefined);
    child.on("error", (thrown) => {
      this.die("died", "task-died", `the task host could not be started: ${thrown.message}`);
    });
    child.on("close", (code, signal) => {
      this.ended(code, signal);
    });
  }

  private hear(message: HostMessage): void {
    if (message.type === "ready") {
      this.becomeReady();
      return;
    }
    const { running } = this;
    if (running === undefined || this.dead !== undefined) return;
    // Words are no progress: an endless loop may print.
    if (message.type === "log") {
      this.hearLog(running, message.text);
      return;
    }
    running.heard = performance.now();
    if (message.type === "progress") running.options.onProgress?.(message);
    else if (message.type === "failed" || message.type === `${running.order.type}-done`) {
      this.finish(message);
    } else this.die("died", "protocol", `a task host answered ${message.type}`);
  }

  private hearLog(running: Running, text: string): void {
    this.tail.push(`${text}\n`);
    running.logged += text.length + 1;
    if (running.logged <= this.limits.log) running.options.onLog?.(text);
  }

  private finish(result: DoneOf<TaskOrder> | TaskFailed): void {
    const { running } = this;
    this.running = undefined;
    running?.finish(result);
  }

  private die(kind: TaskFailed["kind"], code: TaskFailed["code"], message: string): TaskFailed {
    this.dead ??= failed(kind, code, message);
    this.child.kill("SIGKILL");
    this.becomeReady();
    this.finish(this.dead);
    return this.dead;
  }

  private ended(code: number | null, signal: NodeJS.Signals | null): void {
    const last = this.tail.toString().trim().slice(-2000);
    const heap = last.includes("JavaScript heap out of memory");
    const how = signal === null ? `exit code ${code}` : signal;
    const tail = last === "" ? "" : `; its last output: ${last}`;
    if (heap) this.die("limit", "task-memory", `a task's JavaScript heap passed its limit${tail}`);
    else this.die("died", "task-died", `a task's process ended by itself (${how})${tail}`);
  }

  private async watch(running: Running): Promise<void> {
    while (this.running === running && this.dead === undefined) {
      await this.look(running);
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS).unref());
    }
  }

  private async look(running: Running): Promise<void> {
    const { memory, silence, wall, disk } = { ...this.limits, ...running.options.limits };
    const used = this.child.pid === undefined ? 0 : await residentBytes(this.child.pid);
    const written = await folderBytes(this.paths.out);
    if (this.running !== running) return;
    const now = performance.now();
    const what = orderName(running.order);
    const limit = (code: TaskFailed["code"], text: string): TaskFailed =>
      this.die("limit", code, `${what} ${text}`);
    if (used > memory)
      limit("task-memory", `used ${mib(used)} of memory; its limit is ${mib(memory)}`);
    else if (now - running.heard > silence) {
      limit("task-timeout", `made no progress for ${silence / 1000} s`);
    } else if (wall > 0 && now - running.since > wall) {
      limit("task-timeout", `ran longer than its limit of ${wall / 1000} s`);
    } else if (written > disk) {
      limit("task-output", `wrote ${mib(written)}; its limit is ${mib(disk)}`);
    }
  }
}

const mib = (bytes: number): string => `${Math.round(bytes / (1 << 20))} MiB`;

const failed = (
  kind: TaskFailed["kind"],
  code: TaskFailed["code"],
  message: string,
): TaskFailed => ({ type: "failed", kind, code, message });

function orderName(order: TaskOrder): string {
  if (order.type === "map") return `map task ${order.task} of job "${order.job.name}"`;
  if (order.type === "reduce") return `reduce task ${order.partition} of job "${order.job.name}"`;
  return order.type === "result" ? `the result of job "${order.job.name}"` : "the job file";
}

async function folderBytes(path: string): Promise<number> {
  let sum = 0;
  try {
    for (const name of await readdir(path)) sum += (await stat(join(path, name))).size;
  } catch {
    // A file went away meanwhile: the next look counts again.
  }
  return sum;
}
