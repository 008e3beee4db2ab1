/**
 * The same count as word-count.ts with a map of one's own over lines: the plain way to write a job.
 */
import { defineJob, fold, t, text } from "ringfold";

export default defineJob({
  name: "word-count-lines",
  description: "how often each word occurs, counted by a function over lines",
  input: text.lines(),
  key: t.string,
  value: t.u32,
  map(line, emit) {
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
  },
  combine: fold.sum,
});
