/**
 * The oracle of the demo: a word count in one process, written apart from the engine. It shares
 * nothing with it, neither code nor method: it reads each file whole, in order, and counts strings.
 * A word is a maximal run of Unicode letters.
 */
import { readFile } from "node:fs/promises";

export type WordCounts = ReadonlyMap<string, number>;

export interface WordDifference {
  readonly word: string;
  readonly expected: number;
  readonly found: number;
}

export async function countWords(paths: readonly string[]): Promise<WordCounts> {
  const counts = new Map<string, number>();
  for (const path of paths) {
    const text = await readFile(path, "utf8");
    for (const [word] of text.matchAll(/\p{L}+/gu)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/**
 * Lines `word count`, as the job writes them. A line that is not, and a word that comes twice, show
 * as a difference.
 */
export function parseCounts(text: string): WordCounts {
  const counts = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [word = "", count] = line.split(" ");
    const before = counts.get(word);
    counts.set(word, before === undefined ? Number(count) : Number.NaN);
  }
  return counts;
}

/** All words that do not have the same count on both sides, in order. */
export function countDifferences(expected: WordCounts, found: WordCounts): WordDifference[] {
  const words = [...new Set([...expected.keys(), ...found.keys()])].sort();
  return words
    .map((word) => ({ word, expected: expected.get(word) ?? 0, found: found.get(word) ?? 0 }))
    .filter((one) => one.expected !== one.found);
}

export function totalWords(counts: WordCounts): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}

/** The most frequent first; ties in the order of the words. */
export function topWords(counts: WordCounts, most: number): (readonly [string, number])[] {
  const inOrder = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return inOrder.slice(0, most);
}
