/**
 * Monte-Carlo estimate of pi: 20 map tasks throw points at a square. The same seed gives the same
 * digits.
 */
import { defineJob, fold, gen, param, t } from "ringfold";

export default defineJob({
  name: "pi",
  description: "estimates pi with random points",
  input: gen.range(20),
  params: { samples: param.int(1_000_000, "points per task") },
  key: t.string,
  value: t.i64,
  map(_task, emit, { params, random }) {
    let hits = 0;
    for (let i = 0; i < params.samples; i++) {
      const [x, y] = [random(), random()];
      if (x * x + y * y < 1) hits++;
    }
    emit("hit", hits);
    emit("all", params.samples);
  },
  combine: fold.sum,
  result(rows) {
    const sums = new Map(rows);
    const pi = (4 * (sums.get("hit") ?? 0)) / (sums.get("all") ?? 1);
    return `pi is about ${pi}`;
  },
});
