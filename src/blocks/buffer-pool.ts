/**
 * Block buffers that are used again: a large allocation costs more than the copy into it, and what
 * the garbage collector has not noticed yet still counts as memory of the process.
 *
 * U1  A buffer is given out to one user at a time; giving it back twice is a bug. Asserted.
 * U2  At most `keep` free buffers of a size are kept. Tested.
 */
import { assert } from "../base/errors.ts";
import type { Bytes } from "../base/ids.ts";

export class BufferPool {
  readonly #keep: number;
  readonly #free = new Map<Bytes, Buffer[]>();
  readonly #lent = new Set<Buffer>();

  /** @param keep free buffers kept of each size */
  constructor(keep = 4) {
    this.#keep = keep;
  }

  /** A buffer of exactly this size, with whatever was in it. */
  take(size: Bytes): Buffer {
    const buffer = this.#free.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
    this.#lent.add(buffer);
    return buffer;
  }

  give(buffer: Buffer): void {
    assert(this.#lent.delete(buffer), "U1: a buffer comes back once");
    const free = this.#free.get(buffer.length) ?? [];
    this.#free.set(buffer.length, free);
    if (free.length < this.#keep) free.push(buffer);
  }

  /** Buffers given out and not yet given back. */
  get lent(): number {
    return this.#lent.size;
  }
}
