import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BlockId, fileName, jobId } from "../base/ids.ts";
import {
  DEFAULT_LIMITS,
  type JobPlan,
  MAX_MAPS,
  type PlanRequest,
  partName,
  planJob,
  type SourceFile,
} from "./plan.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

function file(name: string, lengths: readonly number[]): SourceFile {
  let offset = 0;
  const manifestBlocks = lengths.map((length, i) => {
    const block = { id: `${name}${i}`.padEnd(64, "0") as BlockId, length, offset };
    offset += length;
    return block;
  });
  return { name: fileName(name), manifestBlocks };
}

function planned(files: readonly SourceFile[], more: Partial<PlanRequest> = {}): JobPlan {
  return planJob({
    id: jobId("j000000000001"),
    name: "count",
    stage: "count",
    source: { kind: "blocks", files },
    hasReduce: true,
    replicas: 2,
    output: fileName("out"),
    ...more,
  });
}

const piecesOf = (plan: JobPlan): string[][] =>
  plan.maps.map(({ input }) =>
    input.kind === "range" ? [] : input.pieces.map((piece) => `${piece.file}:${piece.index}`),
  );

const anyFiles = fc
  .array(fc.array(fc.integer({ min: 0, max: 600 * KIB }), { maxLength: 6 }), { maxLength: 120 })
  .map((lists) => lists.map((lengths, i) => file(`f${i}`, lengths)));

describe("splits", () => {
  test("a few blocks are a task each, in the order of files and blocks", () => {
    const plan = planned([file("b", [4 * MIB, MIB]), file("a", [10])]);
    expect(piecesOf(plan)).toEqual([["b:0"], ["b:1"], ["a:0"]]);
    expect(plan.maps.map((map) => map.bytes)).toEqual([4 * MIB, MIB, 10]);
  });

  test("much data makes larger tasks, of blocks that are at home on one node", () => {
    const { name, manifestBlocks } = file(
      "a",
      Array.from({ length: 64 }, () => 4 * MIB),
    );
    const homes = manifestBlocks.map((block, i) => ({ ...block, home: `n${i % 3}` }));
    const plan = planned([{ name, manifestBlocks: homes }], { slots: 2 });
    expect(plan.maps.length).toBeLessThan(20);
    for (const { bytes } of plan.maps) expect(bytes).toBeLessThanOrEqual(16 * MIB);
    for (const pieces of piecesOf(plan)) {
      const at = pieces.map((piece) => Number(piece.slice("a:".length)));
      expect(new Set(at.map((index) => index % 3)).size).toBe(1);
      expect(at).toEqual(at.toSorted((x, y) => x - y));
    }
    expect(piecesOf(plan).flat()).toHaveLength(64);
  });

  test("a cluster with slots for every block, and a map-only job, keep a task for each", () => {
    const files = [
      file(
        "a",
        Array.from({ length: 64 }, () => 4 * MIB),
      ),
    ];
    expect(planned(files, { slots: 64 }).maps).toHaveLength(64);
    expect(planned(files, { slots: 2, hasReduce: false }).maps).toHaveLength(64);
    expect(planned(files).maps).toHaveLength(64);
  });

  test("thousands of small files share tasks, enough of them to keep a cluster busy", () => {
    const files = Array.from({ length: 2000 }, (_, i) => file(`f${i}`, [5 * KIB]));
    const { maps } = planned(files);
    expect(maps.length).toBeGreaterThanOrEqual(30);
    expect(maps.length).toBeLessThanOrEqual(40);
  });

  test("a large block between small ones stays alone", () => {
    const small = Array.from({ length: 100 }, (_, i) => file(`s${i}`, [KIB]));
    const plan = planned([...small.slice(0, 50), file("large", [MIB]), ...small.slice(50)]);
    expect(piecesOf(plan).map((pieces) => pieces.length)).toEqual([50, 1, 50]);
  });

  test("every block is in exactly one task, in order (L1)", () => {
    fc.assert(
      fc.property(anyFiles, fc.constantFrom("block" as const, "file" as const), (files, split) => {
        const plan = planned(files, { source: { kind: "blocks", split, files } });
        const wanted = files.flatMap((one) =>
          one.manifestBlocks.flatMap(({ length }, i) => (length > 0 ? [`${one.name}:${i}`] : [])),
        );
        expect(piecesOf(plan).flat()).toEqual(wanted);
        expect(plan.maps.length).toBeGreaterThan(0);
      }),
      { numRuns: 50 },
    );
  });

  test("a file split by file is whole in one task (L2)", () => {
    fc.assert(
      fc.property(anyFiles, (files) => {
        const plan = planned(files, { source: { kind: "blocks", split: "file", files } });
        for (const { name } of files) {
          const tasks = piecesOf(plan).filter((it) => it.some((p) => p.startsWith(`${name}:`)));
          expect(tasks.length).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 50 },
    );
  });

  test("the same request gives the same plan (L3)", () => {
    fc.assert(
      fc.property(anyFiles, (files) => {
        expect(planned(structuredClone(files))).toEqual(planned(files));
      }),
      { numRuns: 20 },
    );
  });

  test("a range has a task for each index", () => {
    const plan = planned([], { source: { kind: "range", count: 3 } });
    expect(plan.maps.map((map) => map.input)).toEqual([
      { kind: "range", index: 0, count: 3 },
      { kind: "range", index: 1, count: 3 },
      { kind: "range", index: 2, count: 3 },
    ]);
  });

  test.each([[[]], [[file("empty", [])]], [[file("nothing", [0])]]])(
    "an input without a byte still has one task and one part",
    (files) => {
      const plan = planned(files);
      expect(piecesOf(plan)).toEqual([[]]);
      expect(plan.partitions).toBe(1);
      expect(planned(files, { hasReduce: false }).maps.length).toBe(1);
    },
  );
});

describe("reduce tasks", () => {
  test.each([
    [0, 1],
    [10 * MIB, 1],
    [64 * MIB, 1],
    [65 * MIB, 2],
    [100_000 * MIB, 64],
  ])("an input of %i bytes gets %i", (bytes, partitions) => {
    expect(planned([file("a", [bytes])]).partitions).toBe(partitions);
  });

  test("the caller's count wins", () => {
    expect(planned([file("a", [1])], { reducers: 7 }).partitions).toBe(7);
  });

  test("a map-only stage has none", () => {
    expect(planned([file("a", [1])], { hasReduce: false, reducers: 3 }).partitions).toBe(0);
  });
});

describe("refusals", () => {
  const cut: SourceFile = {
    name: fileName("long.txt"),
    manifestBlocks: [{ id: "a".repeat(64) as BlockId, length: 10, offset: 0, continues: true }],
  };

  test("a line longer than a block is too-large, and says where", () => {
    expect(() => planned([cut])).toThrow(
      expect.objectContaining({ code: "too-large", message: expect.stringContaining("long.txt") }),
    );
  });

  test("a file that is read whole may be cut anywhere", () => {
    const source = { kind: "blocks", split: "file", files: [cut] } as const;
    expect(planned([], { source }).maps.length).toBe(1);
  });

  test.each([0, -1, 1.5, 1025, Number.NaN])("%d reducers are a bad-option", (reducers) => {
    expect(() => planned([], { reducers })).toThrow(
      expect.objectContaining({ code: "bad-option" }),
    );
  });

  test.each([0, -1, 0.5, MAX_MAPS + 1])("a range of %d is a bad-option", (count) => {
    const source = { kind: "range", count } as const;
    expect(() => planned([], { source })).toThrow(expect.objectContaining({ code: "bad-option" }));
  });

  test("more tasks than the limit are too-large", () => {
    const lengths = Array.from({ length: MAX_MAPS + 1 }, () => 256 * KIB);
    expect(() => planned([file("a", lengths)])).toThrow(
      expect.objectContaining({ code: "too-large" }),
    );
  });

  test.each(Object.keys(DEFAULT_LIMITS))("a limit %s of 0 is a bad-option", (name) => {
    expect(() => planned([], { limits: { [name]: 0 } })).toThrow(
      expect.objectContaining({ code: "bad-option", message: expect.stringContaining(name) }),
    );
  });
});

test("parts are named so that their names sort like their numbers", () => {
  expect(partName({ output: fileName("out") }, 12)).toBe("out/part-00012");
});
