/**
 * Cuts a stream of bytes into blocks.
 *
 * A block by lines ends at the last line end (\n) at or before the block size. A line longer than
 * that gets a block of its own, up to its line end; at {@link MAX_BLOCK_BYTES} without one it is
 * cut where it is, and the block says `continues`. Any bytes can be stored; only a job over lines
 * must refuse such a file (see manifest.ts, B2).
 *
 * C1  The blocks, in order, are the bytes that were pushed. Tested.
 * C2  The same bytes give the same blocks, however they were chunked. Tested.
 * C3  No block is empty, none is longer than MAX_BLOCK_BYTES. Asserted.
 * C4  A byte is copied at most three times (into a buffer, with an unfinished line to the next,
 *     with a long line to a larger one); usually once. By construction.
 * C5  Buffers come from the pool; the cutter holds one between calls, and its user those of blocks
 *     not yet released. Tested.
 */
import { assert, RingfoldError } from "../base/errors.ts";
import type { Bytes } from "../base/ids.ts";
import { BufferPool } from "./buffer-pool.ts";
import { type Cut, DEFAULT_BLOCK_BYTES, MAX_BLOCK_BYTES, MIN_BLOCK_BYTES } from "./manifest.ts";

export interface CutBlock {
  /** Valid until `release`. */
  readonly bytes: Buffer;
  /** The block ends within a line that goes on in the next one. */
  readonly continues: boolean;
  /** Gives the buffer back for another block. */
  release(): void;
}

export interface CutOptions {
  readonly cut?: Cut;
  /** 8 KiB to 64 MiB, default 4 MiB. */
  readonly blockSize?: Bytes;
  readonly pool?: BufferPool;
}

const NEWLINE = 10;

export class BlockCutter {
  readonly #lines: boolean;
  readonly #size: Bytes;
  readonly #pool: BufferPool;
  #buffer: Buffer | undefined;
  #filled: Bytes = 0;
  /** Only with lines: the buffer is a larger one, for a line longer than a block. */
  #long = false;

  /** @throws RingfoldError `bad-option` on a block size or record length out of range */
  constructor(options: CutOptions = {}) {
    const { cut = "lines", blockSize = DEFAULT_BLOCK_BYTES, pool = new BufferPool() } = options;
    checkSize("the block size", blockSize, MIN_BLOCK_BYTES);
    if (typeof cut === "object") checkSize("the record length", cut.record, 1);
    this.#lines = cut === "lines";
    this.#size = typeof cut === "object" ? wholeRecordsIn(blockSize, cut.record) : blockSize;
    this.#pool = pool;
  }

  /**
   * Takes the bytes in (they may be overwritten afterwards) and returns the blocks that are
   * complete.
   */
  push(chunk: Uint8Array): CutBlock[] {
    const done: CutBlock[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      this.#makeRoom(done);
      rest = this.#long ? this.#fillLong(rest, done) : this.#fill(rest);
    }
    return done;
  }

  /** The last block, if anything is left. The cutter can be used again. */
  end(): CutBlock[] {
    const done: CutBlock[] = [];
    if (this.#buffer !== undefined && this.#filled > 0) this.#emit(done, this.#filled, false);
    else this.discard();
    return done;
  }

  /** Gives the buffer back without a block: the stream broke. */
  discard(): void {
    if (this.#buffer !== undefined) this.#pool.give(this.#buffer);
    this.#buffer = undefined;
    this.#filled = 0;
    this.#long = false;
  }

  #fill(rest: Uint8Array): Uint8Array {
    this.#buffer ??= this.#pool.take(this.#size);
    const taken = Math.min(rest.length, this.#buffer.length - this.#filled);
    this.#buffer.set(taken === rest.length ? rest : rest.subarray(0, taken), this.#filled);
    this.#filled += taken;
    return rest.subarray(taken);
  }

  /** Up to the line's end, which ends the block. */
  #fillLong(rest: Uint8Array, done: CutBlock[]): Uint8Array {
    const end = rest.indexOf(NEWLINE) + 1;
    const before = this.#filled;
    const left = this.#fill(end === 0 ? rest : rest.subarray(0, end));
    const taken = this.#filled - before;
    if (end !== 0 && left.length === 0) this.#emit(done, this.#filled, false);
    return rest.subarray(taken);
  }

  /** Called with more bytes to come: cuts a full buffer. */
  #makeRoom(done: CutBlock[]): void {
    const buffer = this.#buffer;
    if (buffer === undefined || this.#filled < buffer.length) return;
    if (!this.#lines) return this.#emit(done, this.#filled, false);
    const end = this.#long ? 0 : buffer.lastIndexOf(NEWLINE) + 1;
    if (end > 0) return this.#emit(done, end, false);
    if (buffer.length === MAX_BLOCK_BYTES) return this.#emit(done, this.#filled, true);
    // Pages of it that the line never reaches are never touched, so the size costs nothing.
    const larger = this.#pool.take(MAX_BLOCK_BYTES);
    larger.set(buffer);
    this.#pool.give(buffer);
    this.#buffer = larger;
    this.#long = true;
  }

  /** The first `length` bytes are a block; what follows starts the next buffer. */
  #emit(done: CutBlock[], length: Bytes, continues: boolean): void {
    const buffer = this.#buffer;
    assert(
      buffer !== undefined && length > 0 && length <= MAX_BLOCK_BYTES,
      "C3: a block has bytes",
    );
    const tail = buffer.subarray(length, this.#filled);
    this.#buffer = undefined;
    this.#filled = 0;
    this.#long = false;
    if (tail.length > 0) this.#fill(tail);
    const bytes = buffer.subarray(0, length);
    done.push({ bytes, continues, release: () => this.#pool.give(buffer) });
  }
}

const wholeRecordsIn = (blockSize: Bytes, record: Bytes): Bytes =>
  Math.max(1, Math.floor(blockSize / record)) * record;

function checkSize(what: string, size: Bytes, least: Bytes): void {
  if (Number.isInteger(size) && size >= least && size <= MAX_BLOCK_BYTES) return;
  throw new RingfoldError(
    "bad-option",
    `${what} is a whole number of bytes from ${least} to ${MAX_BLOCK_BYTES}, not ${size}`,
  );
}
