/**
 * What must and must not compile. `tsc` is the test: every `@ts-expect-error` must meet an error.
 */
import { expect, expectTypeOf, test } from "vitest";
import { defineJob, each, fold, gen, type Job, param, t, text } from "./job-side.ts";

const lines = { name: "x", input: text.lines(), key: t.string, value: t.u32 } as const;

test("a job's output type follows from its codecs", () => {
  const pairs = defineJob({ ...lines, map: each(1), combine: fold.sum });
  expectTypeOf(pairs).toEqualTypeOf<Job<readonly [string, number]>>();
  const objects = defineJob({
    ...lines,
    out: t.json<{ word: string }>(),
    map: (line, emit) => emit(line, 1),
    reduce: (word, _values, emit) => emit({ word }),
  });
  expectTypeOf(objects).toEqualTypeOf<Job<{ word: string }>>();
  const only = defineJob({
    name: "x",
    input: gen.range(3),
    mapOnly: true,
    out: t.f64,
    map: (i, emit, ctx) => emit(i + ctx.random()),
  });
  expectTypeOf(only).toEqualTypeOf<Job<number>>();
  expect(only.stages).toHaveLength(1);
});

test("tuples of keys are keys and give their tuple type", () => {
  const job = defineJob({
    name: "x",
    input: text.words(),
    key: t.tuple(t.desc(t.u32), t.string),
    value: t.tuple(t.string, t.json<{ n: number }>()),
    map: (word, emit) => emit([word.length, word], [word, { n: 1 }]),
  });
  expectTypeOf(job).toEqualTypeOf<
    Job<readonly [readonly [number, string], readonly [string, { n: number }]]>
  >();
});

test("mistakes in a job do not compile", () => {
  // @ts-expect-error the value must be a number
  defineJob({ ...lines, map: (line, emit) => emit(line, "one") });
  defineJob({
    ...lines,
    counters: ["bad"],
    map: (line, emit, ctx) => {
      // @ts-expect-error no counter of this name
      ctx.count("badd");
      emit(line, 1);
    },
  });
  defineJob({
    ...lines,
    params: { top: param.int(1) },
    // @ts-expect-error no parameter of this name
    map: (line, emit, ctx) => emit(line, ctx.params.topp),
  });
  defineJob({
    ...lines,
    // @ts-expect-error json is not ordered, so it is no key
    key: t.json<string>(),
    map: (line: string, emit: (key: string, value: number) => void) => emit(line, 1),
  });
  // @ts-expect-error a tuple with an unordered part is no key
  t.desc(t.tuple(t.string, t.json<number>()));
  // @ts-expect-error map must not be async: nothing waits for it
  defineJob({ ...lines, map: async (line, emit) => emit(line, 1) });
  const strings = { ...lines, value: t.string, combine: fold.sum } as const;
  // @ts-expect-error the fold is for numbers, the value is a string
  defineJob({ ...strings, map: (line, emit) => emit(line, line) });
  // @ts-expect-error a map-only job needs its output codec
  defineJob({ name: "x", input: text.lines(), mapOnly: true, map: () => undefined });
  // @ts-expect-error the records of text.files() are objects
  defineJob({ ...lines, input: text.files(), map: (file, emit) => emit(file.toUpperCase(), 1) });
  expect(t.string.ordered).toBe(true);
});
