// Counts words in a stretch of UTF-8: AssemblyScript, compiled to WebAssembly with SIMD (see word-kernel.ts).
//
// One unaligned load of 16 bytes gives a word's letters as a bit mask, its length (trailing ones) and its key (the bytes,
// masked): a word of up to 16 bytes takes no loop and no branch on its length. A letter beyond ASCII, or a longer
// word, goes the slow way, byte by byte. The table has a fixed size; when it is full `fold` stops and says where.

@external("env", "isLetter")
declare function isLetter(codePoint: i32): i32;

// Memory: what is known of code points (one byte each), slots, entries, keys longer than 16 bytes, input.
const LETTERS: usize = 0x10000;
const LETTERS_COUNT: i32 = 0x40000;
const SLOTS: usize = 0x50000;
const SLOT_BITS: u64 = 16;
const ENTRIES: usize = 0x90000;
const CAPACITY: i32 = 0x8000;
const ARENA: usize = 0x190000;
const ARENA_END: usize = 0x290000;
const INPUT: usize = 0x290000;

// Entry, 32 bytes: first 16 bytes of the key · count u32 · length u32 · place of a longer key u32 · unused.

/** Words seen and entries used since `clear`. */
export let words: i32 = 0;
export let count: i32 = 0;
let arena: usize = ARENA;

export function clear(): void {
  memory.fill(SLOTS, 0, 4 << (SLOT_BITS as i32));
  count = 0;
  words = 0;
  arena = ARENA;
}

/** Counts the words of the input from offset `from` to `to`; 32 zero bytes follow. Returns the offset where it stopped. */
export function fold(from: i32, to: i32): i32 {
  let at: usize = INPUT + from;
  const end: usize = INPUT + to;
  while (at < end && count < CAPACITY && arena + (end - at) <= ARENA_END) {
    const bytes = v128.load(at);
    const mask = letterMask(bytes);
    if ((mask & 1) == 0) {
      if (load<u8>(at) < 0x80) {
        const stop = mask | i8x16.bitmask(bytes);
        at += stop == 0 ? 16 : ctz(stop);
        continue;
      }
      const length = wideLetter(at, end);
      if (length == 0) at++;
      else at = slowWord(at, at + length, end);
      continue;
    }
    const length = ctz(~mask);
    if (length < 16 && load<u8>(at + length) < 0x80) {
      words++;
      addShort(keyOf(bytes, length), length);
      at += length + 1;
    } else {
      at = slowWord(at, at + length, end);
    }
  }
  return (min(at, end) - INPUT) as i32;
}

/** Bit i: byte i is an ASCII letter. */
@inline
function letterMask(bytes: v128): i32 {
  const lower = v128.or(bytes, i8x16.splat(0x20));
  const place = i8x16.sub(lower, i8x16.splat(0x61));
  return i8x16.bitmask(i8x16.lt_u(place, i8x16.splat(26)));
}

/** The first `length` bytes, the others 0. No word holds a 0. */
@inline
function keyOf(bytes: v128, length: i32): v128 {
  const places = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return v128.and(bytes, i8x16.lt_u(places, i8x16.splat(length as i8)));
}

/** The word that starts at `start` and goes on at `from`. Returns its end. */
function slowWord(start: usize, from: usize, end: usize): usize {
  let at = from;
  while (at < end) {
    const byte: u32 = load<u8>(at);
    if (byte < 0x80) {
      if ((byte | 0x20) - 0x61 >= 26) break;
      at++;
    } else {
      const length = wideLetter(at, end);
      if (length == 0) break;
      at += length;
    }
  }
  words++;
  const length = (at - start) as i32;
  if (length <= 16) addShort(keyOf(v128.load(start), length), length);
  else addLong(start, length);
  return at;
}

/** Length of the letter beyond ASCII that starts at `at`; 0 if none does, or the bytes are no well-formed UTF-8. */
function wideLetter(at: usize, end: usize): i32 {
  const first: i32 = load<u8>(at);
  const length: i32 = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (first < 0xc2 || first > 0xf4 || at + length > end) return 0;
  const second: i32 = load<u8>(at, 1);
  if ((second & 0xc0) != 0x80) return 0;
  if (first == 0xe0 && second < 0xa0) return 0;
  if (first == 0xed && second >= 0xa0) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second >= 0x90) return 0;
  let point = ((first & (0xff >> (length + 1))) << 6) | (second & 0x3f);
  for (let i = 2; i < length; i++) {
    const byte: i32 = load<u8>(at + i);
    if ((byte & 0xc0) != 0x80) return 0;
    point = (point << 6) | (byte & 0x3f);
  }
  return known(point) ? length : 0;
}

function known(point: i32): bool {
  if (point >= LETTERS_COUNT) return isLetter(point) != 0;
  const seen = load<u8>(LETTERS + point);
  if (seen != 0) return seen == 1;
  const is = isLetter(point) != 0;
  store<u8>(LETTERS + point, is ? 1 : 2);
  return is;
}

@inline
function slotOf(low: u64, high: u64): u32 {
  let mixed = low * 0x9e3779b97f4a7c15 + high * 0xc2b2ae3d27d4eb4f;
  mixed = (mixed ^ (mixed >> 29)) * 0xbf58476d1ce4e5b9;
  return (mixed >> (64 - SLOT_BITS)) as u32;
}

@inline
function addShort(key: v128, length: i32): void {
  const low = i64x2.extract_lane(key, 0);
  const high = i64x2.extract_lane(key, 1);
  let slot = slotOf(low, high);
  while (true) {
    const number = load<i32>(SLOTS + ((slot as usize) << 2));
    if (number == 0) break;
    const entry = ENTRIES + (((number - 1) as usize) << 5);
    if (
      load<u64>(entry) == (low as u64) &&
      load<u64>(entry, 8) == (high as u64) &&
      load<i32>(entry, 20) == length
    ) {
      store<u32>(entry, load<u32>(entry, 16) + 1, 16);
      return;
    }
    slot = (slot + 1) & ((1 << (SLOT_BITS as u32)) - 1);
  }
  insert(slot, key, length, 0);
}

function addLong(start: usize, length: i32): void {
  const key = v128.load(start);
  let hash: u64 = 0xcbf29ce484222325;
  for (let i = 0; i < length; i++) hash = (hash ^ load<u8>(start + i)) * 0x100000001b3;
  let slot = slotOf(hash, length);
  while (true) {
    const number = load<i32>(SLOTS + ((slot as usize) << 2));
    if (number == 0) break;
    const entry = ENTRIES + (((number - 1) as usize) << 5);
    if (
      load<i32>(entry, 20) == length &&
      memory.compare(load<u32>(entry, 24) as usize, start, length as usize) == 0
    ) {
      store<u32>(entry, load<u32>(entry, 16) + 1, 16);
      return;
    }
    slot = (slot + 1) & ((1 << (SLOT_BITS as u32)) - 1);
  }
  memory.copy(arena, start, length as usize);
  insert(slot, key, length, arena);
  arena += length;
}

function insert(slot: u32, key: v128, length: i32, place: usize): void {
  const entry = ENTRIES + ((count as usize) << 5);
  count++;
  store<i32>(SLOTS + ((slot as usize) << 2), count);
  v128.store(entry, key);
  store<u32>(entry, 1, 16);
  store<i32>(entry, length, 20);
  store<u32>(entry, place as u32, 24);
}
