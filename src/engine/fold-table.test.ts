import fc from "fast-check";
import { expect, test } from "vitest";
import { FoldTable, type NumberFold } from "./fold-table.ts";

const key = fc.oneof(
  fc.constantFrom("", "\0", "\0\0", "a", "\0a"),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 }),
);
const pairs = fc.array(fc.tuple(key, fc.integer({ min: -50, max: 50 })), { maxLength: 300 });

function contents(table: FoldTable): Map<string, number> {
  const { bytes, starts } = table.keyColumn();
  const packed = Buffer.from(bytes.buffer);
  const entries = Array.from({ length: table.count }, (_, i): [string, number] => {
    const text = packed.toString("utf8", starts[i], starts[i + 1]);
    return [text, table.values[i] as number];
  });
  expect(new Set(entries.map(([text]) => text)).size).toBe(table.count);
  return new Map(entries);
}

const FOLDS: readonly [string, ConstructorParameters<typeof FoldTable>[0], NumberFold][] = [
  ["sum", "sum", (a, b) => a + b],
  ["min", "min", Math.min],
  ["max", "max", Math.max],
  ["an own function", (a, b) => a * 2 + b, (a, b) => a * 2 + b],
];

test.each(FOLDS)("folds every key once with %s, as a Map does (T1)", (_name, combine, plain) => {
  fc.assert(
    fc.property(pairs, fc.boolean(), (list, asText) => {
      const table = new FoldTable(combine);
      const expected = new Map<string, number>();
      for (const [text, value] of list) {
        const wellFormed = text.toWellFormed();
        const old = expected.get(wellFormed);
        expected.set(wellFormed, old === undefined ? value : plain(old, value));
        const bytes = Buffer.from(text);
        if (asText) table.addText(text, value);
        else table.addBytes(bytes, 0, bytes.length, value);
      }
      expect(contents(table)).toEqual(expected);
    }),
  );
});

test("keeps every key when it grows, and is empty when cleared (T1)", () => {
  const table = new FoldTable("sum");
  for (let round = 1; round <= 2; round++) {
    for (let i = 0; i < 60_000; i++) table.addText(`a rather long key number ${i % 50_000}`, 1);
    expect(table.count).toBe(50_000);
    expect(contents(table).get("a rather long key number 9999")).toBe(2);
    table.clear();
    expect(table.count + table.used).toBe(0);
  }
});

test("counts the bytes in use, which do not grow with repeated keys (T2)", () => {
  const table = new FoldTable("sum");
  for (let i = 0; i < 1000; i++) table.addText(`${i}`.padStart(10, "0"), 1);
  const { used } = table;
  expect(used).toBe(1000 * (10 + 32));
  for (let i = 0; i < 1000; i++) table.addText(`${i}`.padStart(10, "0"), 1);
  expect(table.used).toBe(used);
});
