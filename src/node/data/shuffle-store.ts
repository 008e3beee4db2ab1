/**
 * Map outputs kept for reducers: DATA/shuffle/<job>/<task>.<attempt>. Scratch: not synced, dropped with the job; a map
 * that lost its output runs again.
 *
 * U1: an output is complete under its name (it is moved there whole). By rename.
 * U2: a path is made of a job id and two integers only. By type and schema.
 */
import { join } from "node:path";
import { RingfoldError } from "../../base/errors.ts";
import { type Bytes, type JobId, jobId } from "../../base/ids.ts";
import type { MapOutputId } from "./data-port.ts";
import type { Disk, DiskFile } from "./disk.ts";

export class ShuffleStore {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #sizes = new Map<JobId, Map<string, Bytes>>();

  private constructor(disk: Disk, dir: string) {
    this.#disk = disk;
    this.#dir = dir;
  }

  /** @param keep false drops what an earlier run of the node left */
  static async open(disk: Disk, dataDir: string, keep: boolean): Promise<ShuffleStore> {
    const dir = join(dataDir, "shuffle");
    if (!keep) await disk.remove(dir);
    await disk.makeDir(dir);
    const store = new ShuffleStore(disk, dir);
    await store.#scan();
    return store;
  }

  get bytes(): Bytes {
    let sum = 0;
    for (const job of this.#sizes.values()) for (const size of job.values()) sum += size;
    return sum;
  }

  /** Takes a file over. Another output of the same attempt is replaced. @throws RingfoldError `disk-full`, `disk-failed` */
  async adopt(output: MapOutputId, file: string): Promise<Bytes> {
    const dir = join(this.#dir, output.job);
    await this.#disk.makeDir(dir);
    const path = this.#path(output);
    await this.#disk.move(file, path);
    const bytes = (await this.#disk.size(path)) ?? 0;
    this.#learn(output.job, `${output.task}.${output.attempt}`, bytes);
    return bytes;
  }

  /** Undefined when it is not here. */
  size({ job, task, attempt }: MapOutputId): Bytes | undefined {
    return this.#sizes.get(job)?.get(`${task}.${attempt}`);
  }

  /** Undefined when it is not here. The caller closes it. */
  open(output: MapOutputId): Promise<DiskFile | undefined> {
    return this.#disk.open(this.#path(output));
  }

  async dropJob(job: JobId): Promise<void> {
    this.#sizes.delete(job);
    await this.#disk.remove(join(this.#dir, job));
  }

  /** The data process came back while the node ran on: what it had taken over still counts. */
  async #scan(): Promise<void> {
    for (const name of await this.#disk.list(this.#dir)) {
      const job = jobId(name);
      for (const file of await this.#disk.list(join(this.#dir, job))) {
        const bytes = await this.#disk.size(join(this.#dir, job, file));
        if (bytes !== undefined) this.#learn(job, file, bytes);
      }
    }
  }

  #learn(job: JobId, name: string, bytes: Bytes): void {
    const sizes = this.#sizes.get(job) ?? new Map<string, Bytes>();
    this.#sizes.set(job, sizes.set(name, bytes));
  }

  #path({ job, task, attempt }: MapOutputId): string {
    return join(this.#dir, job, `${integer(task)}.${integer(attempt)}`);
  }
}

function integer(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RingfoldError("bad-request", `not a number of a task: ${value}`);
}
