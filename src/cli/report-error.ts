/**
 * The one message of a command that failed: what, where, code, and what to do. Never a stack trace
 * unless asked for.
 */
import { ERRORS, errorNote, RingfoldError } from "../base/errors.ts";
import { jsonLine, line, type Terminal } from "./terminal.ts";

export { INTERRUPTED } from "./terminal.ts";

/** Ends a command with a code of its own, silently: it has said all that there is to say. */
export class Ended extends Error {
  readonly exit: number;

  constructor(exit: number) {
    super(`ended with ${exit}`);
    this.name = "Ended";
    this.exit = exit;
  }
}

/**
 * Prints the message and gives the exit code. With `json` a line of its own goes to standard output
 * too.
 */
export async function reportError(
  thrown: unknown,
  terminal: Terminal,
  json: boolean,
): Promise<number> {
  if (thrown instanceof Ended) return thrown.exit;
  const note = errorNote(thrown);
  const message = firstLine(note.message);
  const { fix, exit } = ERRORS[note.code];
  await line(terminal.err, `ringfold: ${message} (${note.code})\n→ fix: ${fix}`);
  if (terminal.env["RINGFOLD_DEBUG"] === "1") await line(terminal.err, stackOf(thrown));
  if (json) {
    const detail = thrown instanceof RingfoldError ? thrown.detail : {};
    await jsonLine(terminal.out, { event: "error", code: note.code, message, fix, ...detail });
  }
  return exit;
}

/**
 * Messages of ours may have several lines (a compiler's, say); a stack of a fault has its message
 * in the first.
 */
function firstLine(message: string): string {
  const stack = message.search(/\n\s+at /);
  return stack < 0 ? message : message.slice(0, stack);
}

function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause === undefined ? "" : `\ncaused by ${stackOf(thrown.cause)}`;
  return `${thrown.stack ?? thrown.message}${cause}`;
}
