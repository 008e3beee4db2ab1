/**
 * Sorts packed byte strings: four bytes of each, their number and the pair's place are packed into
 * 64 bits and sorted natively; only ties look at the next four bytes. No comparison calls back into
 * JavaScript on large ranges.
 *
 * S1: the result is the order of {@link compareBytes}; equal strings keep their places (stable), or
 * are ordered by the `ties` column where one is given. Tested against Array.sort.
 */
import { compareBytes } from "./byte-arena.ts";

/** Packed strings: string i lies from `starts[i]` to `starts[i + 1]`. */
export interface ByteColumn {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
}

/** Below this a comparison sort is faster. */
const SMALL = 24;
/** In a packed word: how many of the four bytes there are, 5 if more follow. */
const FOLLOWED = 5;
const PLACE_BITS = 29;
const PLACE_MASK = (1 << PLACE_BITS) - 1;

/** Sorts the entry numbers `order[from..to)` by their strings from byte `depth` on. */
export function sortByBytes(
  order: Uint32Array,
  from: number,
  to: number,
  column: ByteColumn,
  ties?: ByteColumn,
  depth = 0,
): void {
  let at = depth;
  while (to - from > SMALL) {
    const words = packAndSort(order, from, to, column, at);
    const last = words.length - 2;
    const whole = words[1] === words[last + 1] && sameTag(words, 0, last);
    if (!whole) {
      sortGroups(order, from, words, column, ties, at);
      return;
    }
    if ((words[0] as number) >>> PLACE_BITS !== FOLLOWED) {
      if (ties !== undefined) sortByBytes(order, from, to, ties);
      return;
    }
    at += 4;
  }
  sortFew(order, from, to, column, ties, at);
}

const sameTag = (words: Uint32Array, a: number, b: number): boolean =>
  (words[a] as number) >>> PLACE_BITS === (words[b] as number) >>> PLACE_BITS;

/**
 * Orders by the next four bytes; gives the packed words (low: tag and place, high: bytes), sorted.
 */
function packAndSort(
  order: Uint32Array,
  from: number,
  to: number,
  { bytes, starts }: ByteColumn,
  depth: number,
): Uint32Array {
  const packed = new BigUint64Array(to - from);
  const words = new Uint32Array(packed.buffer);
  for (let i = from; i < to; i++) {
    const entry = order[i] as number;
    const at = (starts[entry] as number) + depth;
    const left = (starts[entry + 1] as number) - at;
    let four = 0;
    const taken = left < 4 ? left : 4;
    for (let b = 0; b < taken; b++) four |= (bytes[at + b] as number) << (24 - 8 * b);
    const place = i - from;
    words[place * 2] = (((left > 4 ? FOLLOWED : left) << PLACE_BITS) | place) >>> 0;
    words[place * 2 + 1] = four;
  }
  packed.sort();
  const old = order.slice(from, to);
  for (let i = 0; i < old.length; i++) {
    order[from + i] = old[(words[i * 2] as number) & PLACE_MASK] as number;
  }
  return words;
}

/** Sorts every stretch of equal four bytes by what follows. */
function sortGroups(
  order: Uint32Array,
  from: number,
  words: Uint32Array,
  column: ByteColumn,
  ties: ByteColumn | undefined,
  depth: number,
): void {
  const count = words.length / 2;
  let start = 0;
  for (let i = 1; i <= count; i++) {
    const same =
      i < count && words[i * 2 + 1] === words[start * 2 + 1] && sameTag(words, i * 2, start * 2);
    if (same) continue;
    if (i - start > 1) {
      const followed = (words[start * 2] as number) >>> PLACE_BITS === FOLLOWED;
      if (followed) sortByBytes(order, from + start, from + i, column, ties, depth + 4);
      else if (ties !== undefined) sortByBytes(order, from + start, from + i, ties);
    }
    start = i;
  }
}

/** Insertion sort. */
function sortFew(
  order: Uint32Array,
  from: number,
  to: number,
  column: ByteColumn,
  ties: ByteColumn | undefined,
  depth: number,
): void {
  for (let i = from + 1; i < to; i++) {
    const entry = order[i] as number;
    let j = i - 1;
    while (j >= from && compareEntries(order[j] as number, entry, column, ties, depth) > 0) {
      order[j + 1] = order[j] as number;
      j--;
    }
    order[j + 1] = entry;
  }
}

function compareEntries(
  a: number,
  b: number,
  column: ByteColumn,
  ties: ByteColumn | undefined,
  depth: number,
): number {
  const { bytes, starts } = column;
  const order = compareBytes(
    bytes,
    (starts[a] as number) + depth,
    starts[a + 1] as number,
    bytes,
    (starts[b] as number) + depth,
    starts[b + 1] as number,
  );
  return order === 0 && ties !== undefined ? compareEntries(a, b, ties, undefined, 0) : order;
}
