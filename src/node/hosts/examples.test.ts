import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { matchingLines } from "../../../examples/grep.oracle.ts";
import grep from "../../../examples/grep.ts";
import { indexWords } from "../../../examples/inverted-index.oracle.ts";
import invertedIndex from "../../../examples/inverted-index.ts";
import { circleHits } from "../../../examples/pi.oracle.ts";
import pi from "../../../examples/pi.ts";
import { countWords } from "../../../examples/word-count.oracle.ts";
import wordCount from "../../../examples/word-count.ts";
import wordCountLines from "../../../examples/word-count-lines.ts";
import { type LocalFile, type LocalRun, runLocally } from "../../engine/local-run.ts";
import { readJob } from "../../engine/plan.ts";

vi.setConfig({ testTimeout: 60_000 });

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ringfold-examples-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const file = (name: string, content: string | Uint8Array): LocalFile => ({
  name,
  bytes: typeof content === "string" ? Buffer.from(content) : content,
});

const FILES: readonly LocalFile[] = [
  file("texts/empty.txt", ""),
  file("texts/plain.txt", "The cat sat on the mat.\nThe dog — the cat’s friend — didn't.\n"),
  file("texts/unended.txt", "last line\r\nhas no end"),
  file("texts/marks.txt", "e\u0301tude étude naïve\nстрана 漢字かな交じり文 ελλάδα\n𝔘𝔫𝔦𐐀 ª º ǅ\n"),
  file("other/plain.txt", "the same base name, the same words\n\n\nthe"),
  file("texts/broken.bin", Buffer.from([97, 0xff, 98, 0xe2, 0x82, 99, 10, 0xc0, 0xaf, 0xf0, 0x9f])),
  file(
    "texts/surrogate.bin",
    Buffer.from([0x61, 0xed, 0xa0, 0x80, 0x62, 0xf4, 0x90, 0x80, 0x80, 99]),
  ),
];

const sorted = (lines: Iterable<string>): string[] => [...lines].sort();
const bytesOf = (files: readonly LocalFile[]): Uint8Array[] => files.map(({ bytes }) => bytes);

const run = (job: unknown, files: readonly LocalFile[], more: Partial<LocalRun> = {}) =>
  runLocally({ plan: readJob(job), files, scratch: folder, blockSize: 16, ...more });

test("word counts equal the oracle on awkward texts", () => {
  const expected = sorted(countWords(bytesOf(FILES)));
  expect(expected).toContain("étude 1");
  for (const job of [wordCount, wordCountLines]) {
    expect(sorted(run(job, FILES).parts.flat())).toEqual(expected);
  }
});

test("word counts equal the oracle on any bytes", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.string({ unit: "grapheme", maxLength: 12 }).map((text) => Buffer.from(text)),
    fc.constantFrom("the ", "a\n", "\u00e9", "漢字").map((text) => Buffer.from(text)),
  );
  const content = fc.array(piece, { maxLength: 30 }).map((pieces) => Buffer.concat(pieces));
  fc.assert(
    fc.property(fc.array(content, { maxLength: 3 }), (contents) => {
      const files = contents.map((bytes, i) => file(`${i}`, bytes));
      const expected = sorted(countWords(contents));
      for (const job of [wordCount, wordCountLines]) {
        expect(sorted(run(job, files).parts.flat())).toEqual(expected);
      }
    }),
    { numRuns: 60 },
  );
});

test("every part of a word count is in byte order", () => {
  for (const lines of run(wordCount, FILES).parts) {
    const words = lines.map((line) => Buffer.from(line.slice(0, line.lastIndexOf(" "))));
    expect(words).toEqual(words.toSorted((a, b) => Buffer.compare(a, b)));
  }
});

test("the inverted index equals the oracle", () => {
  const expected = sorted(indexWords(FILES));
  expect(sorted(run(invertedIndex, FILES).parts.flat())).toEqual(expected);
  const tiny = run(invertedIndex, FILES, { sortMemory: 200 });
  expect(sorted(tiny.parts.flat())).toEqual(expected);
});

test("grep gives the oracle's lines in their order and counts them", () => {
  const pattern = "the|漢|�";
  const { parts, counters } = run(grep, FILES, { params: { pattern } });
  const expected = matchingLines(pattern, FILES);
  expect(parts.flat()).toEqual(expected);
  expect(counters).toEqual({ matches: expected.length });
});

test("pi gives the oracle's hits for a seed, and other hits for another", () => {
  const samples = 500;
  const first = run(pi, [], { params: { samples }, seed: "s1" });
  const hits = circleHits("s1", 20, samples);
  expect(sorted(first.parts.flat())).toEqual([`all ${20 * samples}`, `hit ${hits}`]);
  expect(first.result).toBe(`pi is about ${(4 * hits) / (20 * samples)}`);
  const other = run(pi, [], { params: { samples }, seed: "s2" });
  expect(other.parts).not.toEqual(first.parts);
});

const shared = join(import.meta.dirname, "../../../../shared/data");

test.skipIf(!existsSync(shared))("the books give the expected counts and index", () => {
  const books = join(shared, "books");
  const files = readdirSync(books).map((name) =>
    file(`books/${name}`, readFileSync(join(books, name))),
  );
  const expected = (name: string): string[] =>
    sorted(
      readFileSync(join(shared, "expected", name), "utf8")
        .trimEnd()
        .split("\n"),
    );
  const more = { blockSize: 1 << 20 };
  expect(sorted(run(wordCount, files, more).parts.flat())).toEqual(expected("wordcount.txt"));
  expect(sorted(run(invertedIndex, files, more).parts.flat())).toEqual(expected("index.txt"));
});
