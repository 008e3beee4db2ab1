import fc from "fast-check";
import { expect, test } from "vitest";
import { t } from "../sdk/codecs.ts";
import { ByteArena } from "./byte-arena.ts";
import { byteCodec, type CodecSpec } from "./codec.ts";

const encode = (spec: CodecSpec, value: unknown): Uint8Array => {
  const arena = new ByteArena(1);
  byteCodec(spec).write(value, arena);
  return arena.bytes.slice(0, arena.length);
};
const decode = (spec: CodecSpec, bytes: Uint8Array): unknown =>
  byteCodec(spec).read(bytes, 0, bytes.length);

const text = fc.string({ unit: "binary", maxLength: 8 });
const integer = fc.maxSafeInteger();
const double = fc.double({ noNaN: true }).map((x) => x + 0);
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const bytes = fc.uint8Array({ maxLength: 5 });
const compare = (a: number | string, b: number | string): number => (a < b ? -1 : a > b ? 1 : 0);
const compareText = (a: string, b: string): number =>
  Buffer.compare(Buffer.from(a), Buffer.from(b));

type Row = readonly [string, CodecSpec, fc.Arbitrary<unknown>, (a: never, b: never) => number];
const ROWS: readonly Row[] = [
  ["t.string", t.string, text, compareText],
  ["t.u32", t.u32, u32, compare],
  ["t.i64", t.i64, integer, compare],
  ["t.f64", t.f64, double, compare],
  ["t.bytes()", t.bytes(), bytes, (a, b) => Buffer.compare(a, b)],
  [
    "t.bytes(3)",
    t.bytes(3),
    fc.uint8Array({ minLength: 3, maxLength: 3 }),
    (a, b) => Buffer.compare(a, b),
  ],
  ["t.desc(t.string)", t.desc(t.string), text, (a, b) => compareText(b, a)],
  ["t.desc(t.i64)", t.desc(t.i64), integer, (a, b) => compare(b, a)],
];

test.each(ROWS)(
  "%s sorts as bytes as its values do (C1) and gives back what it took (C2)",
  (...row) => {
    const [, spec, values, order] = row;
    fc.assert(
      fc.property(values, values, (a, b) => {
        const [left, right] = [encode(spec, a), encode(spec, b)];
        expect(decode(spec, left)).toEqual(a);
        expect(Math.sign(Buffer.compare(left, right))).toBe(order(a as never, b as never));
      }),
    );
  },
);

test("tuples sort part by part, whatever their parts hold (C1, C4)", () => {
  const spec = t.tuple(t.desc(t.string), t.bytes(), t.tuple(t.i64, t.string), t.u32);
  const values = fc.tuple(text, bytes, fc.tuple(integer, text), u32);
  type Value = readonly [string, Uint8Array, readonly [number, string], number];
  const order = (a: Value, b: Value): number =>
    compareText(b[0], a[0]) ||
    Buffer.compare(a[1], b[1]) ||
    compare(a[2][0], b[2][0]) ||
    compareText(a[2][1], b[2][1]) ||
    compare(a[3], b[3]);
  fc.assert(
    fc.property(values, values, (a, b) => {
      const [left, right] = [encode(spec, a), encode(spec, b)];
      expect(decode(spec, left)).toEqual(a);
      expect(Math.sign(Buffer.compare(left, right))).toBe(order(a, b));
    }),
  );
});

test("json gives back what it took, alone and in a tuple (C2)", () => {
  const spec = t.tuple(t.json<unknown>(), t.string);
  fc.assert(
    fc.property(fc.jsonValue(), text, (value, after) => {
      const same = JSON.parse(JSON.stringify(value)) as unknown;
      expect(decode(t.json(), encode(t.json(), value))).toEqual(same);
      expect(decode(spec, encode(spec, [value, after]))).toEqual([same, after]);
    }),
  );
});

test("minus zero becomes zero and a lone surrogate U+FFFD (C2)", () => {
  expect(decode(t.f64, encode(t.f64, -0))).toBe(0);
  expect(decode(t.string, encode(t.string, "a\ud800b"))).toBe("a\ufffdb");
});

const cyclic: Record<string, unknown> = {};
cyclic["self"] = cyclic;

test.each([
  ["t.string", t.string, 1, "1"],
  ["t.string", t.string, undefined, "undefined"],
  ["t.u32", t.u32, "7", '"7"'],
  ["t.u32", t.u32, -1, "-1"],
  ["t.u32", t.u32, 1.5, "1.5"],
  ["t.u32", t.u32, 2 ** 32, "4294967296"],
  ["t.u32", t.u32, Number.NaN, "NaN"],
  ["t.i64", t.i64, 2 ** 53, "9007199254740992"],
  ["t.i64", t.i64, 3n, "3n"],
  ["t.f64", t.f64, Number.NaN, "NaN"],
  ["t.bytes()", t.bytes(), "text", '"text"'],
  ["t.bytes(2)", t.bytes(2), new Uint8Array(3), "3 bytes"],
  ["t.json()", t.json(), () => 1, "a function"],
  ["t.json()", t.json(), cyclic, "[object Object]"],
  ["t.tuple(t.u32, t.u32)", t.tuple(t.u32, t.u32), [1], "[1]"],
  ["t.u32", t.tuple(t.u32, t.u32), [1, "x"], '"x"'],
])("%s refuses what it does not accept and names it (C3: %#)", (name, spec, value, shown) => {
  expect(() => encode(spec, value)).toThrow(
    expect.objectContaining({ code: "job-codec", message: `${name} does not accept ${shown}` }),
  );
});

test("a nested value without an end is refused, not read for ever", () => {
  expect(() => decode(t.tuple(t.string, t.u32), Buffer.from("no end"))).toThrow(
    expect.objectContaining({ code: "segment-lost" }),
  );
});

test("text of values is what people expect", () => {
  const spec = t.tuple(t.string, t.u32, t.json<object>(), t.bytes(), t.desc(t.f64));
  const value = ["a b", 7, { x: [1] }, new Uint8Array([1, 255]), -0.5];
  expect(byteCodec(spec).text(value)).toBe('a b 7 {"x":[1]} 01ff -0.5');
});
