/**
 * Counts words: `ringfold run examples/word-count.ts --input 'books/*' --to out/`. A word is a
 * maximal run of Unicode letters, case kept; output lines are `word count`. The source, the map and
 * the fold are built-in, so the whole job runs on bytes.
 */
import { defineJob, each, fold, t, text } from "ringfold";

export default defineJob({
  name: "word-count",
  description: "how often each word occurs",
  input: text.words(),
  key: t.string,
  value: t.u32,
  map: each(1),
  combine: fold.sum,
});
