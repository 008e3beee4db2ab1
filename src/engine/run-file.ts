/**
 * Runs: sorted pairs on disk, in frames of columns.
 *
 *     frame   = magic u32 ("RFR" and version 1) · crc u32 · records u32 · key width u32 · value width u32 ·
 *               key bytes u32 · value bytes u32 · key ends · value ends · keys · values · zeros up to a multiple of 4
 *
 * Little-endian. A width above 0 says that every key (value) has it, and its column of ends is left
 * out. The crc covers everything after it. A segment is a stretch of whole frames; it has a crc of
 * its own over all its bytes.
 *
 * R1: a reader gives exactly the pairs written. Tested.
 * R2: a damaged, cut or foreign segment throws `segment-lost`, never gives a pair of a damaged
 *     frame, and is found at the latest at its end (whole frames lost). Tested.
 */
import { readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { RingfoldError } from "../base/errors.ts";
import { ByteArena } from "./byte-arena.ts";
import type { FileWriter } from "./file-writer.ts";
import type { PairStream } from "./pair-stream.ts";

/** "RFR" and the version, as a little-endian word. */
const MAGIC = 0x01524652;
const HEADER = 28;
/** A frame is closed when its columns hold this many bytes. */
const FRAME = 1 << 16;
/** A frame larger than this is nonsense: a pair is bounded by a task's memory. */
const MAX_FRAME = 1 << 30;

/** A segment as written: where it lies and how to check it. */
export interface SegmentIndex {
  readonly offset: number;
  readonly length: number;
  readonly records: number;
  readonly crc: number;
}

/** Writes segments one after the other into a file. */
export class RunWriter {
  private readonly file: FileWriter;
  private readonly keyWidth: number;
  private readonly valueWidth: number;
  private readonly keys = new ByteArena(1 << 12);
  private readonly values = new ByteArena(1 << 12);
  private keyEnds = new Uint32Array(1 << 9);
  private valueEnds = new Uint32Array(1 << 9);
  private count = 0;
  private records = 0;
  private crc = 0;
  private offset = 0;

  constructor(file: FileWriter, keyWidth: number, valueWidth: number) {
    this.file = file;
    this.keyWidth = keyWidth;
    this.valueWidth = valueWidth;
  }

  /** Writes all pairs of the stream as one segment. */
  segment(stream: PairStream): SegmentIndex {
    this.offset = this.file.offset;
    this.records = 0;
    this.crc = 0;
    while (stream.next()) this.add(stream);
    this.flush();
    const { offset, records, crc } = this;
    return { offset, length: this.file.offset - offset, records, crc };
  }

  private add(pair: PairStream): void {
    const { keys, values } = this;
    keys.pushBytes(pair.keys.subarray(pair.keyFrom, pair.keyTo));
    values.pushBytes(pair.values.subarray(pair.valueFrom, pair.valueTo));
    if (this.count === this.keyEnds.length) this.growEnds();
    this.keyEnds[this.count] = keys.length;
    this.valueEnds[this.count] = values.length;
    this.count++;
    if (keys.length + values.length + this.count * 8 >= FRAME) this.flush();
  }

  private growEnds(): void {
    const [keyEnds, valueEnds] = [this.keyEnds, this.valueEnds];
    this.keyEnds = new Uint32Array(keyEnds.length * 2);
    this.keyEnds.set(keyEnds);
    this.valueEnds = new Uint32Array(valueEnds.length * 2);
    this.valueEnds.set(valueEnds);
  }

  private flush(): void {
    if (this.count === 0) return;
    const { keys, values, count } = this;
    const header = new Uint32Array(HEADER / 4);
    const sizes = [count, this.keyWidth, this.valueWidth, keys.length, values.length];
    header.set([MAGIC, 0, ...sizes]);
    const parts: Uint8Array[] = [bytesOf(header)];
    if (this.keyWidth === 0) parts.push(bytesOf(this.keyEnds.subarray(0, count)));
    if (this.valueWidth === 0) parts.push(bytesOf(this.valueEnds.subarray(0, count)));
    parts.push(keys.bytes.subarray(0, keys.length), values.bytes.subarray(0, values.length));
    parts.push(new Uint8Array(-(keys.length + values.length) & 3));
    this.write(
      header,
      parts.filter((part) => part.length > 0),
    );
    this.records += count;
    this.count = 0;
    keys.length = 0;
    values.length = 0;
  }

  /**
   * @param parts none empty: zlib's crc32 of no bytes may start anew from 0 instead of keeping its
   *   value
   */
  private write(header: Uint32Array, parts: readonly Uint8Array[]): void {
    let crc = 0;
    parts.forEach((part, i) => {
      crc = crc32(i === 0 ? part.subarray(8) : part, crc);
    });
    header[1] = crc;
    for (const part of parts) {
      this.crc = crc32(part, this.crc);
      this.file.write(part);
    }
  }
}

const bytesOf = (words: Uint32Array): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

const NO_ENDS = new Uint32Array(0);

/** Reads one segment. */
export class RunReader implements PairStream {
  keys: Uint8Array = bytesOf(NO_ENDS);
  keyFrom = 0;
  keyTo = 0;
  values: Uint8Array = this.keys;
  valueFrom = 0;
  valueTo = 0;
  private readonly fd: number;
  private readonly end: number;
  private readonly wanted: number;
  private at: number;
  private crc = 0;
  private frame = new Uint8Array(0);
  private keyEnds = NO_ENDS;
  private valueEnds = NO_ENDS;
  private keyWidth = 0;
  private valueWidth = 0;
  private count = 0;
  private index = 0;

  /** @param fd stays the caller's */
  constructor(fd: number, segment: Pick<SegmentIndex, "offset" | "length" | "crc">) {
    this.fd = fd;
    this.at = segment.offset;
    this.end = segment.offset + segment.length;
    this.wanted = segment.crc;
  }

  /** @throws RingfoldError `segment-lost` */
  next(): boolean {
    if (this.index === this.count && !this.nextFrame()) return false;
    const i = this.index++;
    this.keyFrom = this.keyTo;
    this.valueFrom = this.valueTo;
    this.keyTo = this.keyWidth > 0 ? this.keyFrom + this.keyWidth : (this.keyEnds[i] as number);
    const width = this.valueWidth;
    this.valueTo = width > 0 ? this.valueFrom + width : (this.valueEnds[i] as number);
    return true;
  }

  private nextFrame(): boolean {
    if (this.at === this.end) {
      if (this.crc !== this.wanted) lost("its checksum is wrong");
      return false;
    }
    const header = new Uint32Array(HEADER / 4);
    this.read(bytesOf(header), HEADER);
    const [magic, crc, count = 0, keyWidth = 0, valueWidth = 0, keySize = 0, valueSize = 0] =
      header;
    if (magic !== MAGIC) lost("a frame has the wrong marker");
    const ends = (keyWidth === 0 ? count * 4 : 0) + (valueWidth === 0 ? count * 4 : 0);
    const size = ends + ((keySize + valueSize + 3) & ~3);
    if (count === 0 || size > MAX_FRAME || size > this.end - this.at) lost("a frame is cut");
    if (this.frame.length < size) this.frame = new Uint8Array(size);
    this.read(this.frame, size);
    const found = crc32(this.frame.subarray(0, size), crc32(bytesOf(header).subarray(8)));
    if (found !== crc) lost("a frame's checksum is wrong");
    this.columns(count, keyWidth, valueWidth, ends, keySize);
    return true;
  }

  private columns(
    count: number,
    keyWidth: number,
    valueWidth: number,
    ends: number,
    keySize: number,
  ): void {
    const { buffer } = this.frame;
    this.keyEnds = keyWidth === 0 ? new Uint32Array(buffer, 0, count) : NO_ENDS;
    const valueEndsAt = keyWidth === 0 ? count * 4 : 0;
    this.valueEnds = valueWidth === 0 ? new Uint32Array(buffer, valueEndsAt, count) : NO_ENDS;
    this.keys = new Uint8Array(buffer, ends);
    this.values = new Uint8Array(buffer, ends + keySize);
    this.keyWidth = keyWidth;
    this.valueWidth = valueWidth;
    this.count = count;
    this.index = 0;
    this.keyTo = 0;
    this.valueTo = 0;
  }

  private read(into: Uint8Array, length: number): void {
    if (this.end - this.at < length) lost("it ends in the middle of a frame");
    let done = 0;
    while (done < length) {
      const got = readSync(this.fd, into, done, length - done, this.at + done);
      if (got === 0) lost("its file is too short");
      done += got;
    }
    this.at += length;
    this.crc = crc32(into.subarray(0, length), this.crc);
  }
}

function lost(why: string): never {
  throw new RingfoldError("segment-lost", `a segment cannot be read: ${why}`);
}
