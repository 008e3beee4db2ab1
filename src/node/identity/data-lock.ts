/**
 * One process for each data directory. The lock is SQLite's exclusive file lock on an empty database: the kernel drops it
 * with its owner, however that dies, so there is nothing stale to judge; and two starters at once are told apart by it.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RingfoldError } from "../../base/errors.ts";
import { makePrivateDirectory, readIfThere, writeDurably } from "./durable-file.ts";

export interface DataLock {
  /** Gives the directory free. Idempotent. */
  release(): void;
}

/** Keeps the databases reachable: a collected one would close, and drop its lock unseen. */
const held = new Set<DatabaseSync>();

/**
 * Takes a data directory for this process, making it when there is none.
 * @throws RingfoldError `data-dir-in-use` naming the process that has it, `data-dir`
 */
export function lockDataDirectory(dataDir: string): DataLock {
  makePrivateDirectory(dataDir);
  const pidFile = join(dataDir, "node.pid");
  const database = lockedDatabase(join(dataDir, "node.lock"), () => {
    // Between an owner's lock and its pid file lies a moment in which the pid is not known.
    const pid = readIfThere(pidFile)?.trim();
    const owner = pid === undefined || pid === "" ? "another process" : `process ${pid}`;
    return new RingfoldError("data-dir-in-use", `${dataDir} is in use by ${owner}`, {
      detail: { pid: Number(pid) },
    });
  });
  held.add(database);
  const release = (): void => {
    if (held.delete(database)) database.close();
  };
  try {
    writeDurably(pidFile, `${process.pid}\n`);
  } catch (error) {
    release();
    throw error;
  }
  return { release };
}

function lockedDatabase(path: string, inUse: () => RingfoldError): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec("BEGIN EXCLUSIVE");
    return database;
  } catch (cause) {
    database?.close();
    const { errcode, message } = cause as { errcode?: number; message?: string };
    const SQLITE_BUSY = 5;
    if (errcode === SQLITE_BUSY) throw inUse();
    throw new RingfoldError("data-dir", `cannot lock ${path}: ${message ?? ""}`, { cause });
  }
}
