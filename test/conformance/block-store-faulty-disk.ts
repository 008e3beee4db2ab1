/** A disk with faults: wraps a real one, so that what it lets through really happens. */
import type { Disk, DiskFile } from "../../src/node/data/disk.ts";
import { diskTrouble } from "../../src/node/data/disk.ts";

export type DiskStep = "create" | "write" | "sync" | "rename" | "syncDir" | "link";

/** Decides before each step: an errno such as ENOSPC or EIO makes it fail, undefined lets it through. */
export type FaultPlan = (step: DiskStep, path: string) => string | undefined;

export class FaultyDisk implements Disk {
  plan: FaultPlan = () => undefined;
  /** What `space` answers; undefined asks the real disk. */
  freeBytes: number | undefined;
  /** False: as a file system without O_DIRECT. */
  direct = true;
  /** Steps that were let through, in order. */
  readonly done: string[] = [];
  readonly #disk: Disk;

  readonly open: Disk["open"];
  readonly move: Disk["move"];
  readonly remove: Disk["remove"];
  readonly makeDir: Disk["makeDir"];
  readonly readDirect: Disk["readDirect"];
  readonly list: Disk["list"];
  readonly size: Disk["size"];

  constructor(disk: Disk) {
    this.#disk = disk;
    this.open = (path) => disk.open(path);
    this.move = (from, to) => disk.move(from, to);
    this.remove = (path) => disk.remove(path);
    this.makeDir = (path) => disk.makeDir(path);
    this.readDirect = (path, pages) => disk.readDirect(path, pages);
    this.list = (path) => disk.list(path);
    this.size = (path) => disk.size(path);
  }

  async create(path: string): Promise<DiskFile> {
    this.#step("create", path);
    const file = await this.#disk.create(path);
    return {
      write: async (chunks, position) => {
        this.#step("write", path);
        await file.write(chunks, position);
      },
      sync: async () => {
        this.#step("sync", path);
        await file.sync();
      },
      read: (into, position) => file.read(into, position),
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  async writeDirect(path: string, pages: Uint8Array, length: number): Promise<boolean> {
    if (!this.direct) return false;
    for (const step of ["create", "write", "sync"] as const) this.#step(step, path);
    return this.#disk.writeDirect(path, pages, length);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step("rename", to);
    await this.#disk.rename(from, to);
  }

  async link(from: string, to: string): Promise<void> {
    this.#step("link", to);
    await this.#disk.link(from, to);
  }

  async syncDir(path: string): Promise<void> {
    this.#step("syncDir", path);
    await this.#disk.syncDir(path);
  }

  async space(path: string): Promise<{ free: number; total: number }> {
    const real = await this.#disk.space(path);
    return this.freeBytes === undefined ? real : { free: this.freeBytes, total: this.freeBytes };
  }

  #step(step: DiskStep, path: string): void {
    const errno = this.plan(step, path);
    if (errno !== undefined) {
      throw diskTrouble(Object.assign(new Error(`${errno}: injected`), { code: errno }), path);
    }
    this.done.push(step);
  }
}
