import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FileWriter } from "./file-writer.ts";
import { MergedStream, type PairStream } from "./pair-stream.ts";
import { RunReader, RunWriter, type SegmentIndex } from "./run-file.ts";

vi.setConfig({ testTimeout: 60_000 });

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ringfold-run-"));
  path = join(folder, "run");
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

type Pair = readonly [Uint8Array, Uint8Array];

class ListStream implements PairStream {
  keys = new Uint8Array(0);
  readonly keyFrom = 0;
  keyTo = 0;
  values = new Uint8Array(0);
  readonly valueFrom = 0;
  valueTo = 0;
  private readonly list: Pair[];

  constructor(list: readonly Pair[]) {
    this.list = [...list];
  }

  next(): boolean {
    const pair = this.list.shift();
    if (pair === undefined) return false;
    this.keys = Uint8Array.from(pair[0]);
    this.values = Uint8Array.from(pair[1]);
    this.keyTo = pair[0].length;
    this.valueTo = pair[1].length;
    return true;
  }
}

function pairsOf(stream: PairStream): Pair[] {
  const pairs: Pair[] = [];
  while (stream.next()) {
    const key = stream.keys.slice(stream.keyFrom, stream.keyTo);
    pairs.push([key, stream.values.slice(stream.valueFrom, stream.valueTo)]);
  }
  return pairs;
}

function write(lists: readonly (readonly Pair[])[], keyWidth = 0, valueWidth = 0): SegmentIndex[] {
  const file = new FileWriter(path);
  const writer = new RunWriter(file, keyWidth, valueWidth);
  const segments = lists.map((list) => writer.segment(new ListStream(list)));
  file.close();
  return segments;
}

function read(segment: SegmentIndex): Pair[] {
  const fd = openSync(path, "r");
  try {
    return pairsOf(new RunReader(fd, segment));
  } finally {
    closeSync(fd);
  }
}

const bytes = fc.uint8Array({ maxLength: 9 }).map((one) => Uint8Array.from(one));
const pairList = fc.array(fc.tuple(bytes, bytes), { maxLength: 40 });
const many: Pair[] = Array.from({ length: 30_000 }, (_, i) => [
  Uint8Array.from(Buffer.from(`key ${i}`)),
  Uint8Array.from(Buffer.alloc(i % 13, i)),
]);

test("reads exactly the pairs written, segment by segment (R1)", () => {
  fc.assert(
    fc.property(fc.array(pairList, { maxLength: 4 }), (lists) => {
      const segments = write(lists);
      expect(segments.map(read)).toEqual(lists);
      expect(segments.map((one) => one.records)).toEqual(lists.map((list) => list.length));
      const all = readFileSync(path);
      for (const { offset, length, crc } of segments) {
        expect(crc32(all.subarray(offset, offset + length))).toBe(crc);
      }
    }),
  );
});

test("reads many frames, and columns of fixed width (R1)", () => {
  expect(write([many, many.slice(7)]).map(read)).toEqual([many, many.slice(7)]);
  const fixed = many.map(([key]): Pair => [key.slice(0, 5), Uint8Array.of(1, 2, 3, 4)]);
  expect(write([fixed], 5, 4).map(read)).toEqual([fixed]);
  const large: Pair = [Uint8Array.from(Buffer.alloc(300_000, 1)), Uint8Array.of()];
  expect(write([[large, large]]).map(read)).toEqual([[large, large]]);
});

test("finds every flipped bit, cut and foreign file, and gives no damaged pair (R2)", () => {
  const [segment] = write([many.slice(0, 9000)]);
  const good = readFileSync(path);
  const lost = expect.objectContaining({ code: "segment-lost" });
  const whole = segment as SegmentIndex;
  fc.assert(
    fc.property(fc.nat(good.length * 8 - 1), (bit) => {
      const bad = Buffer.from(good);
      bad.writeUInt8((bad[bit >> 3] as number) ^ (1 << (bit & 7)), bit >> 3);
      writeFileSync(path, bad);
      expect(() => read(whole)).toThrow(lost);
    }),
    { numRuns: 40 },
  );
  writeFileSync(path, good.subarray(0, good.length - 1));
  expect(() => read(whole)).toThrow(lost);
  writeFileSync(path, good);
  expect(() => read({ ...whole, length: whole.length - 4 })).toThrow(lost);
  expect(() => read({ ...whole, offset: 4, length: whole.length - 4 })).toThrow(lost);
  expect(() => read({ ...whole, crc: whole.crc ^ 1 })).toThrow(lost);
  writeFileSync(path, "");
  expect(() => read(whole)).toThrow(lost);
});

test("a frame left out is found at the segment's end (R2)", () => {
  const [both, second] = write([many.slice(0, 20), many.slice(0, 20)]);
  const { offset, length } = second as SegmentIndex;
  expect(() => read({ ...(both as SegmentIndex), offset, length, crc: 1 })).toThrow(
    expect.objectContaining({ code: "segment-lost" }),
  );
});

test("a merge gives all pairs in order, equal ones in the order of the inputs (M1)", () => {
  const key = fc.uint8Array({ maxLength: 2, max: 2 });
  fc.assert(
    fc.property(fc.array(fc.array(key, { maxLength: 12 }), { maxLength: 6 }), (lists) => {
      const inputs = lists.map((keys, i) =>
        keys
          .toSorted((a, b) => Buffer.compare(a, b))
          .map((one): Pair => [Uint8Array.from(one), Uint8Array.of(i)]),
      );
      const merged = pairsOf(
        new MergedStream(
          inputs.map((list) => new ListStream(list)),
          false,
        ),
      );
      const expected = inputs.flat().toSorted((a, b) => Buffer.compare(a[0], b[0]));
      expect(merged).toEqual(expected);
    }),
  );
});
