/**
 * Which code points are letters (`\p{L}`), decided by the engine's own Unicode tables and
 * remembered.
 */
import { present } from "../base/errors.ts";

const letter = /\p{L}/u;
/**
 * 0 unknown, 1 letter, 2 not. Planes 0 to 3 hold every letter there is; the rest is asked each
 * time.
 */
let known: Uint8Array | undefined;

export function isLetter(codePoint: number): boolean {
  known ??= new Uint8Array(0x40000);
  if (codePoint >= known.length) return letter.test(String.fromCodePoint(codePoint));
  const seen = present(known[codePoint], "the table spans four planes");
  if (seen !== 0) return seen === 1;
  const is = letter.test(String.fromCodePoint(codePoint));
  known[codePoint] = is ? 1 : 2;
  return is;
}

/**
 * The code point that starts at `at`, as `codePoint * 8 + length`; 0 where no well-formed UTF-8
 * sequence starts. A byte that belongs to none reads as U+FFFD, which is no letter, so a caller may
 * skip it alone.
 */
export function codePointAt(bytes: Uint8Array, at: number, end: number): number {
  const a = bytes[at] as number;
  if (a < 0x80) return a * 8 + 1;
  if (a < 0xc2 || a > 0xf4 || at + 1 >= end) return 0;
  const b = bytes[at + 1] as number;
  if ((b & 0xc0) !== 0x80) return 0;
  if (a < 0xe0) return (((a & 0x1f) << 6) | (b & 0x3f)) * 8 + 2;
  if (at + 2 >= end || !secondFits(a, b)) return 0;
  const c = bytes[at + 2] as number;
  if ((c & 0xc0) !== 0x80) return 0;
  if (a < 0xf0) return (((a & 0x0f) << 12) | ((b & 0x3f) << 6) | (c & 0x3f)) * 8 + 3;
  if (at + 3 >= end) return 0;
  const d = bytes[at + 3] as number;
  if ((d & 0xc0) !== 0x80) return 0;
  return (((a & 7) << 18) | ((b & 0x3f) << 12) | ((c & 0x3f) << 6) | (d & 0x3f)) * 8 + 4;
}

/** No overlong forms, no surrogates, nothing above U+10FFFF (Unicode, table 3-7). */
function secondFits(first: number, second: number): boolean {
  if (first === 0xe0) return second >= 0xa0;
  if (first === 0xed) return second < 0xa0;
  if (first === 0xf0) return second >= 0x90;
  if (first === 0xf4) return second < 0x90;
  return true;
}
