import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { present } from "../base/errors.ts";
import { sha256Hex } from "../base/hash.ts";
import { FoldTable } from "./fold-table.ts";
import { wordKernel } from "./word-kernel.ts";
import { WORD_KERNEL_SOURCE } from "./word-kernel-bytes.ts";
import { foldWords } from "./word-scanner.ts";

vi.setConfig({ testTimeout: 60_000 });

type Counts = Map<string, number>;

function contents(table: FoldTable): Counts {
  const { bytes, starts } = table.keyColumn();
  const packed = Buffer.from(bytes.buffer);
  const entry = (i: number): [string, number] => [
    packed.toString("latin1", starts[i], starts[i + 1]),
    table.values[i] as number,
  ];
  return new Map(Array.from({ length: table.count }, (_, i) => entry(i)));
}

function inKernel(bytes: Buffer): [number, Counts] {
  const kernel = present(wordKernel(), "this machine has WebAssembly SIMD");
  const table = new FoldTable("sum");
  const drain = (): void => kernel.drain((from, a, b, count) => table.addBytes(from, a, b, count));
  const words = kernel.fold(0, bytes.length, bytes, drain, table, 1);
  drain();
  return [words, contents(table)];
}

function inScanner(bytes: Buffer): [number, Counts] {
  const table = new FoldTable("sum");
  const words = foldWords(bytes, 0, bytes.length, table, 1);
  return [words, contents(table)];
}

const piece = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }).map((text) => Buffer.from(text)),
  fc
    .constantFrom(
      "the ",
      "a",
      "é",
      "”",
      "漢字",
      "𐐀",
      "sixteen letters x",
      "\n",
      "longerthansixteenletters",
    )
    .map((text) => Buffer.from(text)),
);

test("the kernel counts what the scanner counts, for any bytes (W1)", () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const bytes = Buffer.concat(pieces);
      expect(inKernel(bytes)).toEqual(inScanner(bytes));
    }),
    { numRuns: 1000 },
  );
});

test("the kernel counts every code point's letters as the scanner does (W1)", () => {
  const all: string[] = [];
  for (let point = 0; point <= 0x10ffff; point += point < 0x20000 ? 1 : 257) {
    if (point < 0xd800 || point > 0xdfff) all.push(`${String.fromCodePoint(point)} `);
  }
  const bytes = Buffer.from(all.join(""));
  expect(inKernel(bytes)).toEqual(inScanner(bytes));
});

test("more words than the kernel holds, and long ones, are all counted (W1)", () => {
  const words = Array.from({ length: 90_000 }, (_, i) => {
    const letters = i
      .toString(26)
      .replace(/[0-9]/g, (digit) => "qrstuvwxyz"[Number(digit)] as string);
    return i % 3 === 0 ? letters.padStart(40, "pad") : letters;
  });
  const bytes = Buffer.from([...words, ...words.slice(5)].join(" "));
  expect(inKernel(bytes)).toEqual(inScanner(bytes));
});

test("a stretch without a place to cut is counted (W1)", () => {
  const bytes = Buffer.from(`short ${"x".repeat(600_000)}\n${"漢".repeat(300_000)} end`);
  const counted = inKernel(bytes);
  expect(counted).toEqual(inScanner(bytes));
  expect(counted[0]).toBe(4);
});

test("the kernel's bytes are those of its source (W2)", () => {
  const source = readFileSync(join(import.meta.dirname, "word-kernel.as"));
  expect(sha256Hex(source)).toBe(WORD_KERNEL_SOURCE);
});
