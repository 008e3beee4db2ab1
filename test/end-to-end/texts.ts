/**
 * What the tests store and count: the eight books where they are at hand, generated ones elsewhere. What jobs must make of
 * the books was counted by an independent program; for generated texts the examples' oracles say it.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { indexWords } from "../../examples/inverted-index.oracle.ts";
import { countWords } from "../../examples/word-count.oracle.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { ROOT } from "./readme.ts";

export interface Text {
  /** Base name. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Of the expected lines: sorted as by `LC_ALL=C sort`, each character one byte. */
export interface Texts {
  readonly texts: readonly Text[];
  readonly wordCount: readonly string[];
  readonly invertedIndex: readonly string[];
}

const BOOKS = join(ROOT, "../shared/data/books");
const EXPECTED = join(ROOT, "../shared/data/expected");
const WORDS =
  "the of and Ring ring café naïve Ärger wolf Rotkäppchen истина слово 言葉 O'Neill don't x2y";
const LETTERS = "abcdefghijklmnopqrstuvwxyz".split("");

export function loadTexts(): Texts {
  return existsSync(BOOKS) && existsSync(EXPECTED) ? books() : generated();
}

function books(): Texts {
  const expected = (name: string): string[] => sortedLines(readFileSync(join(EXPECTED, name)));
  return {
    texts: readdirSync(BOOKS).map((name) => ({ name, bytes: readFileSync(join(BOOKS, name)) })),
    wordCount: expected("wordcount.txt"),
    invertedIndex: expected("index.txt"),
  };
}

function generated(): Texts {
  const random = seededRandom("texts");
  const texts = Array.from({ length: 8 }, (_, n) => ({
    name: `text-${n}.txt`,
    bytes: Buffer.from(lines(random, 4000 + 500 * n)),
  }));
  return {
    texts,
    wordCount: sortedLines(countWords(texts.map(({ bytes }) => bytes))),
    invertedIndex: sortedLines(indexWords(texts)),
  };
}

function lines(random: Random, count: number): string {
  const words = WORDS.split(" ");
  const letter = (): string => random.pick(LETTERS);
  // Many words that are rare, so that the answer is long.
  const word = (): string =>
    random.below(4) > 0 ? random.pick(words) : `${letter()}${letter()}${letter()}`;
  const line = (): string => Array.from({ length: 1 + random.below(20) }, word).join(" ");
  return `${Array.from({ length: count }, line).join("\n")}\n`;
}

/** As `LC_ALL=C sort`: one character for each byte, so that the order of characters is the order of bytes. */
export function sortedLines(text: Uint8Array | readonly string[]): string[] {
  const whole = text instanceof Uint8Array ? Buffer.from(text) : Buffer.from(text.join("\n"));
  const found = whole.toString("latin1").split("\n");
  if (found.at(-1) === "") found.pop();
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
