/**
 * Directory syncs shared by whoever waits: while one runs, all later callers of the same folder share the next one.
 *
 * S1: a call resolves only after a sync that started after the call. Tested.
 */
import { dirname } from "node:path";
import type { Disk } from "./disk.ts";

export class DirSync {
  readonly #disk: Disk;
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<void>>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Resolves when the names in the file's folder are on the disk. */
  ofFile(path: string): Promise<void> {
    return this.of(dirname(path));
  }

  of(dir: string): Promise<void> {
    const running = this.#running.get(dir);
    if (running === undefined) return this.#start(dir);
    const waiting = this.#next.get(dir);
    if (waiting !== undefined) return waiting;
    const next = running.then(
      () => this.#start(dir),
      () => this.#start(dir),
    );
    this.#next.set(dir, next);
    return next;
  }

  #start(dir: string): Promise<void> {
    this.#next.delete(dir);
    const sync = this.#disk.syncDir(dir).finally(() => {
      if (this.#running.get(dir) === sync) this.#running.delete(dir);
    });
    this.#running.set(dir, sync);
    return sync;
  }
}
