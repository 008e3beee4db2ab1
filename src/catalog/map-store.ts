/**
 * The catalog's store over maps: for the simulator, and as the model that other stores are compared
 * with.
 */
import type { CatalogTables, TableName } from "./records.ts";
import type { CatalogStore, KeyRange } from "./store.ts";

interface Table {
  readonly records: Map<string, unknown>;
  /** All keys in order; undefined after a key came or went. */
  sorted: string[] | undefined;
}

export class MapStore implements CatalogStore {
  readonly #tables = new Map<TableName, Table>();

  get<T extends TableName>(table: T, key: string): CatalogTables[T] | undefined {
    // Only `put` writes here, with the record type of the table.
    return this.#table(table).records.get(key) as CatalogTables[T] | undefined;
  }

  put<T extends TableName>(table: T, key: string, record: CatalogTables[T]): void {
    const { records } = this.#table(table);
    if (!records.has(key)) this.#table(table).sorted = undefined;
    records.set(key, record);
  }

  delete(table: TableName, key: string): void {
    if (this.#table(table).records.delete(key)) this.#table(table).sorted = undefined;
  }

  keys(table: TableName, range: KeyRange = {}): readonly string[] {
    const own = this.#table(table);
    own.sorted ??= [...own.records.keys()].sort(compareUtf8);
    const { prefix = "", after, limit = Number.POSITIVE_INFINITY, reverse = false } = range;
    const past = reverse ? 1 : -1;
    const found: string[] = [];
    for (const key of reverse ? own.sorted.toReversed() : own.sorted) {
      if (found.length >= limit) break;
      if (!key.startsWith(prefix)) continue;
      if (after === undefined || Math.sign(compareUtf8(after, key)) === past) found.push(key);
    }
    return found;
  }

  #table(name: TableName): Table {
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = { records: new Map(), sorted: undefined };
      this.#tables.set(name, table);
    }
    return table;
  }
}

/**
 * The order of the UTF-8 bytes, which is the order of the code points (not of JavaScript's UTF-16
 * units).
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const surrogates = Number(isSurrogate(x)) - Number(isSurrogate(y));
    // A surrogate stands for a code point above every plain unit.
    return surrogates === 0 ? x - y : surrogates;
  }
  return a.length - b.length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;
