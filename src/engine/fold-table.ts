/**
 * The combine table: open addressing over packed key bytes, one double per key. Pairs of a numeric value are folded
 * here as they are emitted; no object is made per pair.
 *
 * T1: a key is in the table at most once; its value is the fold of all values added. Tested against a Map.
 * T2: `used` counts the bytes of keys, columns and slots in use, so that a task can bound it. Tested.
 */
import { ByteArena } from "./byte-arena.ts";

export type FoldName = "sum" | "count" | "min" | "max";
export type NumberFold = (a: number, b: number) => number;

const HASH_SEED = 0x811c9dc5;
const HASH_PRIME = 0x01000193;
const SPREAD = 0x9e3779b1;
/** Start, hash, value and two slots. */
const BYTES_PER_ENTRY = 4 + 4 + 8 + 8;
/** Entries of a new table; below 2 % of the default bound. */
const FIRST_CAPACITY = 1 << 14;

export class FoldTable {
  readonly keys = new ByteArena(1 << 17);
  count = 0;
  /** Bytes in use (T2). */
  used = 0;
  /** Key i lies from `starts[i]` to `starts[i + 1]`. */
  starts = new Uint32Array(FIRST_CAPACITY + 1);
  values = new Float64Array(FIRST_CAPACITY);
  private hashes = new Int32Array(FIRST_CAPACITY);
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

  /** Folds a value into the key of `from` to `to`. */
  addBytes(bytes: Uint8Array, from: number, to: number, value: number): void {
    let hash = HASH_SEED;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), HASH_PRIME);
    this.addHashed(bytes, from, to, hash, value);
  }

  /** As {@link addBytes}, with the hash that {@link FoldTable.addBytes} would compute. */
  addHashed(bytes: Uint8Array, from: number, to: number, hash: number, value: number): void {
    const { slots, hashes, starts } = this;
    const arena = this.keys.bytes;
    const mask = slots.length - 1;
    const length = to - from;
    let slot = Math.imul(hash, SPREAD) >>> this.shift;
    for (;;) {
      const entry = (slots[slot] as number) - 1;
      if (entry < 0) break;
      if (hashes[entry] === hash) {
        const start = starts[entry] as number;
        if ((starts[entry + 1] as number) - start === length) {
          let i = 0;
          while (i < length && arena[start + i] === bytes[from + i]) i++;
          if (i === length) {
            this.fold(entry, value);
            return;
          }
        }
      }
      slot = (slot + 1) & mask;
    }
    this.insert(slot, bytes, from, to, hash, value);
  }

  /** Folds a value into a key given as a string. */
  addText(key: string, value: number): void {
    const arena = this.keys;
    const from = this.pending();
    const length = key.length;
    arena.reserve(length * 3);
    const { bytes } = arena;
    let hash = HASH_SEED;
    for (let i = 0; i < length; i++) {
      const unit = key.charCodeAt(i);
      if (unit >= 0x80) {
        arena.pushText(key);
        this.addPending(from, value);
        return;
      }
      bytes[from + i] = unit;
      hash = Math.imul(hash ^ unit, HASH_PRIME);
    }
    this.addHashed(bytes, from, from + length, hash, value);
  }

  /** Where a key may be appended to `keys`; what a refused key left there is dropped. */
  pending(): number {
    this.keys.length = this.starts[this.count] as number;
    return this.keys.length;
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
    hash: number,
    value: number,
  ): void {
    const { keys } = this;
    const length = to - from;
    keys.reserve(length);
    if (bytes !== keys.bytes || from !== keys.length) {
      // A pending key that made the arena grow was copied along: `from` still is its end.
      for (let i = 0; i < length; i++) keys.bytes[keys.length + i] = bytes[from + i] as number;
    }
    const entry = this.count++;
    this.used += length + BYTES_PER_ENTRY;
    this.starts[entry] = keys.length;
    keys.length += length;
    this.starts[entry + 1] = keys.length;
    this.values[entry] = value;
    this.hashes[entry] = hash;
    this.slots[slot] = entry + 1;
    if (this.count === this.values.length) this.grow();
  }

  private grow(): void {
    const capacity = this.values.length * 2;
    const { starts, values, hashes } = this;
    this.starts = new Uint32Array(capacity + 1);
    this.starts.set(starts);
    this.values = new Float64Array(capacity);
    this.values.set(values);
    this.hashes = new Int32Array(capacity);
    this.hashes.set(hashes);
    this.slots = new Int32Array(capacity * 2);
    this.shift = Math.clz32(capacity * 2 - 1);
    const mask = this.slots.length - 1;
    for (let entry = 0; entry < this.count; entry++) {
      let slot = Math.imul(this.hashes[entry] as number, SPREAD) >>> this.shift;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = entry + 1;
    }
  }
}
