/** Small files that must survive a crash at any moment: whole and old, or whole and new. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { RingfoldError } from "../../base/errors.ts";
import { systemWords } from "../../base/system-error.ts";

/** Makes a directory that only its owner can read. @throws RingfoldError `data-dir` */
export function makePrivateDirectory(path: string): void {
  orDataDir(`cannot make the directory ${path}`, () => makeWithParents(path));
}

/** Not `recursive`: where nothing can be made (in /proc, say) Node tries on for ever. */
function makeWithParents(path: string): void {
  const parent = dirname(path);
  if (parent !== path && !existsSync(parent)) makeWithParents(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

/**
 * Writes a file, readable by its owner only: temporary name, sync, rename, sync of the directory.
 * @throws RingfoldError `data-dir`
 */
export function writeDurably(path: string, content: string | Uint8Array): void {
  orDataDir(`cannot write ${path}`, () => {
    const temporary = `${path}.${process.pid}.tmp`;
    const file = openSync(temporary, "w", 0o600);
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    syncDirectory(dirname(path));
  });
}

/** The file's text; undefined when there is none. @throws RingfoldError `data-dir` */
export function readIfThere(path: string): string | undefined {
  return orDataDir(`cannot read ${path}`, () => {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  });
}

function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function orDataDir<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new RingfoldError("data-dir", `${what}: ${systemWords(cause)}`, { cause });
  }
}
