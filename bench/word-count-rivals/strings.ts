/**
 * Rival of the word count with a user's map over lines: one thread, strings, a regular expression
 * and a `Map`, tuned as a good programmer would: large reads, whole lines decoded at once, one
 * table, counts boxed so that a hit writes no string.
 *
 *     node strings.ts INPUT [OUTPUT]
 *
 * Prints one JSON line as bytes.ts does.
 */
import { isAscii } from "node:buffer";
import { closeSync, openSync, readSync, writeFileSync } from "node:fs";

const BLOCK = 1 << 18;
const table = new Map<string, { n: number }>();

function countWords(text: string): void {
  for (const word of text.match(/\p{L}+/gu) ?? []) {
    const known = table.get(word);
    if (known === undefined) table.set(word, { n: 1 });
    else known.n++;
  }
}

function readAll(path: string): void {
  const file = openSync(path, "r");
  let buffer = Buffer.allocUnsafeSlow(BLOCK * 2);
  let kept = 0;
  for (;;) {
    if (buffer.length - kept < BLOCK) buffer = Buffer.concat([buffer], buffer.length * 2);
    const got = readSync(file, buffer, kept, BLOCK, null);
    const have = kept + got;
    const cut = got === 0 ? have : buffer.lastIndexOf(10, have - 1) + 1;
    const part = buffer.subarray(0, cut);
    countWords(part.toString(isAscii(part) ? "latin1" : "utf8"));
    if (got === 0) break;
    buffer.copy(buffer, 0, cut, have);
    kept = have - cut;
  }
  closeSync(file);
}

const [input = "", output] = process.argv.slice(2);
const begun = performance.now();
readAll(input);
const rows = [...table].sort((a, b) => (a[0] < b[0] ? -1 : 1));
const text = rows.map(([word, { n }]) => `${word} ${n}\n`).join("");
if (output !== undefined) writeFileSync(output, text);
const ms = performance.now() - begun;
process.stdout.write(`${JSON.stringify({ ms, words: rows.length, bytes: text.length })}\n`);
