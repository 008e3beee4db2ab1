/**
 * Lines of a block as strings: decoded in pieces cut at line ends, so that one native call decodes
 * hundreds of lines. Invalid UTF-8 reads as U+FFFD. A line ends at `\n`; one `\r` before it belongs
 * to the end.
 *
 * L1: the lines are those of decoding the whole and splitting it, whatever the pieces. Tested.
 */
import { isAscii } from "node:buffer";

const PIECE = 1 << 16;
const NEWLINE = 10;

/** Calls `each` with every line of the block; the last needs no line end. */
export function eachLine(bytes: Buffer, each: (line: string) => void): void {
  let from = 0;
  while (from < bytes.length) {
    const to = pieceEnd(bytes, from);
    linesOf(decode(bytes, from, to), each);
    from = to;
  }
}

/** The end of the last whole line within a piece, or of the line that is longer than one. */
function pieceEnd(bytes: Buffer, from: number): number {
  if (from + PIECE >= bytes.length) return bytes.length;
  const last = bytes.lastIndexOf(NEWLINE, from + PIECE - 1);
  if (last >= from) return last + 1;
  const next = bytes.indexOf(NEWLINE, from + PIECE);
  return next === -1 ? bytes.length : next + 1;
}

/** Text of a stretch; a stretch of ASCII becomes a string of one byte a character. */
export function decode(bytes: Buffer, from: number, to: number): string {
  return isAscii(bytes.subarray(from, to))
    ? bytes.toString("latin1", from, to)
    : bytes.toString("utf8", from, to);
}

function linesOf(text: string, each: (line: string) => void): void {
  let from = 0;
  while (from < text.length) {
    const found = text.indexOf("\n", from);
    const to = found === -1 ? text.length : found;
    const cut = found !== -1 && to > from && text.charCodeAt(to - 1) === 13 ? to - 1 : to;
    each(text.slice(from, cut));
    from = to + 1;
  }
}
