/**
 * What word-count.ts and word-count-lines.ts must give, by the shortest program there is: whole
 * files, one expression, one Map. It shares no code with the engine.
 * `node examples/word-count.oracle.ts FILE…` prints the lines in byte order.
 */
import { readFileSync } from "node:fs";

/**
 * @param texts whole files as bytes; invalid UTF-8 reads as U+FFFD
 * @returns lines `word count`, in no order
 */
export function countWords(texts: Iterable<Uint8Array>): string[] {
  const counts = new Map<string, number>();
  for (const bytes of texts) {
    const words = new TextDecoder().decode(bytes).match(/\p{L}+/gu) ?? [];
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => `${word} ${count}`);
}

if (import.meta.main) {
  const lines = countWords(process.argv.slice(2).map((file) => readFileSync(file)));
  const sorted = lines.map((line) => Buffer.from(`${line}\n`)).sort((a, b) => Buffer.compare(a, b));
  process.stdout.write(Buffer.concat(sorted));
}
