/**
 * What inverted-index.ts must give. `node examples/inverted-index.oracle.ts FILE…` prints the lines
 * in byte order.
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";

/** @returns lines `word n doc1,doc2,…`, in no order */
export function indexWords(
  files: Iterable<{ readonly name: string; readonly bytes: Uint8Array }>,
): string[] {
  const index = new Map<string, Set<string>>();
  for (const { name, bytes } of files) {
    for (const word of new TextDecoder().decode(bytes).match(/\p{L}+/gu) ?? []) {
      const documents = index.get(word) ?? new Set();
      index.set(word, documents.add(basename(name)));
    }
  }
  return [...index].map(([word, documents]) => {
    const names = [...documents]
      .map((name) => Buffer.from(name))
      .sort((a, b) => Buffer.compare(a, b));
    return `${word} ${names.length} ${names.join(",")}`;
  });
}

if (import.meta.main) {
  const files = process.argv.slice(2).map((name) => ({ name, bytes: readFileSync(name) }));
  const sorted = indexWords(files)
    .map((line) => Buffer.from(`${line}\n`))
    .sort((a, b) => Buffer.compare(a, b));
  process.stdout.write(Buffer.concat(sorted));
}
