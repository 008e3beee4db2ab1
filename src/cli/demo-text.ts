/**
 * The real text of the demo: the Markdown files that came with the dependencies, or the text files
 * of the user's folder.
 */
import { opendir, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { RingfoldError } from "../base/errors.ts";
import { type Bytes, fileName } from "../base/ids.ts";
import { localError } from "./local-error.ts";
import { type LocalFile, looksLikeText } from "./local-files.ts";

const PACKAGES = fileURLToPath(new URL("../../node_modules", import.meta.url));

/** Beyond this the demo would not end within a minute on two cores; it says what it left out. */
export const MAX_DEMO_BYTES: Bytes = 256 * 1024 * 1024;
export const MAX_DEMO_FILES = 4000;

export interface DemoText {
  /** Absolute. */
  readonly folder: string;
  readonly kind: "Markdown" | "text";
  /** In the order of their names, which begin with `demo/`. */
  readonly files: readonly LocalFile[];
  readonly bytes: Bytes;
  /** Files of the kind that there was no room for. */
  readonly leftOut: number;
}

/**
 * @param dir without it the Markdown files below `node_modules`
 * @throws local-file when the folder is missing, is no folder, or has no such file
 */
export async function demoText(
  dir?: string,
  most = { bytes: MAX_DEMO_BYTES, files: MAX_DEMO_FILES },
): Promise<DemoText> {
  const folder = resolve(dir ?? PACKAGES);
  const kind = dir === undefined ? "Markdown" : "text";
  await checkFolder(folder);
  const found: LocalFile[] = [];
  for await (const path of filesBelow(folder)) {
    if (kind === "Markdown" && !/\.md$/i.test(path)) continue;
    const file = await textFile(folder, path);
    if (file !== undefined) found.push(file);
  }
  if (found.length === 0) {
    throw new RingfoldError("local-file", `${folder}: there is no ${kind} file in it to count`);
  }
  found.sort((a, b) => (a.name < b.name ? -1 : 1));
  const files = fitting(found, most);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { folder, kind, files, bytes, leftOut: found.length - files.length };
}

async function checkFolder(folder: string): Promise<void> {
  const there = await stat(folder).catch((error: unknown) => {
    throw localError(error, folder);
  });
  if (!there.isDirectory()) throw new RingfoldError("local-file", `${folder} is not a folder`);
}

/** Plain files only: links may lead in circles. A folder that cannot be read is passed over. */
async function* filesBelow(folder: string): AsyncGenerator<string> {
  const entries = await opendir(folder).catch(() => undefined);
  if (entries === undefined) return;
  for await (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

async function textFile(folder: string, path: string): Promise<LocalFile | undefined> {
  try {
    const name = fileName(`demo/${relative(folder, path).split(sep).join("/")}`);
    const { size } = await stat(path);
    return size > 0 && (await looksLikeText(path)) ? { path, name, bytes: size } : undefined;
  } catch {
    // A name that the cluster does not take, or no right to read: left out, like a file that is no
    // text.
    return undefined;
  }
}

function fitting(
  found: readonly LocalFile[],
  most: { readonly bytes: Bytes; readonly files: number },
): LocalFile[] {
  let bytes = 0;
  let files = 0;
  return found.filter((file) => {
    if (files >= most.files || bytes + file.bytes > most.bytes) return false;
    bytes += file.bytes;
    files++;
    return true;
  });
}
