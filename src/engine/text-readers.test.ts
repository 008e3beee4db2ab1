import fc from "fast-check";
import { expect, test } from "vitest";
import { FoldTable } from "./fold-table.ts";
import { eachLine } from "./line-reader.ts";
import { codePointAt } from "./unicode-letters.ts";
import { eachWord, foldWords } from "./word-scanner.ts";

const linesOf = (bytes: Buffer): string[] => {
  const lines: string[] = [];
  eachLine(bytes, (line) => lines.push(line));
  return lines;
};
const wordsOf = (bytes: Buffer): string[] => {
  const words: string[] = [];
  eachWord(bytes, 0, bytes.length, (word) => words.push(word));
  return words;
};
const decoded = (bytes: Buffer): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

const piece = fc.oneof(
  fc.uint8Array({ maxLength: 8 }),
  fc.string({ unit: "binary", maxLength: 8 }).map((text) => Buffer.from(text)),
  fc
    .constantFrom("\n", "\r\n", "\r", " ", "word", "é", "e\u0301", "漢", "𐐀")
    .map((text) => Buffer.from(text)),
);
const content = fc.array(piece, { maxLength: 20 }).map((pieces) => Buffer.concat(pieces));

test("words are the maximal runs of letters of the decoded text, for any bytes", () => {
  fc.assert(
    fc.property(content, (bytes) => {
      expect(wordsOf(bytes)).toEqual(decoded(bytes).match(/\p{L}+/gu) ?? []);
    }),
    { numRuns: 500 },
  );
});

test("folding words on bytes counts the same words", () => {
  fc.assert(
    fc.property(content, (bytes) => {
      const table = new FoldTable("sum");
      const words = wordsOf(bytes);
      expect(foldWords(bytes, 0, bytes.length, table, 1)).toBe(words.length);
      expect(table.count).toBe(new Set(words).size);
      expect(table.values.slice(0, table.count).reduce((a, b) => a + b, 0)).toBe(words.length);
    }),
  );
});

test("lines are those of decoding the whole and splitting it (L1)", () => {
  fc.assert(
    fc.property(content, (bytes) => {
      const expected = decoded(bytes).split("\n");
      const last = expected.pop() ?? "";
      const cut = expected.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
      expect(linesOf(bytes)).toEqual(last === "" ? cut : [...cut, last]);
    }),
    { numRuns: 500 },
  );
});

test("lines are whole when they are longer than a decoded piece, and where pieces meet (L1)", () => {
  const lines = Array.from({ length: 400 }, (_, i) => "é".repeat(i * 3) + "x".repeat(i % 7));
  const long = ["y".repeat(300_000), ...lines, "é".repeat(100_000), "end"];
  expect(linesOf(Buffer.from(long.join("\n")))).toEqual(long);
});

test("a sequence that is no well-formed UTF-8 starts no character", () => {
  const bad = ["80", "c0af", "c1bf", "c3", "e08080", "eda080", "e28", "f0808080", "f4908080", "ff"];
  for (const hex of bad) {
    const bytes = Buffer.from(hex.padEnd(hex.length + (hex.length % 2), "0"), "hex");
    expect(codePointAt(bytes, 0, bytes.length)).toBe(0);
  }
  expect(codePointAt(Buffer.from("𐐀"), 0, 4)).toBe(0x10400 * 8 + 4);
  expect(codePointAt(Buffer.from("𐐀"), 0, 3)).toBe(0);
});
