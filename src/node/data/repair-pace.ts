/** Spreads repair over time: so many bytes a second, with one second's worth saved up at most. */
import type { Bytes, Millis } from "../../base/ids.ts";

const SAVED: Millis = 1000;

export class RepairPace {
  readonly #rate: Bytes;
  /** When all that was granted so far is used up at the allowed rate. */
  #until: Millis = Number.NEGATIVE_INFINITY;

  /** @param rate bytes a second */
  constructor(rate: Bytes) {
    this.#rate = rate;
  }

  /** Grants the bytes and answers how long to wait before moving them. */
  delay(bytes: Bytes, now: Millis): Millis {
    this.#until = Math.max(this.#until, now - SAVED) + (bytes / this.#rate) * 1000;
    return Math.max(0, this.#until - now);
  }

  /** Resolves when so many bytes may be moved. */
  async wait(bytes: Bytes): Promise<void> {
    const delay = this.delay(bytes, performance.now());
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
  }
}
