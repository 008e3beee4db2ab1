/**
 * Lines that match a pattern, as `file:line`:
 * `ringfold run examples/grep.ts --input 'logs/**' --pattern 'err(or)?'`.
 */
import { defineJob, param, t, text } from "ringfold";

let compiled: RegExp | undefined;

export default defineJob({
  name: "grep",
  description: "the lines that match a regular expression",
  input: text.lines(),
  params: { pattern: param.string("", "a JavaScript regular expression") },
  counters: ["matches"],
  mapOnly: true,
  out: t.string,
  map(line, emit, ctx) {
    compiled ??= new RegExp(ctx.params.pattern, "u");
    if (!compiled.test(line)) return;
    ctx.count("matches");
    emit(`${ctx.file}:${line}`);
  },
});
