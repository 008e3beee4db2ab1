/**
 * Looks at the clock every few records: rarely while they are fast (a look costs as much as a short record), at every
 * record once one was slow, so that a slow job is never taken for a stuck one.
 */

const MOST = 16;
const SLOW_MS = 5;

export class ProgressTicker {
  private readonly look: () => void;
  private step = 1;
  private left = 1;
  private readonly now: () => number;
  private last: number;

  /** @param look called now and then @param now the clock, in milliseconds */
  constructor(look: () => void, now: () => number = Date.now) {
    this.look = look;
    this.now = now;
    this.last = now();
  }

  /** Call once a record. */
  tick(): void {
    if (--this.left > 0) return;
    const time = this.now();
    this.step = time - this.last > SLOW_MS ? 1 : Math.min(MOST, this.step * 2);
    this.left = this.step;
    this.last = time;
    this.look();
  }
}
