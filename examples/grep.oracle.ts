/**
 * What grep.ts must give. `node examples/grep.oracle.ts PATTERN FILE…` prints the lines file by
 * file.
 */
import { readFileSync } from "node:fs";

/** @returns `file:line` for every line that matches, in the order of the input */
export function matchingLines(
  pattern: string,
  files: Iterable<{ readonly name: string; readonly bytes: Uint8Array }>,
): string[] {
  const found: string[] = [];
  for (const { name, bytes } of files) {
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    const lines = text.split(/\r?\n/);
    if (lines.at(-1) === "") lines.pop();
    for (const line of lines) {
      if (new RegExp(pattern, "u").test(line)) found.push(`${name}:${line}`);
    }
  }
  return found;
}

if (import.meta.main) {
  const [pattern = "", ...names] = process.argv.slice(2);
  const files = names.map((name) => ({ name, bytes: readFileSync(name) }));
  process.stdout.write(`${matchingLines(pattern, files).join("\n")}\n`);
}
