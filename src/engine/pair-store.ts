/**
 * Where a task's pairs live until they are sorted: three stores behind one face, chosen by what the
 * stage folds. All of them keep bytes in columns; none keeps an object per pair.
 */
import { ByteArena } from "./byte-arena.ts";
import { type ByteColumn, sortByBytes } from "./byte-sort.ts";
import { type ByteCodec, refuse } from "./codec.ts";
import { FoldTable } from "./fold-table.ts";
import type { PairStream } from "./pair-stream.ts";
import { isNumeric, type StagePlan, type UserFunction } from "./plan.ts";

/** Which partition a key's bytes belong to. */
export type PartitionOf = (bytes: Uint8Array, from: number, to: number) => number;

export interface PairStore {
  /** Bytes in use. */
  readonly used: number;
  /** Takes a pair. @throws RingfoldError `job-codec` */
  emit(key: unknown, value: unknown): void;
  /** Takes the current pair of a stream (already encoded). */
  add(pair: PairStream): void;
  /** The pairs of every partition, sorted by key. The store must not change until they are read. */
  sorted(partitions: number, partitionOf: PartitionOf): PairStream[];
  clear(): void;
}

export interface ShufflePlan extends StagePlan {
  readonly key: ByteCodec;
  readonly value: ByteCodec;
}

export function pairStore(plan: ShufflePlan): PairStore {
  if (plan.combine === undefined) return new ListStore(plan);
  return isNumeric(plan.value) ? new NumberStore(plan) : new ValueStore(plan, plan.combine);
}

/** Entry numbers grouped by partition (counting sort), each group sorted. */
function order(
  count: number,
  keys: ByteColumn,
  ties: ByteColumn | undefined,
  partitions: number,
  partitionOf: PartitionOf,
): Uint32Array[] {
  const homes = new Uint16Array(count);
  const ends = new Uint32Array(partitions + 1);
  if (partitions > 1) {
    for (let i = 0; i < count; i++) {
      const home = partitionOf(keys.bytes, keys.starts[i] as number, keys.starts[i + 1] as number);
      homes[i] = home;
      ends[home + 1] = (ends[home + 1] as number) + 1;
    }
  } else ends[1] = count;
  for (let p = 0; p < partitions; p++) ends[p + 1] = (ends[p + 1] as number) + (ends[p] as number);
  const entries = new Uint32Array(count);
  const at = ends.slice();
  for (let i = 0; i < count; i++) {
    const home = homes[i] as number;
    entries[at[home] as number] = i;
    at[home] = (at[home] as number) + 1;
  }
  return Array.from({ length: partitions }, (_, p) => {
    const [from, to] = [ends[p] as number, ends[p + 1] as number];
    sortByBytes(entries, from, to, keys, ties);
    return entries.subarray(from, to);
  });
}

/** Numeric values folded in the combine table. */
export class NumberStore implements PairStore {
  readonly table: FoldTable;
  private readonly plan: ShufflePlan;
  private readonly counts: boolean;
  private readonly accepts: (value: unknown) => boolean;
  private readonly stringKeys: boolean;

  constructor(plan: ShufflePlan) {
    this.plan = plan;
    const { fold, value } = plan;
    this.counts = fold === "count";
    this.accepts = numberTest(value);
    this.stringKeys = plan.key.kind === "string";
    this.table = new FoldTable(fold ?? this.checked(plan.combine as UserFunction));
  }

  /** A job's own fold, its answer checked at once. */
  private checked(combine: UserFunction): (a: number, b: number) => number {
    const { accepts } = this;
    return (a, b) => {
      const folded = combine(a, b);
      if (!accepts(folded)) refuse(`${this.plan.value.name} (from combine)`, folded);
      return folded as number;
    };
  }

  get used(): number {
    return this.table.used;
  }

  emit(key: unknown, value: unknown): void {
    const number = this.constant(value);
    if (this.stringKeys) {
      if (typeof key !== "string") refuse("t.string", key);
      this.table.addText(key, number);
      return;
    }
    const from = this.table.pending();
    this.plan.key.write(key, this.table.keys);
    this.table.addPending(from, number);
  }

  /** What an emitted value adds, checked once for all the records that will have it. */
  constant(value: unknown): number {
    const number = this.counts ? 1 : value;
    if (!this.accepts(number)) refuse(this.plan.value.name, value);
    return number as number;
  }

  add(pair: PairStream): void {
    const value = this.plan.value.read(pair.values, pair.valueFrom, pair.valueTo) as number;
    this.table.addBytes(pair.keys, pair.keyFrom, pair.keyTo, value);
  }

  sorted(partitions: number, partitionOf: PartitionOf): PairStream[] {
    const { table } = this;
    const keys = table.keyColumn();
    const encode = this.plan.value;
    const cell = new ByteArena(16);
    const column = (entry: number): void => {
      cell.length = 0;
      encode.write(table.values[entry], cell);
    };
    return order(table.count, keys, undefined, partitions, partitionOf).map(
      (entries) => new CellStream(entries, keys, cell, column),
    );
  }

  clear(): void {
    this.table.clear();
  }
}

/** Whether a value is of the numeric codec. */
function numberTest(codec: ByteCodec): (value: unknown) => boolean {
  if (codec.kind === "u32") return (value) => (value as number) >>> 0 === value;
  if (codec.kind === "i64") return (value) => Number.isSafeInteger(value);
  return (value) => typeof value === "number" && value === value;
}

/** Pairs in a sorted order of entries, each value encoded when its turn comes. */
class CellStream implements PairStream {
  readonly keys: Uint8Array;
  keyFrom = 0;
  keyTo = 0;
  values: Uint8Array;
  readonly valueFrom = 0;
  valueTo = 0;
  private readonly entries: Uint32Array;
  private readonly starts: Uint32Array;
  private readonly cell: ByteArena;
  private readonly encode: (entry: number) => void;
  private index = 0;

  constructor(
    entries: Uint32Array,
    keys: ByteColumn,
    cell: ByteArena,
    encode: (entry: number) => void,
  ) {
    this.entries = entries;
    this.keys = keys.bytes;
    this.starts = keys.starts;
    this.cell = cell;
    this.values = cell.bytes;
    this.encode = encode;
  }

  next(): boolean {
    if (this.index === this.entries.length) return false;
    const entry = this.entries[this.index++] as number;
    this.keyFrom = this.starts[entry] as number;
    this.keyTo = this.starts[entry + 1] as number;
    this.encode(entry);
    this.values = this.cell.bytes;
    this.valueTo = this.cell.length;
    return true;
  }
}

/**
 * Any values, folded by the job's own function. The table's number is the place of the value's
 * bytes.
 */
class ValueStore implements PairStore {
  private readonly table: FoldTable;
  private readonly values = new ByteArena(1 << 14);
  private starts = new Uint32Array(1 << 10);
  private count = 0;
  private readonly plan: ShufflePlan;

  constructor(plan: ShufflePlan, combine: UserFunction) {
    this.plan = plan;
    this.table = new FoldTable((a, b) => this.push(combine(this.at(a), this.at(b))));
  }

  private at(index: number): unknown {
    const from = this.starts[index] as number;
    return this.plan.value.read(this.values.bytes, from, this.starts[index + 1] as number);
  }

  private push(value: unknown): number {
    this.values.length = this.starts[this.count] as number;
    this.plan.value.write(value, this.values);
    return this.close();
  }

  private close(): number {
    if (this.count + 1 === this.starts.length) {
      const { starts } = this;
      this.starts = new Uint32Array(starts.length * 2);
      this.starts.set(starts);
    }
    const index = this.count++;
    this.starts[index + 1] = this.values.length;
    return index;
  }

  get used(): number {
    return this.table.used + this.values.length + this.count * 4;
  }

  emit(key: unknown, value: unknown): void {
    const index = this.push(value);
    const from = this.table.pending();
    this.plan.key.write(key, this.table.keys);
    this.table.addPending(from, index);
  }

  add(pair: PairStream): void {
    this.values.pushBytes(pair.values.subarray(pair.valueFrom, pair.valueTo));
    const index = this.close();
    this.table.addBytes(pair.keys, pair.keyFrom, pair.keyTo, index);
  }

  sorted(partitions: number, partitionOf: PartitionOf): PairStream[] {
    const { table, values, starts } = this;
    const keys = table.keyColumn();
    const place = (entry: number): number => table.values[entry] as number;
    return order(table.count, keys, undefined, partitions, partitionOf).map(
      (entries) => new ColumnStream(entries, keys, { bytes: values.bytes, starts }, place),
    );
  }

  clear(): void {
    this.table.clear();
    this.values.length = 0;
    this.count = 0;
  }
}

/** Every pair as it came: for stages without a fold. */
class ListStore implements PairStore {
  private readonly keys = new ByteArena(1 << 14);
  private readonly values = new ByteArena(1 << 14);
  private keyStarts = new Uint32Array(1 << 10);
  private valueStarts = new Uint32Array(1 << 10);
  private count = 0;
  private readonly plan: ShufflePlan;

  constructor(plan: ShufflePlan) {
    this.plan = plan;
  }

  get used(): number {
    // Two starts, the order, and what sorting packs beside it.
    return this.keys.length + this.values.length + this.count * 24;
  }

  emit(key: unknown, value: unknown): void {
    // A refused value may have left bytes behind.
    this.keys.length = this.keyStarts[this.count] as number;
    this.values.length = this.valueStarts[this.count] as number;
    this.plan.key.write(key, this.keys);
    this.plan.value.write(value, this.values);
    this.close();
  }

  add(pair: PairStream): void {
    this.keys.pushBytes(pair.keys.subarray(pair.keyFrom, pair.keyTo));
    this.values.pushBytes(pair.values.subarray(pair.valueFrom, pair.valueTo));
    this.close();
  }

  private close(): void {
    this.count++;
    if (this.count === this.keyStarts.length) {
      const { keyStarts, valueStarts } = this;
      this.keyStarts = new Uint32Array(keyStarts.length * 2);
      this.keyStarts.set(keyStarts);
      this.valueStarts = new Uint32Array(valueStarts.length * 2);
      this.valueStarts.set(valueStarts);
    }
    this.keyStarts[this.count] = this.keys.length;
    this.valueStarts[this.count] = this.values.length;
  }

  sorted(partitions: number, partitionOf: PartitionOf): PairStream[] {
    const keys = { bytes: this.keys.bytes, starts: this.keyStarts };
    const values = { bytes: this.values.bytes, starts: this.valueStarts };
    const ties = this.plan.sortValues ? values : undefined;
    return order(this.count, keys, ties, partitions, partitionOf).map(
      (entries) => new ColumnStream(entries, keys, values, (entry) => entry),
    );
  }

  clear(): void {
    this.keys.length = 0;
    this.values.length = 0;
    this.count = 0;
  }
}

/** Pairs in a sorted order of entries; the value of an entry lies at its place in a column. */
class ColumnStream implements PairStream {
  readonly keys: Uint8Array;
  keyFrom = 0;
  keyTo = 0;
  readonly values: Uint8Array;
  valueFrom = 0;
  valueTo = 0;
  private readonly entries: Uint32Array;
  private readonly keyStarts: Uint32Array;
  private readonly valueStarts: Uint32Array;
  private readonly place: (entry: number) => number;
  private index = 0;

  constructor(
    entries: Uint32Array,
    keys: ByteColumn,
    values: ByteColumn,
    place: (entry: number) => number,
  ) {
    this.entries = entries;
    this.keys = keys.bytes;
    this.keyStarts = keys.starts;
    this.values = values.bytes;
    this.valueStarts = values.starts;
    this.place = place;
  }

  next(): boolean {
    if (this.index === this.entries.length) return false;
    const entry = this.entries[this.index++] as number;
    const at = this.place(entry);
    this.keyFrom = this.keyStarts[entry] as number;
    this.keyTo = this.keyStarts[entry + 1] as number;
    this.valueFrom = this.valueStarts[at] as number;
    this.valueTo = this.valueStarts[at + 1] as number;
    return true;
  }
}
