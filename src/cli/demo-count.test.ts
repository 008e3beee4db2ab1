import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { countDifferences, countWords, parseCounts, topWords, totalWords } from "./demo-count.ts";

const dir = mkdtempSync(join(tmpdir(), "ringfold-demo-count-"));
afterAll(() => rmSync(dir, { recursive: true }));

function fileOf(name: string, content: string | Uint8Array): string {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
}

describe("the oracle", () => {
  test("counts maximal runs of Unicode letters over all files, case kept", async () => {
    const a = fileOf("a", "Ärger, ärger! don't_2fold naïve\u2019s 漢字");
    const b = fileOf("b", "fold\r\nfold");
    const counts = await countWords([a, b]);
    expect(Object.fromEntries(counts)).toEqual({
      Ärger: 1,
      ärger: 1,
      don: 1,
      t: 1,
      fold: 3,
      naïve: 1,
      s: 1,
      漢字: 1,
    });
    expect(totalWords(counts)).toBe(10);
  });

  test("reads invalid UTF-8 as characters that are no letters", async () => {
    const path = fileOf("bad", Uint8Array.of(0x61, 0xff, 0x62, 0xc3));
    expect([...(await countWords([path]))]).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
  });

  test("orders the top words by count, ties by the word", () => {
    const counts = new Map([
      ["b", 2],
      ["c", 9],
      ["a", 2],
      ["d", 1],
    ]);
    expect(topWords(counts, 3)).toEqual([
      ["c", 9],
      ["a", 2],
      ["b", 2],
    ]);
  });
});

describe("the comparison", () => {
  const expected = new Map([
    ["a", 2],
    ["b", 1],
  ]);
  const differing = (text: string): string[] =>
    countDifferences(expected, parseCounts(text)).map(({ word }) => word);

  test("finds nothing in the same answer, whatever the order", () => {
    expect(differing("b 1\na 2\n")).toEqual([]);
  });

  test.each([
    ["a word that is missing", "a 2\n", ["b"]],
    ["a word too many", "a 2\nb 1\nc 1\n", ["c"]],
    ["another count", "a 3\nb 1\n", ["a"]],
    ["a word that comes twice, though its last line is right", "a 1\na 2\nb 1\n", ["a"]],
    ["a line without a count", "a\nb 1\n", ["a"]],
    ["an empty answer", "", ["a", "b"]],
  ])("finds %s", (_what, text, words) => {
    expect(differing(text)).toEqual(words);
  });
});
