/**
 * Refuses a write that would fill the disk, before its first byte (D4): what writers were promised counts as used until
 * they are done, and a reserve stays free for the catalog's log and the logs.
 */
import { RingfoldError } from "../../base/errors.ts";
import type { Bytes } from "../../base/ids.ts";
import type { Disk } from "./disk.ts";

const MIN_RESERVE: Bytes = 64 * 1024 * 1024;
const RESERVE_SHARE = 0.01;
/** The file system is asked again after so many promised bytes, or so long. */
const REFRESH_BYTES: Bytes = 64 * 1024 * 1024;
const REFRESH_MS = 1000;

export interface Claim {
  /** The bytes are on the disk, or not wanted any more. Idempotent. */
  release(): void;
}

export class Space {
  readonly #disk: Disk;
  readonly #dir: string;
  #free: Bytes = 0;
  #promised: Bytes = 0;
  #sinceAsked: Bytes = 0;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(disk: Disk, dir: string) {
    this.#disk = disk;
    this.#dir = dir;
  }

  /** Bytes that blocks may still take. */
  async free(): Promise<Bytes> {
    await this.#refresh();
    return Math.max(0, this.#free - this.#promised);
  }

  /** @throws RingfoldError `disk-full` when the bytes and the reserve do not fit */
  async claim(bytes: Bytes): Promise<Claim> {
    if (this.#stale(bytes)) await this.#refresh();
    if (bytes > this.#free - this.#promised) {
      const left = Math.max(0, Math.floor((this.#free - this.#promised) / 1e6));
      throw new RingfoldError(
        "disk-full",
        `${this.#dir}: ${left} MB free beyond what is kept for the catalog`,
      );
    }
    this.#promised += bytes;
    let open = true;
    return {
      release: () => {
        if (!open) return;
        open = false;
        this.#promised -= bytes;
        this.#free -= bytes;
        this.#sinceAsked += bytes;
      },
    };
  }

  #stale(bytes: Bytes): boolean {
    return (
      this.#sinceAsked > REFRESH_BYTES ||
      performance.now() - this.#askedAt > REFRESH_MS ||
      bytes > this.#free - this.#promised
    );
  }

  async #refresh(): Promise<void> {
    const { free, total } = await this.#disk.space(this.#dir);
    this.#free = free - Math.max(MIN_RESERVE, Math.min(total * RESERVE_SHARE, 16 * MIN_RESERVE));
    this.#sinceAsked = 0;
    this.#askedAt = performance.now();
  }
}
