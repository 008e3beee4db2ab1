/** A job that goes on for most of a minute in many small tasks, to be cancelled when the test has seen enough. */
import { defineJob, fold, gen, t } from "ringfold";

export default defineJob({
  name: "long",
  description: "keeps nodes busy",
  input: gen.range(2000),
  key: t.string,
  value: t.u32,
  map(task, emit, { random }) {
    let odd = 0;
    for (let i = 0; i < 2_000_000; i++) if (random() < 0.5) odd ^= 1;
    emit(`${task % 10}`, odd);
  },
  combine: fold.sum,
});
