/** What the operating system says about a path of the user's, as our error. */
import { RingfoldError } from "../base/errors.ts";

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "no permission",
  EPERM: "not permitted",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of its path is not a folder",
  ELOOP: "too many symbolic links",
  ENAMETOOLONG: "the name is too long",
  EROFS: "the file system is read-only",
  EMFILE: "too many open files",
};

/**
 * @returns a RingfoldError as it is; `disk-full` or `local-file` for an error of the system;
 *   anything else as it is
 */
export function localError(thrown: unknown, path: string): unknown {
  if (thrown instanceof RingfoldError) return thrown;
  const { code, syscall } = thrown as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new RingfoldError("local-file", `${path}: the disk is full`, { cause: thrown });
  }
  if (code === undefined || syscall === undefined) return thrown;
  return new RingfoldError("local-file", `${path}: ${WHY[code] ?? code}`, { cause: thrown });
}
