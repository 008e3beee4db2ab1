import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../base/random.ts";
import { BufferPool } from "./buffer-pool.ts";
import { BlockCutter, type CutOptions } from "./cut.ts";
import { MAX_BLOCK_BYTES } from "./manifest.ts";

const SIZE = 8192;

interface Piece {
  readonly bytes: Buffer;
  readonly continues: boolean;
}

/** Cuts the bytes in chunks of the given lengths (again and again), overwriting each chunk afterwards. */
function cutAll(bytes: Buffer, options: CutOptions, chunks: readonly number[] = [65_536]): Piece[] {
  const cutter = new BlockCutter(options);
  const pieces: Piece[] = [];
  const keep = (blocks: ReturnType<BlockCutter["push"]>): void => {
    for (const block of blocks) {
      pieces.push({ bytes: Buffer.from(block.bytes), continues: block.continues });
      block.release();
    }
  };
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const chunk = Buffer.from(bytes.subarray(at, at + (chunks[turn % chunks.length] ?? 1)));
    at += chunk.length;
    keep(cutter.push(chunk));
    chunk.fill(0);
  }
  keep(cutter.end());
  return pieces;
}

/** What the cutter should do, on the whole text at once. */
function naiveLines(text: Buffer, size: number): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < text.length; ) {
    let end = at + size;
    if (end < text.length) {
      const before = text.lastIndexOf(10, end - 1) + 1;
      const after = text.indexOf(10, end) + 1;
      end = before > at ? before : after === 0 ? text.length : after;
    }
    const hard = at + MAX_BLOCK_BYTES;
    pieces.push({
      bytes: text.subarray(at, Math.min(end, hard)),
      continues: end > hard && hard < text.length,
    });
    at = Math.min(end, hard, text.length);
  }
  return pieces;
}

const told = (pieces: readonly Piece[]): string[] =>
  pieces.map((p) => `${p.bytes.length} ${p.bytes.toString("latin1").slice(-20)} ${p.continues}`);

/** Lines of random lengths, some longer than a block. */
function randomText(seed: number): Buffer {
  const random = seededRandom(seed);
  const lines: string[] = [];
  for (let i = random.below(60); i > 0; i--) {
    const length = random.below(random.pick([2, 100, 9000, 30_000]));
    lines.push(String.fromCharCode(97 + random.below(26)).repeat(length));
  }
  return Buffer.from(lines.join("\n") + random.pick(["", "\n"]));
}

describe("the cutter", () => {
  it("C1, C2: cuts lines as the rule says, however the bytes are chunked", () => {
    const pool = new BufferPool();
    const chunks = fc.array(fc.integer({ min: 37, max: 70_000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.nat(), chunks, (seed, lengths) => {
        const text = randomText(seed);
        const pieces = cutAll(text, { blockSize: SIZE, pool }, lengths);
        expect(Buffer.concat(pieces.map((p) => p.bytes)).equals(text)).toBe(true);
        expect(told(pieces)).toEqual(told(naiveLines(text, SIZE)));
      }),
      { numRuns: 80 },
    );
  });

  it("C1, C2: cuts bytes and records at their size", () => {
    const sizes = fc.integer({ min: 7, max: 20_000 });
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 9000 }),
        fc.nat(60_000),
        (chunk, record, length) => {
          const bytes = Buffer.alloc(length, "abcdefg\n");
          const plain = cutAll(bytes, { cut: "bytes", blockSize: SIZE }, [chunk]);
          expect(
            plain
              .map((p) => p.bytes.length)
              .slice(0, -1)
              .every((l) => l === SIZE),
          ).toBe(true);
          const records = cutAll(bytes, { cut: { record }, blockSize: SIZE }, [chunk]);
          const whole = Math.max(1, Math.floor(SIZE / record)) * record;
          expect(records.slice(0, -1).every((p) => p.bytes.length === whole)).toBe(true);
          for (const pieces of [plain, records]) {
            expect(Buffer.concat(pieces.map((p) => p.bytes)).equals(bytes)).toBe(true);
            expect(pieces.some((p) => p.continues)).toBe(false);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("C3: gives no block for nothing", () => {
    expect(cutAll(Buffer.alloc(0), {})).toEqual([]);
    const cutter = new BlockCutter();
    expect(cutter.push(Buffer.alloc(0))).toEqual([]);
    expect(cutter.end()).toEqual([]);
  });

  it("C2: takes single bytes", () => {
    const text = randomText(3);
    expect(told(cutAll(text, { blockSize: SIZE }, [1]))).toEqual(told(naiveLines(text, SIZE)));
  });

  it("keeps a line of more than a block whole, up to its end", () => {
    const text = Buffer.from(`short\n${"x".repeat(100_000)}\nshort\n`);
    const pieces = cutAll(text, { blockSize: SIZE });
    expect(pieces.map((p) => p.bytes.length)).toEqual([6, 100_001, 6]);
    expect(pieces.some((p) => p.continues)).toBe(false);
  });

  it("C3: cuts a line of 100 MB at 64 MiB and says that it goes on", () => {
    const line = Buffer.alloc(100_000_000, "y");
    line[line.length - 1] = 10;
    const pieces = cutAll(line, {}, [1 << 20]);
    expect(pieces.map((p) => [p.bytes.length, p.continues])).toEqual([
      [MAX_BLOCK_BYTES, true],
      [100_000_000 - MAX_BLOCK_BYTES, false],
    ]);
  });

  it("does not say that a line goes on which ends with the file at the limit", () => {
    for (const last of ["\n", "y"]) {
      const line = Buffer.alloc(MAX_BLOCK_BYTES, "y");
      line.write(last, line.length - 1);
      const pieces = cutAll(line, {}, [1 << 20]);
      expect(pieces.map((p) => [p.bytes.length, p.continues])).toEqual([[MAX_BLOCK_BYTES, false]]);
    }
  });

  it("C5: needs no more buffers than blocks are held, and gives all back", () => {
    const pool = new BufferPool();
    const cutter = new BlockCutter({ blockSize: SIZE, pool });
    const text = Buffer.alloc(1_000_000, `${"z".repeat(99)}\n`);
    for (let at = 0; at < text.length; at += 5000) {
      const blocks = cutter.push(text.subarray(at, at + 5000));
      expect(pool.lent).toBeLessThanOrEqual(blocks.length + 1);
      for (const block of blocks) block.release();
    }
    for (const block of cutter.end()) block.release();
    expect(pool.lent).toBe(0);
  });

  it("C5: gives its buffer back when the stream breaks, and can start anew", () => {
    const pool = new BufferPool();
    const cutter = new BlockCutter({ pool });
    cutter.push(Buffer.from("half a li"));
    cutter.discard();
    expect(pool.lent).toBe(0);
    cutter.push(Buffer.from("anew"));
    expect(cutter.end().map((block) => block.bytes.toString())).toEqual(["anew"]);
  });

  it.each([0, 8191, 67_108_865, 10_000.5, Number.NaN])(
    "refuses a block size of %d",
    (blockSize) => {
      expect(() => new BlockCutter({ blockSize })).toThrow(
        expect.objectContaining({ code: "bad-option" }),
      );
    },
  );

  it.each([0, -1, 1.5, 67_108_865])("refuses a record length of %d", (record) => {
    expect(() => new BlockCutter({ cut: { record } })).toThrow(
      expect.objectContaining({ code: "bad-option" }),
    );
  });
});

describe("the buffer pool", () => {
  it("U1: gives a buffer to one user at a time", () => {
    const pool = new BufferPool();
    const one = pool.take(SIZE);
    expect(pool.take(SIZE)).not.toBe(one);
    pool.give(one);
    expect(() => pool.give(one)).toThrow("U1");
    expect(pool.take(SIZE)).toBe(one);
    expect(pool.take(SIZE * 2).length).toBe(SIZE * 2);
  });

  it("U2: keeps only so many free buffers", () => {
    const pool = new BufferPool(1);
    const [one, two] = [pool.take(SIZE), pool.take(SIZE)];
    pool.give(one);
    pool.give(two);
    expect(pool.take(SIZE)).toBe(one);
    expect(pool.take(SIZE)).not.toBe(two);
  });
});
