/**
 * The disk as the data process sees it: a port, so that full disks, failed syncs and torn writes can be injected.
 * Every error that leaves it is a RingfoldError: `disk-full` (ENOSPC, EDQUOT) or `disk-failed`.
 */
import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { RingfoldError } from "../../base/errors.ts";
import type { Bytes } from "../../base/ids.ts";

export interface DiskFile {
  /** Writes all chunks, in order, at `position` or after the last write. */
  write(chunks: readonly Uint8Array[], position?: Bytes): Promise<void>;
  /** Reads from `position` until `into` is full or the file ends; answers the bytes read. */
  read(into: Uint8Array, position: Bytes): Promise<Bytes>;
  size(): Promise<Bytes>;
  /** Bytes are on the disk when it resolves (fdatasync). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  /** `create` fails when the file is there; `read` when it is not (undefined instead). */
  create(path: string): Promise<DiskFile>;
  open(path: string): Promise<DiskFile | undefined>;
  rename(from: string, to: string): Promise<void>;
  /**
   * Writes a new file around the page cache, synced. False: the file system cannot, and nothing was made.
   * @param pages whole pages (wholePages of aligned-pool.ts), of which the first `length` bytes are the file's
   */
  writeDirect(path: string, pages: Uint8Array, length: Bytes): Promise<boolean>;
  /** Reads a file's beginning around the page cache; answers the bytes read, undefined when it cannot. */
  readDirect(path: string, pages: Uint8Array): Promise<Bytes | undefined>;
  /** A second name for the same bytes, or a copy where the file system cannot. */
  link(from: string, to: string): Promise<void>;
  /** Rename, or copy and remove across file systems. */
  move(from: string, to: string): Promise<void>;
  /** Files and folders; nothing when it is not there. */
  remove(path: string): Promise<void>;
  makeDir(path: string): Promise<void>;
  /** Names in a folder; none when it is not there. */
  list(path: string): Promise<string[]>;
  /** Undefined when there is no such file. */
  size(path: string): Promise<Bytes | undefined>;
  /** Names in the folder survive a power cut when it resolves. */
  syncDir(path: string): Promise<void>;
  /** Of the file system: bytes that we may still use, and its size. */
  space(path: string): Promise<{ readonly free: Bytes; readonly total: Bytes }>;
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";

/** A file system's error as Trouble. */
export function diskTrouble(error: unknown, path: string): RingfoldError {
  if (error instanceof RingfoldError) return error;
  const code = codeOf(error);
  const full = code === "ENOSPC" || code === "EDQUOT";
  const text = full ? "no space left" : error instanceof Error ? error.message : String(error);
  return new RingfoldError(full ? "disk-full" : "disk-failed", `${path}: ${text}`, {
    cause: error,
    detail: { path, errno: code },
  });
}

async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskTrouble(error, path);
  }
}

class RealFile implements DiskFile {
  readonly #handle: fs.FileHandle;
  readonly #path: string;

  constructor(handle: fs.FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  write(chunks: readonly Uint8Array[], position?: Bytes): Promise<void> {
    return guarded(this.#path, async () => {
      let at = position;
      for (const group of iovecs(chunks)) {
        const length = group.reduce((sum, chunk) => sum + chunk.length, 0);
        await writeWhole(this.#handle, group, length, at);
        if (at !== undefined) at += length;
      }
    });
  }

  read(into: Uint8Array, position: Bytes): Promise<Bytes> {
    return guarded(this.#path, async () => {
      let done = 0;
      while (done < into.length) {
        const options = { offset: done, length: into.length - done, position: position + done };
        const { bytesRead } = await this.#handle.read(into, options);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  size(): Promise<Bytes> {
    return guarded(this.#path, async () => (await this.#handle.stat()).size);
  }

  sync(): Promise<void> {
    return guarded(this.#path, () => this.#handle.datasync());
  }

  close(): Promise<void> {
    return guarded(this.#path, () => this.#handle.close());
  }
}

/** Linux takes at most 1024 pieces in one writev. */
const MAX_IOVECS = 1024;

function* iovecs(chunks: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  for (let i = 0; i < chunks.length; i += MAX_IOVECS) yield chunks.slice(i, i + MAX_IOVECS);
}

/** writev may write less than asked (nearly full disks, limits): the rest goes on until it is done or fails. */
async function writeWhole(
  handle: fs.FileHandle,
  chunks: readonly Uint8Array[],
  length: Bytes,
  position: Bytes | undefined,
): Promise<void> {
  const at = position ?? null;
  let done = (await handle.writev(chunks, at as number)).bytesWritten;
  if (done === length) return;
  const rest = Buffer.concat(chunks);
  while (done < length) {
    const place = position === undefined ? null : position + done;
    done += (await handle.write(rest, done, length - done, place)).bytesWritten;
  }
}

/** Undefined where the system (no O_DIRECT) or the file system (EINVAL, such as tmpfs) cannot, or there is no such file. */
async function openDirect(path: string, flags: number): Promise<fs.FileHandle | undefined> {
  const direct = (constants as { readonly O_DIRECT?: number }).O_DIRECT;
  if (direct === undefined) return undefined;
  try {
    return await fs.open(path, flags | direct, 0o600);
  } catch (error) {
    if (codeOf(error) !== "EINVAL" && codeOf(error) !== "ENOENT") throw error;
    // Some systems make the file before they find that they cannot open it so.
    if ((flags & constants.O_CREAT) !== 0) await fs.rm(path, { force: true });
    return undefined;
  }
}

/** The real disk. */
export const realDisk: Disk = {
  create: (path) => guarded(path, async () => new RealFile(await fs.open(path, "wx", 0o600), path)),

  open: (path) =>
    guarded(path, async () => {
      try {
        return new RealFile(await fs.open(path, "r"), path);
      } catch (error) {
        if (codeOf(error) === "ENOENT") return undefined;
        throw error;
      }
    }),

  writeDirect: (path, pages, length) =>
    guarded(path, async () => {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
      const handle = await openDirect(path, flags);
      if (handle === undefined) return false;
      try {
        await writeWhole(handle, [pages], pages.length, 0);
        await handle.truncate(length);
        await handle.datasync();
        return true;
      } catch (error) {
        if (codeOf(error) !== "EINVAL") throw error;
        await fs.rm(path, { force: true });
        return false;
      } finally {
        await handle.close();
      }
    }),

  readDirect: (path, pages) =>
    guarded(path, async () => {
      const handle = await openDirect(path, constants.O_RDONLY);
      if (handle === undefined) return undefined;
      try {
        return (await handle.read(pages, 0, pages.length, 0)).bytesRead;
      } catch (error) {
        if (codeOf(error) !== "EINVAL") throw error;
        return undefined;
      } finally {
        await handle.close();
      }
    }),

  rename: (from, to) => guarded(to, () => fs.rename(from, to)),

  link: (from, to) =>
    guarded(to, async () => {
      try {
        await fs.link(from, to);
      } catch (error) {
        if (!["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "ENOSYS"].includes(codeOf(error))) throw error;
        await fs.copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      }
    }),

  move: (from, to) =>
    guarded(to, async () => {
      try {
        await fs.rename(from, to);
      } catch (error) {
        if (codeOf(error) !== "EXDEV") throw error;
        await fs.copyFile(from, to);
        await fs.rm(from);
      }
    }),

  remove: (path) => guarded(path, () => fs.rm(path, { recursive: true, force: true })),
  makeDir: (path) =>
    guarded(path, async () => void (await fs.mkdir(path, { recursive: true, mode: 0o700 }))),

  list: (path) =>
    guarded(path, async () => {
      try {
        return await fs.readdir(path);
      } catch (error) {
        if (codeOf(error) === "ENOENT") return [];
        throw error;
      }
    }),

  size: (path) =>
    guarded(path, async () => {
      try {
        return (await fs.stat(path)).size;
      } catch (error) {
        if (codeOf(error) === "ENOENT") return undefined;
        throw error;
      }
    }),

  syncDir: (path) =>
    guarded(path, async () => {
      const handle = await fs.open(path, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    }),

  space: (path) =>
    guarded(path, async () => {
      const { bavail, blocks, bsize } = await fs.statfs(path);
      return { free: bavail * bsize, total: blocks * bsize };
    }),
};
