/** The blocks last asked for, up to a number of bytes: manifests, plans and bundles are read again and again. */
import type { BlockId, Bytes } from "../../base/ids.ts";

export class SmallCache {
  readonly #capacity: Bytes;
  /** Oldest first: a Map keeps the order of insertion. */
  readonly #entries = new Map<BlockId, Uint8Array>();
  #bytes: Bytes = 0;

  constructor(capacity: Bytes) {
    this.#capacity = capacity;
  }

  get(id: BlockId): Uint8Array | undefined {
    const bytes = this.#entries.get(id);
    if (bytes === undefined) return undefined;
    this.#entries.delete(id);
    this.#entries.set(id, bytes);
    return bytes;
  }

  set(id: BlockId, bytes: Uint8Array): void {
    if (bytes.length > this.#capacity / 4 || this.#entries.has(id)) return;
    this.#entries.set(id, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, old] of this.#entries) {
      if (this.#bytes <= this.#capacity) return;
      this.#entries.delete(oldest);
      this.#bytes -= old.length;
    }
  }
}
