import { describe, expect, it } from "vitest";
import { blockIdOf } from "../base/hash.ts";
import {
  blockOffsets,
  blocksInRange,
  type Cut,
  MAX_MANIFEST_BLOCKS,
  type Manifest,
  type ManifestBlock,
  manifestOf,
  parseManifest,
  wholeRecords,
} from "./manifest.ts";

const block = (n: number, length: number): ManifestBlock => ({
  id: blockIdOf(Buffer.from(`${n}`)),
  length,
});

const sample = (cut: Cut = "lines"): Manifest =>
  manifestOf([block(1, 100), block(2, 50), block(3, 7)], cut, "text/plain");

/** The sample with one thing changed, as it might come off a disk. */
const changed = (change: Record<string, unknown>): unknown => ({ ...sample(), ...change });
const withBlock = (change: Record<string, unknown>): unknown =>
  changed({ blocks: [{ ...block(1, 157), ...change }] });

describe("a manifest", () => {
  it("comes back from its plain form as it was", () => {
    for (const cut of ["lines", "bytes", { record: 50 }] as const) {
      const plain: unknown = JSON.parse(JSON.stringify(sample(cut)));
      expect(parseManifest(plain)).toEqual(sample(cut));
    }
    const empty = manifestOf([], "lines", "");
    expect(parseManifest(empty)).toEqual(empty);
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["a list", []],
    ["no version", changed({ version: undefined })],
    ["a version in words", changed({ version: "1" })],
    ["B1: a wrong length", changed({ length: 158 })],
    ["B1: an empty block", withBlock({ length: 0 })],
    ["a block above 64 MiB", withBlock({ length: 67_108_865 })],
    ["half a byte", withBlock({ length: 157.5 })],
    ["an id in capitals", withBlock({ id: "A".repeat(64) })],
    ["no id", withBlock({ id: undefined })],
    ["a strange mark", withBlock({ continues: false })],
    ["a field that nobody knows", changed({ extra: 1 })],
    ["a field of a block that nobody knows", withBlock({ extra: 1 })],
    ["a strange cut", changed({ cut: "words" })],
    ["a record of nothing", changed({ cut: { record: 0 } })],
    ["no content type", changed({ contentType: 5 })],
    ["an endless content type", changed({ contentType: "x".repeat(256) })],
    ["no blocks", changed({ blocks: {} })],
    ["too many blocks", changed({ blocks: Array.from({ length: MAX_MANIFEST_BLOCKS + 1 }) })],
    ["B2: a last block that goes on", withBlock({ continues: true })],
    ["B3: a block that ends within a record", changed({ cut: { record: 60 } })],
  ])("is refused with %s", (_, value) => {
    expect(() => parseManifest(value)).toThrow(expect.objectContaining({ code: "block-corrupt" }));
  });

  it("B2: is refused when a block goes on though it is not cut by lines", () => {
    const blocks = [{ ...block(1, 100), continues: true }, block(2, 57)];
    expect(() => parseManifest(changed({ cut: "bytes", blocks }))).toThrow("not cut by lines");
  });

  it("of a newer version is told apart from a bad one", () => {
    expect(() => parseManifest(changed({ version: 2 }))).toThrow(
      expect.objectContaining({ code: "version-mismatch" }),
    );
  });

  it("is not made with more blocks than the limit", () => {
    const one = block(1, 1);
    const many = Array.from({ length: MAX_MANIFEST_BLOCKS + 1 }, () => one);
    expect(() => manifestOf(many, "bytes", "")).toThrow(
      expect.objectContaining({ code: "too-large" }),
    );
  });

  it("B2: is no input by lines when a line goes beyond a block, and says where", () => {
    const torn = manifestOf(
      [block(1, 10), { ...block(2, 20), continues: true }, block(3, 5)],
      "lines",
      "",
    );
    expect(parseManifest(torn)).toEqual(torn);
    expect(() => wholeRecords(torn, "books/a.txt")).toThrow(
      expect.objectContaining({
        code: "line-too-long",
        message: "books/a.txt has a line of more than 64 MiB at or after byte 10",
      }),
    );
    expect(() => wholeRecords(sample(), "books/a.txt")).not.toThrow();
  });

  it("tells where blocks start, and which parts make a range", () => {
    const manifest = sample();
    expect(blockOffsets(manifest)).toEqual([0, 100, 150]);
    const parts = (from: number, to: number) =>
      blocksInRange(manifest, from, to).map((r) => [
        manifest.blocks.indexOf(r.block),
        r.from,
        r.to,
      ]);
    expect(parts(0, 157)).toEqual([
      [0, 0, 100],
      [1, 0, 50],
      [2, 0, 7],
    ]);
    expect(parts(99, 151)).toEqual([
      [0, 99, 100],
      [1, 0, 50],
      [2, 0, 1],
    ]);
    expect(parts(100, 150)).toEqual([[1, 0, 50]]);
    expect(parts(20, 20)).toEqual([]);
    expect(parts(157, 999)).toEqual([]);
    expect(parts(150, 999)).toEqual([[2, 0, 7]]);
  });
});
