import fc from "fast-check";
import { expect, test } from "vitest";
import { type ByteColumn, sortByBytes } from "./byte-sort.ts";

function column(strings: readonly Uint8Array[]): ByteColumn {
  const starts = new Uint32Array(strings.length + 1);
  strings.forEach((one, i) => {
    starts[i + 1] = (starts[i] as number) + one.length;
  });
  return { bytes: Buffer.concat(strings), starts };
}

const few = fc.uint8Array({ maxLength: 11, max: 2 });
const any = fc.oneof(few, fc.uint8Array({ maxLength: 20 }));
const list = fc.array(any, { minLength: 0, maxLength: 200 });

test("sorts as a comparison sort does and keeps the order of equals (S1)", () => {
  fc.assert(
    fc.property(list, (strings) => {
      const order = Uint32Array.from(strings.keys());
      sortByBytes(order, 0, order.length, column(strings));
      const expected = [...strings.keys()].sort(
        (a, b) => Buffer.compare(strings[a] as Uint8Array, strings[b] as Uint8Array) || a - b,
      );
      expect([...order]).toEqual(expected);
    }),
  );
});

test("orders equals by the column of ties, within the range asked for (S1)", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(few, any), { maxLength: 120 }), (pairs) => {
      const [keys, ties] = [pairs.map((pair) => pair[0]), pairs.map((pair) => pair[1])];
      const order = Uint32Array.from(pairs.keys());
      const to = order.length >> 1;
      sortByBytes(order, 0, to, column(keys), column(ties));
      const head = [...pairs.keys()]
        .slice(0, to)
        .sort(
          (a, b) =>
            Buffer.compare(keys[a] as Uint8Array, keys[b] as Uint8Array) ||
            Buffer.compare(ties[a] as Uint8Array, ties[b] as Uint8Array) ||
            a - b,
        );
      expect([...order]).toEqual([...head, ...[...pairs.keys()].slice(to)]);
    }),
  );
});

test("sorts many long strings with one long common beginning without deep recursion", () => {
  const strings = Array.from({ length: 100 }, (_, i) => {
    const bytes = Buffer.alloc(20_000, 97);
    bytes.writeUInt8(255 - i, 19_999);
    return bytes;
  });
  const order = Uint32Array.from(strings.keys());
  sortByBytes(order, 0, order.length, column(strings));
  expect([...order]).toEqual([...strings.keys()].reverse());
});
