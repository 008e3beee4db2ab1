/**
 * In which documents does each word occur? Output lines are `word n doc1,doc2,…`: the documents'
 * base names in order. Each value is a sorted, comma-separated list of names without the characters
 * "," and "/", joined as pairs meet.
 */
import { defineJob, t, text } from "ringfold";

const baseName = (file: string): string => file.slice(file.lastIndexOf("/") + 1);

function union(a: string, b: string): string {
  if (a === b) return a;
  const names = new Set([...a.split(","), ...b.split(",")]);
  // By code point, as sort(1) does in the C locale.
  return [...names].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y))).join(",");
}

export default defineJob({
  name: "inverted-index",
  description: "the documents in which each word occurs",
  input: text.words(),
  key: t.string,
  value: t.string,
  out: t.string,
  map: (word, emit, ctx) => emit(word, baseName(ctx.file)),
  combine: union,
  reduce(word, lists, emit) {
    for (const list of lists) emit(`${word} ${list.split(",").length} ${list}`);
  },
});
