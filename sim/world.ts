/**
 * Virtual time: one queue of events, run in the order of their times, and in the order they were
 * made among equals. Everything that happens in a simulation happens in an event of this queue, so
 * a seed decides all.
 */
import { createHash, type Hash } from "node:crypto";
import { assert } from "../src/base/errors.ts";
import type { Millis } from "../src/base/ids.ts";
import { type Random, seededRandom } from "../src/base/random.ts";

/** One process from its start to its crash. Its events end with it, and wait while it is paused. */
export interface Life {
  alive: boolean;
  pausedUntil: Millis;
}

export const newLife = (): Life => ({ alive: true, pausedUntil: 0 });

interface Event {
  readonly at: Millis;
  readonly order: number;
  readonly life: Life | undefined;
  readonly run: () => void;
}

export class World {
  now: Millis = 0;
  events = 0;
  readonly #seed: string;
  readonly #heap: Event[] = [];
  readonly #hash: Hash = createHash("sha256");
  readonly #keep: boolean;
  readonly #streams = new Map<string, Random>();
  /** What happened, a line each; empty unless it is kept. */
  readonly trace: string[] = [];
  #order = 0;

  /** @param keepTrace keep the lines, not only their hash */
  constructor(seed: string, keepTrace: boolean) {
    this.#seed = seed;
    this.#keep = keepTrace;
  }

  /** A stream of chance of its own: what one part draws changes nothing for the others. */
  random(part: string): Random {
    const known = this.#streams.get(part);
    if (known !== undefined) return known;
    const fresh = seededRandom(`${this.#seed}/${part}`);
    this.#streams.set(part, fresh);
    return fresh;
  }

  /** Runs something after a while, unless the life has ended by then. */
  after(delay: Millis, life: Life | undefined, run: () => void): void {
    this.#order += 1;
    push(this.#heap, { at: this.now + delay, order: this.#order, life, run });
  }

  tell(line: string): void {
    const text = `${this.now.toFixed(2).padStart(10)} ${line}`;
    this.#hash.update(text).update("\n");
    if (this.#keep) this.trace.push(text);
  }

  /**
   * Runs events until the time or the condition is reached; false when neither was and nothing is
   * left.
   */
  run(until: Millis, done: () => boolean = () => false): boolean {
    while (!done()) {
      const next = this.#heap[0];
      if (next === undefined) return false;
      if (next.at > until) {
        this.now = until;
        return true;
      }
      pop(this.#heap);
      this.#fire(next);
    }
    return true;
  }

  /** A digest of all that was told, and of how much happened besides. Ends the trace. */
  digest(): string {
    this.tell(`${this.events} events`);
    return this.#hash.digest("hex").slice(0, 16);
  }

  #fire(event: Event): void {
    assert(event.at >= this.now, "time does not go back");
    this.now = event.at;
    const { life } = event;
    if (life?.alive === false) return;
    if (life !== undefined && life.pausedUntil > this.now) {
      this.after(life.pausedUntil - this.now, life, event.run);
      return;
    }
    this.events += 1;
    event.run();
  }
}

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

function push(heap: Event[], event: Event): void {
  let at = heap.push(event) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || !before(event, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let below = at * 2 + 1;
    const [left, right] = [heap[below], heap[below + 1]];
    if (left === undefined) break;
    if (right !== undefined && before(right, left)) below += 1;
    const child = heap[below];
    if (child === undefined || !before(child, last)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
}
