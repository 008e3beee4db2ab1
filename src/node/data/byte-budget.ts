/**
 * A bound on bytes held in memory at once: whoever wants a buffer waits its turn, first come first served (D5).
 *
 * Y1: never more than the capacity is out, a single larger request apart, which waits for all others. Tested.
 */
import type { Bytes } from "../../base/ids.ts";

interface Waiting {
  readonly bytes: Bytes;
  start(): void;
}

export class ByteBudget {
  readonly #capacity: Bytes;
  readonly #queue: Waiting[] = [];
  #out: Bytes = 0;

  constructor(capacity: Bytes) {
    this.#capacity = capacity;
  }

  /** Resolves with the function that gives the bytes back; calling that twice is harmless. */
  async take(bytes: Bytes): Promise<() => void> {
    const share = Math.min(bytes, this.#capacity);
    if (this.#queue.length > 0 || this.#out + share > this.#capacity) {
      await new Promise<void>((resolve) => this.#queue.push({ bytes: share, start: resolve }));
    } else {
      this.#out += share;
    }
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      this.#out -= share;
      this.#serve();
    };
  }

  #serve(): void {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (this.#out + next.bytes > this.#capacity) return;
      this.#queue.shift();
      this.#out += next.bytes;
      next.start();
    }
  }
}
