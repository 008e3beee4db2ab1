/** What the operating system says about a path of the user's, as our error. */
import { RingfoldError } from "../base/errors.ts";
import { systemWords } from "../base/system-error.ts";

/**
 * @returns a RingfoldError as it is; `local-file` for an error of the system;
 *   anything else as it is
 */
export function localError(thrown: unknown, path: string): unknown {
  if (thrown instanceof RingfoldError) return thrown;
  const { code, syscall } = thrown as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return thrown;
  return new RingfoldError("local-file", `${path}: ${systemWords(thrown)}`, { cause: thrown });
}
