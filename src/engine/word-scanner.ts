/**
 * Words on bytes: maximal runs of Unicode letters, found without making a string. Bytes that are no
 * well-formed UTF-8 read as U+FFFD, which is no letter.
 */
import { type FoldTable, SHORT_KEY } from "./fold-table.ts";
import { codePointAt, isLetter } from "./unicode-letters.ts";

const OTHER = 0;
const LETTER = 1;
const WIDE = 2;

/** What a byte is: an ASCII letter, another ASCII character, or part of a wider character. */
const CLASS = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const lower = byte | 0x20;
  CLASS[byte] = byte >= 0x80 ? WIDE : lower >= 0x61 && lower <= 0x7a ? LETTER : OTHER;
}

/** Length in bytes of the letter that starts at `at`, 0 if none does. For bytes from 0x80 on. */
function wideLetter(bytes: Uint8Array, at: number, end: number): number {
  const found = codePointAt(bytes, at, end);
  return found !== 0 && isLetter(found >>> 3) ? found & 7 : 0;
}

/** The end of the run of letters that contains `at`. */
function runEnd(bytes: Uint8Array, at: number, end: number): number {
  let i = at;
  while (i < end) {
    const kind = CLASS[bytes[i] as number];
    if (kind === OTHER) break;
    const length = kind === LETTER ? 1 : wideLetter(bytes, i, end);
    if (length === 0) break;
    i += length;
  }
  return i;
}

/**
 * Adds `value` to every word between `from` and `to`, which must not cut a word.
 * @returns how many words there were
 */
export function foldWords(
  bytes: Uint8Array,
  from: number,
  to: number,
  table: FoldTable,
  value: number,
): number {
  let words = 0;
  let i = from;
  while (i < to) {
    let kind = CLASS[bytes[i] as number] as number;
    if (kind === OTHER) {
      i++;
      continue;
    }
    const start = i;
    let high = 0;
    let low = 0;
    while (kind === LETTER) {
      high = (high << 8) | (low >>> 24);
      low = (low << 8) | (bytes[i] as number);
      i++;
      kind = i < to ? (CLASS[bytes[i] as number] as number) : OTHER;
    }
    if (kind === OTHER) {
      if (i - start > SHORT_KEY) table.addLong(bytes, start, i, value);
      else table.addShort(bytes, start, i, high, low, value);
      words++;
      continue;
    }
    const end = runEnd(bytes, i, to);
    if (end > start) {
      table.addBytes(bytes, start, end, value);
      words++;
    }
    // No letter starts here: skip the byte alone; its continuation bytes are no letters either.
    i = end > i ? end : i + 1;
  }
  return words;
}

/** Calls `each` with every word between `from` and `to` as a string. */
export function eachWord(
  bytes: Buffer,
  from: number,
  to: number,
  each: (word: string) => void,
): void {
  let i = from;
  while (i < to) {
    if (CLASS[bytes[i] as number] === OTHER) {
      i++;
      continue;
    }
    const end = runEnd(bytes, i, to);
    if (end > i) each(bytes.toString("utf8", i, end));
    i = end > i ? end : i + 1;
  }
}
