/**
 * What `put` and `run --local` were asked for: local files with the names that they get, all looked
 * at before any is sent.
 */
import { constants } from "node:fs";
import { access, glob, open, readdir, stat } from "node:fs/promises";
import { basename, join, relative, resolve, sep } from "node:path";
import { RingfoldError } from "../base/errors.ts";
import { fileName } from "../base/ids.ts";
import { isGlob } from "./file-names.ts";
import { localError } from "./local-error.ts";

export interface LocalFile {
  /** Absolute. */
  readonly path: string;
  /** In the cluster. */
  readonly name: string;
  readonly bytes: number;
}

interface Found {
  readonly path: string;
  readonly bytes: number;
  /**
   * Where it gets its name from: relative to the folder that was named, or the file's own last
   * part.
   */
  readonly tail: string;
  /** In front of `tail` when no --as says otherwise: the named folder's own name. */
  readonly folder: string;
}

/**
 * @param as a name for one file, or a prefix ending in `/`
 * @throws local-file when one is missing or cannot be read, bad-name, bad-option
 */
export async function localFiles(
  cwd: string,
  given: readonly string[],
  as: string | undefined,
): Promise<LocalFile[]> {
  const found: Found[] = [];
  for (const path of given) found.push(...(await expand(cwd, path)));
  for (const { path } of found)
    await access(path, constants.R_OK).catch((error) => throwLocal(error, path));
  if (as !== undefined && !as.endsWith("/") && found.length !== 1) {
    const why = `${found.length} files cannot have one name: end it with / for a prefix`;
    throw new RingfoldError("bad-option", `--as ${as}: ${why}`);
  }
  const files = found.map((one) => ({
    path: one.path,
    bytes: one.bytes,
    name: fileName(nameOf(one, as)),
  }));
  refuseTwins(files);
  return files;
}

function nameOf({ tail, folder }: Found, as: string | undefined): string {
  if (as === undefined) return folder === "" ? tail : `${folder}/${tail}`;
  return as.endsWith("/") ? `${as}${tail}` : as;
}

function refuseTwins(files: readonly LocalFile[]): void {
  const paths = new Map<string, string>();
  for (const { name, path } of files) {
    const twin = paths.get(name);
    if (twin !== undefined && twin !== path) {
      throw new RingfoldError("bad-option", `${twin} and ${path} would both be stored as ${name}`);
    }
    paths.set(name, path);
  }
}

/** A path as it is; if there is none and it is a pattern, what matches. */
async function expand(cwd: string, given: string): Promise<Found[]> {
  const path = resolve(cwd, given);
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" && isGlob(given)) return undefined;
    throw localError(error, given);
  });
  if (info === undefined) return await expandGlob(cwd, given);
  if (info.isDirectory()) return await filesBelow(path);
  if (!info.isFile())
    throw new RingfoldError("local-file", `${given}: neither a file nor a folder`);
  return [{ path, bytes: info.size, tail: basename(path), folder: "" }];
}

async function expandGlob(cwd: string, pattern: string): Promise<Found[]> {
  const found: Found[] = [];
  for await (const match of glob(pattern, { cwd })) {
    const path = resolve(cwd, match);
    const info = await stat(path);
    if (info.isFile()) found.push({ path, bytes: info.size, tail: basename(path), folder: "" });
  }
  if (found.length === 0)
    throw new RingfoldError("local-file", `${pattern}: no local file matches`);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Files below a folder, links followed to files but not to folders: a link to a folder can lead in
 * circles.
 */
async function filesBelow(folder: string): Promise<Found[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error) =>
    throwLocal(error, folder),
  );
  const found: Found[] = [];
  for (const entry of entries) {
    if (!entry.isFile() && !entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    const info = await stat(path).catch((error) => throwLocal(error, path));
    const tail = relative(folder, path).split(sep).join("/");
    if (info.isFile()) found.push({ path, bytes: info.size, tail, folder: basename(folder) });
  }
  if (found.length === 0)
    throw new RingfoldError("local-file", `${folder}: there is no file in this folder`);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

const SNIFF_BYTES = 8192;

/**
 * Text has no zero byte in its first pages; what is text is cut into blocks at line ends.
 * @throws local-file
 */
export async function looksLikeText(path: string): Promise<boolean> {
  try {
    await using file = await open(path);
    const head = Buffer.alloc(SNIFF_BYTES);
    const { bytesRead } = await file.read(head, 0, SNIFF_BYTES, 0);
    return !head.subarray(0, bytesRead).includes(0);
  } catch (error) {
    throw localError(error, path);
  }
}

function throwLocal(error: unknown, path: string): never {
  throw localError(error, path);
}
