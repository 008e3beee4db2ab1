/**
 * Text that counts like English: words by Zipf's law (Zipf 1949, with Mandelbrot's shift), short
 * ones first, 5.3 bytes a word with what is between them, lines of about 70 columns, commas, full
 * stops and capitals. ASCII only, so that `tr` finds the same words. The same size gives the same
 * bytes.
 *
 * As in a library, the rare words change from book to book: 450 kB have about 7,500 different
 * words (Dorian Gray: 7,718), 3.3 MB 29,000 (eight novels: 22,107), 256 MiB 188,000.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Bytes } from "../src/base/ids.ts";
import { type Random, seededRandom } from "../src/base/random.ts";

const WORDS = 100_000;
/** Frequency of rank r: 1 / (r + SHIFT) ** EXPONENT. */
const EXPONENT = 1.15;
const SHIFT = 1.6;
/** Words that every book uses; of the rarer ones each has its own. */
const COMMON = 2500;
const OWN_WORDS = 3500;
const BOOK_WORDS = 95_000;
const COLUMNS = 68;
const COMMA_EVERY = 14;
const STOP_EVERY = 17;
const CHUNK: Bytes = 4 * 1024 * 1024;

const ONSETS = "th t w h s r n d l m c f b p g y st pr tr br".split(" ");
const VOWELS = "e a o i u ea ou ee".split(" ");
const CODAS = ["", "", "", "", "n", "r", "s", "d", "t", "l", "nd", "ng"];
/** As in English; the rest is invented. */
const FREQUENT =
  "the of and to in a is that for it was on are as with his they at be this from I have or by one had not but what all were when we there can an your which their said if do will each about how up out them then she many some so these would other into has more her two like him see time could no make than first been its who now people my made over did down only way find use may water long little very after words called just where most know";

export function writeEnglish(path: string, size: Bytes): void {
  const write = englishWriter();
  const file = openSync(path, "w", 0o600);
  try {
    for (let left = size; left > 0; ) {
      const bytes = write();
      left -= writeSync(file, left < bytes.length ? ended(bytes, left) : bytes);
    }
  } finally {
    closeSync(file);
  }
}

/** The last piece ends with a line end wherever it is cut. */
function ended(bytes: Buffer, size: Bytes): Buffer {
  const piece = Buffer.from(bytes.subarray(0, size));
  piece[size - 1] = 0x0a;
  return piece;
}

/** Gives the next piece of the text with every call; the buffer is used again. */
function englishWriter(): () => Buffer {
  const random = seededRandom("english");
  const words = vocabulary(random).map((word) => Buffer.from(word));
  const rank = zipf(words.length, random);
  let [book, written] = [0, 0];
  const pick = (): number => {
    if (written++ === BOOK_WORDS) [book, written] = [book + 1, 0];
    const drawn = rank();
    return drawn < COMMON ? drawn : rareWord(book, drawn - COMMON);
  };
  const buffer = Buffer.allocUnsafe(CHUNK + 64);
  let column = 0;
  let capital = true;
  return () => {
    let at = 0;
    while (at < CHUNK) {
      const start = at;
      at += (words[pick()] as Buffer).copy(buffer, at);
      if (capital) buffer[start] = (buffer[start] as number) & 0xdf;
      capital = random.below(STOP_EVERY) === 0;
      if (capital) buffer[at++] = 0x2e;
      else if (random.below(COMMA_EVERY) === 0) buffer[at++] = 0x2c;
      column += at - start + 1;
      const full = column > COLUMNS;
      buffer[at++] = full ? 0x0a : 0x20;
      if (full) column = 0;
    }
    return buffer.subarray(0, at);
  };
}

/** The word that a book uses for a rare rank: one of its own, the rarer ranks sharing them. */
function rareWord(book: number, rank: number): number {
  const own = rank % OWN_WORDS;
  return COMMON + ((own * 7919 + book * 104_729 + own * book) % (WORDS - COMMON));
}

/** Words of distinct letters, longer the rarer. */
function vocabulary(random: Random): string[] {
  const words = new Set(FREQUENT.split(" "));
  while (words.size < WORDS) {
    const syllables = words.size < 900 ? 1 : 2 + random.below(words.size < 15_000 ? 1 : 2);
    let word = "";
    for (let i = 0; i < syllables; i++) {
      word += random.pick(ONSETS) + random.pick(VOWELS) + random.pick(CODAS);
    }
    words.add(word);
  }
  return [...words];
}

/** Walker's alias method (1977): a draw takes the same time however many words there are. */
function zipf(n: number, random: Random): () => number {
  const weights = Float64Array.from({ length: n }, (_, r) => (r + 1 + SHIFT) ** -EXPONENT);
  const sum = weights.reduce((a, b) => a + b, 0);
  const share = weights.map((weight) => (weight * n) / sum);
  const alias = new Uint32Array(n);
  const small: number[] = [];
  const large: number[] = [];
  for (let i = 0; i < n; i++) ((share[i] as number) < 1 ? small : large).push(i);
  for (let s = small.pop(); s !== undefined && large.length > 0; s = small.pop()) {
    const l = large[large.length - 1] as number;
    alias[s] = l;
    share[l] = (share[l] as number) + (share[s] as number) - 1;
    if ((share[l] as number) < 1) small.push(large.pop() as number);
  }
  return () => {
    const i = random.below(n);
    return random.next() < (share[i] as number) ? i : (alias[i] as number);
  };
}
