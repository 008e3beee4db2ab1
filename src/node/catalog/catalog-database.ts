/**
 * The file that the catalog lives in: the Raft log, what Raft must remember beside it, and the state machine's tables,
 * in one SQLite database, so that a batch of entries and what they changed are on the disk together or not at all.
 *
 * D1  A transaction is synced before it returns (WAL, `synchronous=FULL`). By pragma; asserted at open.
 * D2  A full disk leaves everything as it was before the transaction and is a refusal; any other failure is fatal. Tested.
 * D3  Every entry and record carries a checksum over its key and bytes. Damage in the log is found at open, in a record
 *     when it is read; nothing is guessed or cut: SQLite itself drops what a torn write left unfinished. Tested.
 * D4  One process at a time: the file is locked exclusively while it is open. Tested.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { assert, RingfoldError } from "../../base/errors.ts";
import { nodeId } from "../../base/ids.ts";
import { type Entry, type HardState, type LogTail, ONLY_GROUP } from "../../raft/raft.ts";

export const CATALOG_FILE = "catalog.db";
/** The version of the layout below. */
const LAYOUT = 1;
/** Entries that are kept after they were applied, for voters that come back. */
export const KEPT_ENTRIES = 10_000;
/** Old entries are dropped so many at a time. */
const COMPACT_AT = KEPT_ENTRIES + 1_000;

const SQLITE_PERM = 3;
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS log (
    grp INTEGER NOT NULL, idx INTEGER NOT NULL, term INTEGER NOT NULL, now REAL NOT NULL,
    bytes BLOB NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (grp, idx)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS kv (
    tbl TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (tbl, key)
  ) STRICT, WITHOUT ROWID;
`;

export interface DatabaseOptions {
  /** Pretends that the disk is full when the file has so many pages of 4 KiB. For tests. */
  readonly maxPages?: number | undefined;
}

/** What a start needs to know of the disk. */
export interface DiskState {
  readonly hardState: HardState | undefined;
  readonly tail: LogTail;
  readonly applied: number;
}

type Row = Record<string, unknown>;

export class CatalogDatabase {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #append: StatementSync;
  readonly #range: StatementSync;
  readonly #setMeta: StatementSync;
  /** The first index that the log still holds. */
  #first = 1;

  /**
   * Opens or makes the file in a directory, which is made if need be, and checks the log.
   * @throws RingfoldError `data-dir-in-use`, `data-dir`, `catalog-damaged`, `disk-full`
   */
  constructor(dir: string, options: DatabaseOptions = {}) {
    this.path = join(dir, CATALOG_FILE);
    this.#db = this.#guarded(() => openFile(dir, this.path, options));
    try {
      this.#guarded(() => this.#prepareLayout(dir));
      this.#append = this.prepare("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)");
      this.#range = this.prepare(
        "SELECT * FROM log WHERE grp = ? AND idx BETWEEN ? AND ? ORDER BY idx",
      );
      this.#setMeta = this.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)");
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  prepare(sql: string): StatementSync {
    return this.#db.prepare(sql);
  }

  /**
   * Does the work in one transaction and syncs it.
   * @throws RingfoldError `disk-full`, when nothing of it was stored; `disk-failed` and `catalog-damaged`, which are fatal
   */
  transaction<T>(work: () => T): T {
    return this.#guarded(() => {
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        this.#db.exec("COMMIT");
        return result;
      } catch (error) {
        // A full disk may have ended it already.
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  /** Reads, with failures told as in {@link transaction}. */
  read<T>(work: () => T): T {
    return this.#guarded(work);
  }

  /** What the disk holds, every entry of the log checked (D3). */
  load(): DiskState {
    return this.#guarded(() => {
      const tail = this.#checkLog();
      const applied = this.#meta("applied") ?? 0;
      const term = this.#meta("term");
      const votedFor = this.#meta("voted-for");
      if (typeof applied !== "number") throw this.damage("the applied index is no number");
      if (applied > tail.index || applied < this.#first - 1) {
        throw this.damage(
          `applied up to ${applied}, but the log has ${this.#first} to ${tail.index}`,
        );
      }
      if (term === undefined && tail.index === 0) return { hardState: undefined, tail, applied };
      if (typeof term !== "number" || typeof votedFor !== "string" || term < tail.term) {
        throw this.damage("the term and the vote do not fit the log");
      }
      return { hardState: { term, votedFor: nodeId(votedFor) }, tail, applied };
    });
  }

  /** Inside a transaction. */
  append(hardState: HardState | undefined, entries: readonly Entry[]): void {
    if (hardState !== undefined) {
      this.#setMeta.run("term", hardState.term);
      this.#setMeta.run("voted-for", hardState.votedFor);
    }
    for (const entry of entries) {
      const { group, index, term, now, bytes } = entry;
      this.#append.run(group, index, term, now, bytes, entryChecksum(entry));
    }
  }

  /** Inside a transaction: the tables hold what the entries up to this one made of them. */
  setApplied(index: number): void {
    this.#setMeta.run("applied", index);
    if (index - this.#first < COMPACT_AT) return;
    this.#first = index - KEPT_ENTRIES + 1;
    this.prepare("DELETE FROM log WHERE grp = ? AND idx < ?").run(ONLY_GROUP, this.#first);
  }

  /** Entries of the log, both ends included. */
  entries(from: number, to: number): Entry[] {
    return (this.#range.all(ONLY_GROUP, from, to) as Row[]).map((row) => this.#entryOf(row));
  }

  /** Checkpoints and closes. Idempotent. */
  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  damage(what: string): RingfoldError {
    return new RingfoldError("catalog-damaged", `${this.path} is damaged: ${what}`);
  }

  #prepareLayout(dir: string): void {
    // Before the first write: the lock of a process that runs already is met here.
    const layout = this.#db.prepare("PRAGMA user_version").get()?.["user_version"];
    if (layout === LAYOUT) return;
    if (layout !== 0) {
      throw new RingfoldError(
        "version-mismatch",
        `${this.path} has layout ${String(layout)}; this version of Ringfold knows layout ${LAYOUT}`,
      );
    }
    this.transaction(() => this.#db.exec(`${SCHEMA} PRAGMA user_version = ${LAYOUT}`));
    syncDirectory(dir);
  }

  #meta(key: string): unknown {
    return this.prepare("SELECT value FROM meta WHERE key = ?").get(key)?.["value"];
  }

  #checkLog(): LogTail {
    let tail: LogTail = { index: 0, term: 0, now: 0 };
    const rows = this.prepare("SELECT * FROM log WHERE grp = ? ORDER BY idx").iterate(ONLY_GROUP);
    for (const row of rows as Iterable<Row>) {
      const { index, term, now } = this.#entryOf(row);
      if (tail.index === 0) this.#first = index;
      else if (index !== tail.index + 1)
        throw this.damage(`log entry ${tail.index + 1} is missing`);
      if (term < tail.term || now < tail.now)
        throw this.damage(`log entry ${index} is out of order`);
      tail = { index, term, now };
    }
    return tail;
  }

  #entryOf({ idx, term, now, bytes, crc }: Row): Entry {
    const shaped =
      typeof idx === "number" &&
      typeof term === "number" &&
      typeof now === "number" &&
      bytes instanceof Uint8Array;
    if (!shaped) throw this.damage("a log entry has no form");
    const entry: Entry = { group: ONLY_GROUP, index: idx, term, now, bytes };
    if (entryChecksum(entry) !== crc) throw this.damage(`log entry ${idx} fails its checksum`);
    return entry;
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** A failure of SQLite as what it means for the node; anything else as it is. */
  #told(error: unknown): unknown {
    if (!(error instanceof Error) || !("errcode" in error)) return error;
    // The upper bits tell the place, the lower eight the kind.
    const kind = Number(error.errcode) & 0xff;
    const told = `${this.path}: ${error.message}`;
    switch (kind) {
      case SQLITE_FULL:
        return new RingfoldError("disk-full", told, { cause: error });
      case SQLITE_BUSY:
        return new RingfoldError("data-dir-in-use", `${told}: another process has it open`);
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
        return this.damage(error.message);
      case SQLITE_PERM:
      case SQLITE_READONLY:
      case SQLITE_CANTOPEN:
        return new RingfoldError("data-dir", told, { cause: error });
      default:
        return new RingfoldError("disk-failed", told, { cause: error });
    }
  }
}

function openFile(dir: string, path: string, { maxPages }: DatabaseOptions): DatabaseSync {
  makeFile(dir, path);
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    // The lock comes first: with it, WAL needs no shared memory.
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    const mode = db.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"];
    db.exec("PRAGMA synchronous = FULL; PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY");
    assert(mode === "wal", "D1: the journal is a write-ahead log");
    if (maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${maxPages}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Made here, so that it and the log that SQLite keeps beside it are its owner's from their first byte. */
function makeFile(dir: string, path: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    // Only if it is new: closing any handle of a file gives up this process's locks on it.
    if (!existsSync(path)) closeSync(openSync(path, "wx", 0o600));
  } catch (cause) {
    const full = cause instanceof Error && "code" in cause && cause.code === "ENOSPC";
    throw new RingfoldError(full ? "disk-full" : "data-dir", `${path} cannot be made`, { cause });
  }
}

/** A new file is there after a power cut only when its directory was synced. */
function syncDirectory(dir: string): void {
  const handle = openSync(dir, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

const header = new Float64Array(4);

function entryChecksum({ group, index, term, now, bytes }: Entry): number {
  header.set([group, index, term, now]);
  return crc32(bytes, crc32(new Uint8Array(header.buffer)));
}

/** The checksum of a record, which is of its place too. */
export const recordChecksum = (table: string, key: string, value: Uint8Array): number =>
  crc32(value, crc32(`${table}/${key}`));
