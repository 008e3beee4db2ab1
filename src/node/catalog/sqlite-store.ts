/** The catalog's tables in SQLite, with the records read or written last kept decoded. */
import type { StatementSync } from "node:sqlite";
import type { Bytes } from "../../base/ids.ts";
import type { CatalogTables, TableName } from "../../catalog/records.ts";
import type { CatalogStore, KeyRange } from "../../catalog/store.ts";
import { decodeRecord, encodeRecord } from "../../wire/catalog-bytes.ts";
import { type CatalogDatabase, recordChecksum } from "./catalog-database.ts";

/** Bytes of encoded records whose decoded form one generation keeps. */
const GENERATION_BYTES: Bytes = 1024 * 1024;

export class SqliteStore implements CatalogStore {
  readonly #database: CatalogDatabase;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #forward: StatementSync;
  readonly #backward: StatementSync;
  /** Two generations: a full young one takes the old one's place. */
  #young = new Map<string, unknown>();
  #old = new Map<string, unknown>();
  #youngBytes: Bytes = 0;

  constructor(database: CatalogDatabase) {
    this.#database = database;
    this.#get = database.prepare("SELECT value, crc FROM kv WHERE tbl = ? AND key = ?");
    this.#put = database.prepare("INSERT OR REPLACE INTO kv VALUES (?, ?, ?, ?)");
    this.#delete = database.prepare("DELETE FROM kv WHERE tbl = ? AND key = ?");
    const keys = "SELECT key FROM kv WHERE tbl = ? AND key >= ? AND key";
    this.#forward = database.prepare(`${keys} > ? ORDER BY key`);
    this.#backward = database.prepare(`${keys} < ? ORDER BY key DESC`);
  }

  get<T extends TableName>(table: T, key: string): CatalogTables[T] | undefined {
    const place = `${table}/${key}`;
    const known = this.#young.get(place) ?? this.#old.get(place);
    // Only `get` and `put` write the cache, with the record type of the table.
    if (known !== undefined) return known as CatalogTables[T];
    const row = this.#get.get(table, key);
    if (row === undefined) return undefined;
    const { value, crc } = row;
    if (!(value instanceof Uint8Array) || recordChecksum(table, key, value) !== crc) {
      throw this.#database.damage(`the ${table} record "${key}" fails its checksum`);
    }
    const record = decodeRecord(table, value);
    this.#keep(place, record, value.length);
    return record;
  }

  put<T extends TableName>(table: T, key: string, record: CatalogTables[T]): void {
    const value = encodeRecord(table, record);
    this.#put.run(table, key, value, recordChecksum(table, key, value));
    this.#keep(`${table}/${key}`, record, value.length);
  }

  delete(table: TableName, key: string): void {
    this.#delete.run(table, key);
    this.#young.delete(`${table}/${key}`);
    this.#old.delete(`${table}/${key}`);
  }

  keys(table: TableName, range: KeyRange = {}): readonly string[] {
    const { prefix = "", after, limit = Number.POSITIVE_INFINITY, reverse = false } = range;
    const rows = reverse
      ? this.#backward.iterate(table, prefix, after ?? BEYOND)
      : this.#forward.iterate(table, prefix, after ?? "");
    const found: string[] = [];
    if (limit < 1) return found;
    for (const { key } of rows) {
      const text = String(key);
      if (text.startsWith(prefix)) {
        if (found.push(text) >= limit) break;
      } else if (!reverse) break;
    }
    return found;
  }

  /** After a transaction that was taken back: what was kept may never have been. */
  forget(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngBytes = 0;
  }

  #keep(place: string, record: unknown, bytes: Bytes): void {
    if (this.#youngBytes > GENERATION_BYTES) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(place, record);
    this.#youngBytes += bytes;
  }
}

/** To SQLite every blob lies beyond every text. */
const BEYOND = new Uint8Array(0);
