/** Spreads repair over time: so many bytes a second, at most one second's worth saved up. */
import type { Bytes, Millis } from "../../base/ids.ts";

export class RepairPace {
  readonly #rate: Bytes;
  /** When the bytes granted so far are used up at the allowed rate. */
  #until: Millis = 0;

  /** @param rate bytes a second */
  constructor(rate: Bytes) {
    this.#rate = rate;
  }

  /** Resolves when so many bytes may be moved. */
  async wait(bytes: Bytes): Promise<void> {
    const now = performance.now();
    this.#until = Math.max(this.#until, now - 1000) + (bytes / this.#rate) * 1000;
    const early = this.#until - now;
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
  }
}
