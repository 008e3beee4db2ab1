/**
 * Where the catalog's state lives: ordered tables of records. The state machine reads and writes
 * them synchronously, so that the same machine runs over SQLite in a node and over maps in the
 * simulator.
 *
 * Promises of every adapter (test/conformance/catalog-store.test.ts):
 * S1: `get` gives what the last `put` of the key stored, until `delete`.
 * S2: `keys` gives a table's keys in the order of their UTF-8 bytes, whatever the order they were
 *     written in.
 * S3: writes of one table are never seen in another.
 */
import type { CatalogTables, TableName } from "./records.ts";

/** A range of keys. */
export interface KeyRange {
  /** Only keys that begin with it. */
  readonly prefix?: string | undefined;
  /** Only keys past it: greater, or smaller in reverse. */
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
  readonly reverse?: boolean | undefined;
}

export interface CatalogStore {
  get<T extends TableName>(table: T, key: string): CatalogTables[T] | undefined;
  put<T extends TableName>(table: T, key: string, record: CatalogTables[T]): void;
  delete(table: TableName, key: string): void;
  keys(table: TableName, range?: KeyRange): readonly string[];
}
