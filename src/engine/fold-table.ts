/**
 * The combine table: open addressing over packed key bytes, one double per key. Pairs of a numeric
 * value are folded here as they are emitted; no object is made per pair.
 *
 * A key of up to eight bytes is two 32-bit words, its *tag* (`high`, `low`: the bytes shifted in
 * one after the other), and is compared by them alone; a longer one has two hashes as its tag and
 * is compared byte by byte when they agree.
 *
 * T1: a key is in the table at most once; its value is the fold of all values added. Tested against
 *     a Map.
 * T2: `used` counts the bytes of keys, columns and slots in use, so that a task can bound it.
 *     Tested.
 */
import { ByteArena } from "./byte-arena.ts";
import type { ByteColumn } from "./byte-sort.ts";

export type FoldName = "sum" | "count" | "min" | "max";
export type NumberFold = (a: number, b: number) => number;

/** Keys of up to this many bytes are their own tag. */
export const SHORT_KEY = 8;
/** Words per entry: tag low, tag high, start of the key's bytes, length. */
const STRIDE = 4;
/** An entry's words, its value and two slots. */
const BYTES_PER_ENTRY = STRIDE * 4 + 8 + 8;
/** Entries of a new table: small, for many tasks are. */
const FIRST_CAPACITY = 1 << 10;

export class FoldTable {
  readonly keys = new ByteArena(1 << 14);
  count = 0;
  /** Bytes in use (T2). */
  used = 0;
  values = new Float64Array(FIRST_CAPACITY);
  private entries = new Int32Array(FIRST_CAPACITY * STRIDE);
  /** Entry number plus one, 0 for a free slot; half full at most. */
  private slots = new Int32Array(FIRST_CAPACITY * 2);
  private shift = Math.clz32(FIRST_CAPACITY * 2 - 1);
  private readonly mode: "sum" | "min" | "max" | "own";
  private readonly own: NumberFold;

  constructor(combine: FoldName | NumberFold) {
    this.mode = typeof combine === "function" ? "own" : combine === "count" ? "sum" : combine;
    this.own = typeof combine === "function" ? combine : Math.max;
  }

  clear(): void {
    this.count = 0;
    this.used = 0;
    this.keys.length = 0;
    this.slots.fill(0);
  }

  /** Where every key lies, for sorting: key i from `starts[i]` to `starts[i + 1]`. */
  keyColumn(): ByteColumn {
    const starts = new Uint32Array(this.count + 1);
    for (let i = 0; i < this.count; i++) starts[i] = this.entries[i * STRIDE + 2] as number;
    starts[this.count] = this.keys.length;
    return { bytes: this.keys.bytes, starts };
  }

  /** Folds a value into the key of `from` to `to`. */
  addBytes(bytes: Uint8Array, from: number, to: number, value: number): void {
    if (to - from > SHORT_KEY) {
      this.addLong(bytes, from, to, value);
      return;
    }
    let [high, low] = [0, 0];
    for (let i = from; i < to; i++) {
      high = (high << 8) | (low >>> 24);
      low = (low << 8) | (bytes[i] as number);
    }
    this.addShort(bytes, from, to, high, low, value);
  }

  /**
   * As {@link addBytes} for a key of up to eight bytes whose tag the caller has made on the way.
   */
  addShort(
    bytes: Uint8Array,
    from: number,
    to: number,
    high: number,
    low: number,
    value: number,
  ): void {
    const { slots, entries } = this;
    const mask = slots.length - 1;
    const length = to - from;
    let slot = slotOf(high, low) >>> this.shift;
    for (;;) {
      const entry = (slots[slot] as number) - 1;
      if (entry < 0) break;
      const at = entry * STRIDE;
      if (entries[at] === low && entries[at + 1] === high && entries[at + 3] === length) {
        this.fold(entry, value);
        return;
      }
      slot = (slot + 1) & mask;
    }
    this.insert(slot, bytes, from, to, high, low, value);
  }

  /** As {@link addBytes} for a key of more than eight bytes. */
  addLong(bytes: Uint8Array, from: number, to: number, value: number): void {
    let [high, low] = [0x811c9dc5 | 0, 0];
    for (let i = from; i < to; i++) {
      const byte = bytes[i] as number;
      high = Math.imul(high ^ byte, 0x01000193);
      low = (Math.imul(low, 31) + byte) | 0;
    }
    const { slots, entries } = this;
    const mask = slots.length - 1;
    const length = to - from;
    let slot = slotOf(high, low) >>> this.shift;
    for (;;) {
      const entry = (slots[slot] as number) - 1;
      if (entry < 0) break;
      const at = entry * STRIDE;
      if (entries[at] === low && entries[at + 1] === high && entries[at + 3] === length) {
        if (this.sameKey(entries[at + 2] as number, bytes, from, length)) {
          this.fold(entry, value);
          return;
        }
      }
      slot = (slot + 1) & mask;
    }
    this.insert(slot, bytes, from, to, high, low, value);
  }

  private sameKey(start: number, bytes: Uint8Array, from: number, length: number): boolean {
    const arena = this.keys.bytes;
    let i = 0;
    while (i < length && arena[start + i] === bytes[from + i]) i++;
    return i === length;
  }

  /** Where a key may be appended to `keys`; what a refused key left there is dropped. */
  pending(): number {
    const { count, entries } = this;
    const last = (count - 1) * STRIDE;
    this.keys.length =
      count === 0 ? 0 : (entries[last + 2] as number) + (entries[last + 3] as number);
    return this.keys.length;
  }

  /** Folds a value into a key given as a string. */
  addText(key: string, value: number): void {
    const arena = this.keys;
    const from = arena.length;
    const length = key.length;
    arena.reserve(length * 3);
    const { bytes } = arena;
    let [high, low] = [0, 0];
    for (let i = 0; i < length; i++) {
      const unit = key.charCodeAt(i);
      if (unit >= 0x80) {
        arena.pushText(key);
        this.addPending(from, value);
        return;
      }
      bytes[from + i] = unit;
      high = (high << 8) | (low >>> 24);
      low = (low << 8) | unit;
    }
    if (length > SHORT_KEY) this.addLong(bytes, from, from + length, value);
    else this.addShort(bytes, from, from + length, high, low, value);
  }

  /** Folds a value into the key that the caller has appended to `keys`, starting at `from`. */
  addPending(from: number, value: number): void {
    const to = this.keys.length;
    this.keys.length = from;
    this.addBytes(this.keys.bytes, from, to, value);
  }

  private fold(entry: number, value: number): void {
    const { values } = this;
    const old = values[entry] as number;
    if (this.mode === "sum") values[entry] = old + value;
    else if (this.mode === "min") values[entry] = value < old ? value : old;
    else if (this.mode === "max") values[entry] = value > old ? value : old;
    else values[entry] = this.own(old, value);
  }

  private insert(
    slot: number,
    bytes: Uint8Array,
    from: number,
    to: number,
    high: number,
    low: number,
    value: number,
  ): void {
    const { keys } = this;
    const length = to - from;
    // A pending key lies at the end of the arena already, which has room for it.
    if (bytes !== keys.bytes) {
      keys.reserve(length);
      for (let i = 0; i < length; i++) keys.bytes[keys.length + i] = bytes[from + i] as number;
    }
    const entry = this.count++;
    this.used += length + BYTES_PER_ENTRY;
    const at = entry * STRIDE;
    this.entries[at] = low;
    this.entries[at + 1] = high;
    this.entries[at + 2] = keys.length;
    this.entries[at + 3] = length;
    keys.length += length;
    this.values[entry] = value;
    this.slots[slot] = entry + 1;
    if (this.count === this.values.length) this.grow();
  }

  private grow(): void {
    const capacity = this.values.length * 2;
    const { values, entries } = this;
    this.values = new Float64Array(capacity);
    this.values.set(values);
    this.entries = new Int32Array(capacity * STRIDE);
    this.entries.set(entries);
    this.slots = new Int32Array(capacity * 2);
    this.shift = Math.clz32(capacity * 2 - 1);
    const mask = this.slots.length - 1;
    for (let entry = 0; entry < this.count; entry++) {
      const [low, high] = [this.entries[entry * STRIDE], this.entries[entry * STRIDE + 1]];
      let slot = slotOf(high as number, low as number) >>> this.shift;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = entry + 1;
    }
  }
}

/** Spreads a tag over 32 bits; the table takes the highest ones. */
function slotOf(high: number, low: number): number {
  const mixed =
    Math.imul(low ^ (low >>> 15), 0x2c1b3c6d) ^ Math.imul(high ^ (high >>> 13), 0x297a2d39);
  return Math.imul(mixed ^ (mixed >>> 16), 0x9e3779b1);
}
