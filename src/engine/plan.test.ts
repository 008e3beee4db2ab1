import { expect, test } from "vitest";
import { defineJob, each, fold, gen, param, t, text } from "../sdk/job-side.ts";
import { readJob } from "./plan.ts";

const good = { name: "x", input: text.lines(), key: t.string, value: t.u32, map: each(1) } as const;
/** A job as a careless JavaScript author would write it. */
const loose = defineJob as (spec: unknown) => unknown;

test.each<[string, unknown, string]>([
  ["no default export", undefined, "no default export"],
  ["another default export", { name: "x" }, "must be what defineJob({…}) returns"],
  ["a function", () => 1, "must be what defineJob"],
  ["a bad name", loose({ ...good, name: "a b" }), "name must be 1 to 64"],
  ["no map", loose({ ...good, map: undefined }), "map must be a function"],
  [
    "no input",
    loose({ ...good, input: undefined }),
    "input (text.lines(), gen.range(n), …) must be",
  ],
  ["a foreign input", loose({ ...good, input: { kind: "csv" } }), "must be a source"],
  [
    "no tasks in a range",
    loose({ ...good, input: gen.range(0) }),
    "wants 1 to 1000000 tasks, not 0",
  ],
  ["an unordered key", loose({ ...good, key: t.json() }), "key must be an ordered codec"],
  ["a key that is no codec", loose({ ...good, key: "string" }), "key must be a codec"],
  [
    "a fold of strings",
    loose({ ...good, value: t.string, combine: fold.sum }),
    "fold.sum wants a numeric",
  ],
  [
    "sorted JSON values",
    loose({ ...good, value: t.json(), sortValues: true }),
    "sortValues wants an ordered",
  ],
  ["out without reduce", loose({ ...good, out: t.string }), "out is what reduce emits"],
  ["map-only without out", loose({ ...good, mapOnly: true }), "must have an out codec"],
  ["too many tasks", loose({ ...good, tasks: 5000 }), "tasks must be 1 to 4096"],
  [
    "a foreign parameter",
    loose({ ...good, params: { top: 3 } }),
    "parameter top must be an object",
  ],
  [
    "a wrong default",
    loose({ ...good, params: { top: param.int("3" as never) } }),
    "parameter top must be param.int",
  ],
  [
    "a result of text pairs",
    loose({ ...good, value: t.string, result: () => 1 }),
    "with a result wants a numeric",
  ],
  [
    "a result with a format",
    loose({ ...good, format: String, result: () => 1 }),
    "with a result has no format",
  ],
  ["deep codecs", loose({ ...good, key: deep(12) }), "key must be a codec"],
])("a job file with %s is refused with what is wrong", (_name, exported, message) => {
  expect(() => readJob(exported)).toThrow(
    expect.objectContaining({ code: "job-file", message: expect.stringContaining(message) }),
  );
});

function deep(levels: number): unknown {
  return levels === 0 ? t.string : { kind: "desc", ordered: true, parts: [deep(levels - 1)] };
}

test("built-ins are recognised by their marks", () => {
  const plan = readJob(defineJob({ ...good, input: text.words(), combine: fold.max }));
  expect(plan.stages[0]).toMatchObject({ fold: "max", each: { value: 1 }, sortValues: false });
  const own = readJob(defineJob({ ...good, map: (l, e) => e(l, 1), combine: (a, b) => a + b }));
  expect(own.stages[0]?.fold).toBeUndefined();
  expect(own.stages[0]?.each).toBeUndefined();
});
