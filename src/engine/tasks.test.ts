import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RingfoldError } from "../base/errors.ts";
import { sha256Hex } from "../base/hash.ts";
import { defineJob, each, fold, gen, param, t, text } from "../sdk/job-side.ts";
import { type LocalRun, runLocally } from "./local-run.ts";
import { runMapTask } from "./map-task.ts";
import { readJob } from "./plan.ts";
import { runReduceTask } from "./reduce-task.ts";
import type { BlockInput } from "./task-place.ts";

vi.setConfig({ testTimeout: 60_000 });

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ringfold-task-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const quiet = { progress: () => undefined, log: () => undefined };
const run = (job: unknown, content: string, more: Partial<LocalRun> = {}) =>
  runLocally({
    plan: readJob(job),
    files: [{ name: "dir/a.txt", bytes: Buffer.from(content) }],
    scratch: folder,
    blockSize: 8,
    ...more,
  });
const lines = { input: text.lines(), key: t.string, value: t.u32 } as const;

function thrownBy(act: () => unknown): RingfoldError {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof RingfoldError) return thrown;
    throw thrown;
  }
  throw new RingfoldError("bug", "nothing was thrown");
}

test("values of a key arrive together, in order with sortValues, whatever spills (D1, K1)", () => {
  const job = defineJob({
    name: "pairs",
    input: text.lines(),
    key: t.string,
    value: t.tuple(t.i64, t.string),
    sortValues: true,
    out: t.json<unknown>(),
    map(line, emit) {
      const [key = "", n = ""] = line.split("=");
      emit(key, [Number(n), line]);
    },
    reduce: (key, values, emit) => emit([key, [...values].map(([n]) => n)]),
  });
  const pair = fc.tuple(fc.constantFrom("a", "b", "cc", "é"), fc.integer({ min: -9, max: 9 }));
  fc.assert(
    fc.property(
      fc.array(pair, { maxLength: 60 }),
      fc.constantFrom(1, 300, 1 << 20),
      (all, memory) => {
        const content = all.map(([key, n]) => `${key}=${n}\n`).join("");
        const { parts } = run(job, content, { sortMemory: memory, partitions: 2 });
        const groups = Map.groupBy(all, ([key]) => key);
        const expected = [...groups].map(([key, list]) => {
          const numbers = list.map(([, n]) => n).toSorted((a, b) => a - b);
          return JSON.stringify([key, numbers]);
        });
        expect(parts.flat().toSorted()).toEqual(expected.toSorted());
        for (const part of parts) expect(part).toEqual(part.toSorted());
      },
    ),
    { numRuns: 60 },
  );
});

test("folds of all kinds give the same with little memory as with much (K1)", () => {
  const folds = [
    defineJob({
      ...lines,
      name: "max",
      value: t.i64,
      map: (l, emit) => emit(l, l.length),
      combine: fold.max,
    }),
    defineJob({
      ...lines,
      name: "min",
      value: t.f64,
      map: (l, emit) => emit(l, -l.length),
      combine: fold.min,
    }),
    defineJob({ ...lines, name: "count", map: (l, emit) => emit(l, 7), combine: fold.count }),
    defineJob({ ...lines, name: "own", map: (l, emit) => emit(l, 1), combine: (a, b) => a + b }),
    defineJob({
      ...lines,
      name: "json",
      value: t.json<{ n: number }>(),
      map: (l, emit) => emit(l, { n: 1 }),
      combine: (a, b) => ({ n: a.n + b.n }),
    }),
  ];
  const content = Array.from({ length: 500 }, (_, i) => `line ${i % 17}\n`).join("");
  const [max, min, count, own, json] = folds.map((job) => {
    const much = run(job, content, { blockSize: 900 }).parts;
    expect(run(job, content, { blockSize: 900, sortMemory: 100 }).parts).toEqual(much);
    return new Map(much.flat().map((line): [string, string] => [line.slice(0, 7), line.slice(7)]));
  });
  expect(max?.get("line 3 ")).toBe("6");
  expect(min?.get("line 16")).toBe(" -7");
  expect(count?.get("line 3 ")).toBe("30");
  expect(own).toEqual(count);
  expect(json?.get("line 3 ")).toBe('{"n":30}');
});

test("a task spills when it passes its bound, and leaves no spill behind (K2, X1)", () => {
  const spills = new Set<string>();
  const job = defineJob({
    ...lines,
    name: "many",
    map(line, emit) {
      for (let i = 0; i < 2000; i++) emit(`${line} ${i}`, i);
      for (const name of readdirSync(folder)) if (name.includes("spill")) spills.add(name);
    },
  });
  const { parts } = run(job, "a\nb\nc\n", { sortMemory: 40_000, blockSize: 100 });
  expect(parts.flat()).toHaveLength(6000);
  expect(spills.size).toBeGreaterThan(4);
  expect(readdirSync(folder).filter((name) => name.includes("spill"))).toEqual([]);
});

test("more runs than one merge can read are merged in steps (K1)", () => {
  const job = defineJob({
    ...lines,
    name: "runs",
    map: (line, emit) => emit(line, 1),
    combine: fold.sum,
  });
  const content = Array.from({ length: 700 }, (_, i) => `${i % 350}\n`).join("");
  const { parts } = run(job, content, { sortMemory: 2, blockSize: 1 << 20, partitions: 1 });
  expect(parts.flat()).toHaveLength(350);
  expect(parts.flat().every((line) => line.endsWith(" 2"))).toBe(true);
});

test("a reducer may leave values unread, and may not read them twice", () => {
  const idle = defineJob({
    ...lines,
    name: "idle",
    map: each(1),
    reduce: (key, _v, emit) => emit([key, 0]),
  });
  expect(run(idle, "b\na\nb\n", { partitions: 1 }).parts).toEqual([["a 0", "b 0"]]);
  const first = defineJob({
    ...lines,
    name: "first",
    map: each(1),
    reduce(key, values, emit) {
      for (const value of values) {
        emit([key, value]);
        break;
      }
    },
  });
  expect(run(first, "b\na\nb\n", { partitions: 1 }).parts).toEqual([["a 1", "b 1"]]);
  const twice = defineJob({
    ...lines,
    name: "twice",
    map: each(1),
    reduce: (key, values, emit) => emit([key, [...values, ...values].length]),
  });
  expect(thrownBy(() => run(twice, "a\n"))).toMatchObject({ code: "job-codec" });
});

test("an own partition function decides, and is checked", () => {
  const job = (home: number) =>
    defineJob({
      ...lines,
      name: "own",
      map: each(1),
      combine: fold.sum,
      partition: (key) => (key === "a" ? 0 : home),
    });
  expect(run(job(2), "a\nb\n").parts).toEqual([["a 1"], [], ["b 1"]]);
  for (const home of [3, -1, 0.5, Number.NaN]) {
    const { code, message } = thrownBy(() => run(job(home), "a\nb\n"));
    expect(code).toBe("job-codec");
    expect(message).toContain(`partition gave ${home} for key "b", not 0 to 2`);
  }
});

test("the same input and seed give the same bytes, attempt after attempt (X2)", () => {
  const job = defineJob({
    name: "random",
    input: text.lines(),
    key: t.f64,
    value: t.string,
    map: (line, emit, ctx) => emit(ctx.random(), line),
  });
  const plan = readJob(job);
  const input = { kind: "blocks" as const, blocks: [block("x\ny\nz\n")] };
  const attempt = (outPath: string, seed: string): string => {
    const task = { plan, stage: "main", params: {}, seed, phase: "map" as const, task: 4 };
    runMapTask({ ...task, input, partitions: 2, sortMemory: 1000, outPath }, quiet);
    return readFileSync(outPath, "hex");
  };
  const first = attempt(join(folder, "1"), "s");
  expect(attempt(join(folder, "2"), "s")).toBe(first);
  expect(attempt(join(folder, "3"), "other")).not.toBe(first);
});

function block(content: string, more: Partial<BlockInput> = {}): BlockInput {
  const path = join(folder, `block-${sha256Hex(content).slice(0, 8)}`);
  writeFileSync(path, content);
  const bytes = Buffer.byteLength(content);
  return { path, id: sha256Hex(content), bytes, fileName: "a.txt", index: 0, offset: 0, ...more };
}

test("a block whose bytes are not what its id says never reaches the job (B1)", () => {
  let seen = 0;
  const job = defineJob({ ...lines, name: "seen", map: () => void seen++ });
  const good = block("good\n");
  const bad = [
    { ...good, id: sha256Hex("other") },
    { ...good, bytes: 4 },
    { ...good, path: join(folder, "missing") },
  ];
  for (const one of bad) {
    const input = { kind: "blocks" as const, blocks: [one] };
    const task = {
      plan: readJob(job),
      stage: "main",
      params: {},
      seed: "",
      phase: "map" as const,
      task: 0,
    };
    const outPath = join(folder, "out");
    const fault = thrownBy(() =>
      runMapTask({ ...task, input, partitions: 1, sortMemory: 1000, outPath }, quiet),
    );
    expect(fault).toMatchObject({ code: "block-corrupt", detail: { block: one.id } });
  }
  expect(seen).toBe(0);
});

test("a lost segment names its map task, and the order of segments does not matter (D2)", () => {
  const job = defineJob({
    ...lines,
    name: "cat",
    value: t.string,
    map: (l, emit) => emit("k", l),
    reduce: (_k, v, emit) => emit(["k", [...v].join()]),
  });
  const plan = readJob(job);
  const common = { plan, stage: "main", params: {}, seed: "", sortMemory: 1000 };
  const segments = ["b\n", "a\n", "c\n"].map((content, mapTask) => {
    const path = join(folder, `m${mapTask}`);
    const input = { kind: "blocks" as const, blocks: [block(content)] };
    const done = runMapTask(
      { ...common, phase: "map", task: mapTask, input, partitions: 1, outPath: path },
      quiet,
    );
    const { offset = 0, length = 0, crc = 0 } = done.partitions[0] ?? {};
    return { path, offset, length, crc, mapTask };
  });
  const outPath = join(folder, "out");
  const reduce = (of: typeof segments) =>
    runReduceTask({ ...common, phase: "reduce", task: 0, segments: of, outPath }, quiet);
  reduce(segments.toReversed());
  expect(readFileSync(outPath, "utf8")).toBe("k b,a,c\n");
  const [first, , last] = segments;
  writeFileSync(last?.path ?? "", "damaged");
  const fault = thrownBy(() => reduce(segments));
  expect(fault).toMatchObject({ code: "segment-lost", detail: { mapTasks: [2] } });
  rmSync(first?.path ?? "");
  expect(thrownBy(() => reduce(segments))).toMatchObject({ detail: { mapTasks: [0] } });
});

test("what a codec does not accept is refused with stage, place and value", () => {
  const emitting = (value: unknown, key: unknown = "k") =>
    defineJob({
      ...lines,
      name: "bad",
      map: (line, emit) => (line === "bad" ? emit(key as string, value as number) : undefined),
    });
  for (const [value, shown] of [
    ["7", '"7"'],
    [Number.NaN, "NaN"],
    [-1, "-1"],
  ] as const) {
    const { code, message } = thrownBy(() =>
      run(emitting(value), "a\nbb\nbad\n", { blockSize: 3 }),
    );
    expect(code).toBe("job-codec");
    expect(message).toBe(
      `job "bad", stage "main", dir/a.txt, block 1 (from byte 5), line 1: t.u32 does not accept ${shown}`,
    );
  }
  expect(thrownBy(() => run(emitting(1, 5), "bad\n")).message).toContain(
    "t.string does not accept 5",
  );
});

test("a throw in map or reduce names the stage, the place and the error", () => {
  const map = defineJob({
    ...lines,
    name: "throws",
    map(line) {
      if (line.startsWith("x")) throw new TypeError("no x please");
    },
  });
  const fault = thrownBy(() => run(map, "a\nb\nx1\n", { blockSize: 100 }));
  expect(fault.code).toBe("job-threw");
  expect(fault.message).toBe(
    'job "throws", stage "main", dir/a.txt, block 0 (from byte 0), line 3: map threw TypeError: no x please',
  );
  const reduce = defineJob({
    ...lines,
    name: "throws",
    map: each(1),
    reduce() {
      // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- jobs may throw anything
      throw "text";
    },
  });
  expect(thrownBy(() => run(reduce, "a\n")).message).toBe(
    'job "throws", stage "main", key "a": reduce threw text',
  );
});

test("an async map, an unknown counter and a sum past its codec are refused", () => {
  const sneaky = defineJob({ ...lines, name: "x", map: (async () => undefined) as never });
  expect(thrownBy(() => run(sneaky, "a\n")).message).toContain("map must not be async");
  const counter = defineJob({
    ...lines,
    name: "x",
    map: (_l, _e, ctx) => ctx.count("no" as never),
  });
  expect(thrownBy(() => run(counter, "a\n")).message).toContain('declares no counter "no"');
  const sum = defineJob({
    ...lines,
    name: "x",
    map: (l, emit) => emit(l, 2 ** 31),
    combine: fold.sum,
  });
  expect(thrownBy(() => run(sum, "a\na\n")).message).toContain("t.u32 does not accept 4294967296");
});

test("counters, logs, parameters, whole files and formats reach the output", () => {
  const job = defineJob({
    name: "files",
    input: text.files(),
    key: t.string,
    value: t.u32,
    params: { add: param.int(1) },
    counters: ["files", "idle"],
    map(file, emit, ctx) {
      ctx.count("files");
      ctx.log("read", { name: file.name });
      emit(file.name, file.text.length + ctx.params.add);
    },
    format: ([name, n]) => `${n}\t${name}`,
  });
  const more = { params: { add: 100 }, partitions: 1 };
  const { parts, counters, log } = run(job, "line one\r\nline two\n", more);
  expect(parts).toEqual([["119\tdir/a.txt"]]);
  expect(counters).toEqual({ files: 1, idle: 0 });
  expect(log).toEqual(['read {"name":"dir/a.txt"}']);
});

test("a result gets its rows back as they were emitted", () => {
  const pairs = defineJob({
    ...lines,
    name: "pairs",
    map: each(1),
    combine: fold.sum,
    result: (rows) => Object.fromEntries(rows),
  });
  expect(run(pairs, "two words\ntwo words\nend\n").result).toBe('{"end":1,"two words":2}');
  const objects = defineJob({
    name: "objects",
    input: gen.range(3),
    mapOnly: true,
    out: t.json<{ i: number }>(),
    map: (i, emit) => emit({ i }),
    result: (rows) => [...rows].map((row) => row.i).join(),
  });
  expect(run(objects, "").result).toBe("0,1,2");
});

test("empty input gives empty parts", () => {
  const job = defineJob({ ...lines, name: "empty", map: each(1), combine: fold.sum });
  expect(run(job, "").parts).toEqual([[], [], []]);
});
