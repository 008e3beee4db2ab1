/** Text to count, and the oracle: one plain loop that shares nothing with the tasks. */
import type { Random } from "../src/base/random.ts";

const SYLLABLES = ["ba", "ko", "li", "mun", "sa", "ter", "vo", "wen", "yx", "zé"];

/** Words of one to three syllables, some of which come often. */
const VOCABULARY = SYLLABLES.flatMap((a) => [
  a,
  a,
  a,
  ...SYLLABLES.flatMap((b) => [a + b, a + b + a]),
]);

/** Lines of words. */
export function randomText(random: Random, bytes: number): string {
  let text = "";
  while (text.length < bytes) {
    let line = random.pick(VOCABULARY);
    for (let more = random.below(12); more > 0; more--) line += ` ${random.pick(VOCABULARY)}`;
    text += `${line}\n`;
  }
  return text;
}

/** What a word count over these texts must say: `word count`, sorted. */
export function expectedCount(texts: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of text.split(/[ \n]/)) {
      if (word !== "") counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return [...counts].map(([word, count]) => `${word} ${count}`).sort();
}

export const wordsIn = (texts: readonly string[]): number =>
  texts.reduce((sum, text) => sum + text.split(/\s+/).filter((word) => word !== "").length, 0);
