/** Pairs one after the other as bytes; what runs, tables, buffers and merges all look like. */

import { ByteArena, compareBytes } from "./byte-arena.ts";
import type { ByteCodec } from "./codec.ts";

export interface PairStream {
  /** Moves to the next pair. False: there is none; the fields are then without meaning. */
  next(): boolean;
  /** The current pair's bytes, valid until the next call of `next`. */
  readonly keys: Uint8Array;
  readonly keyFrom: number;
  readonly keyTo: number;
  readonly values: Uint8Array;
  readonly valueFrom: number;
  readonly valueTo: number;
}

/** Order of the current pairs of two streams. */
export function comparePairs(a: PairStream, b: PairStream, withValues: boolean): number {
  const order = compareBytes(a.keys, a.keyFrom, a.keyTo, b.keys, b.keyFrom, b.keyTo);
  if (order !== 0 || !withValues) return order;
  return compareBytes(a.values, a.valueFrom, a.valueTo, b.values, b.valueFrom, b.valueTo);
}

const EMPTY = new Uint8Array(0);

/**
 * One sorted stream of several (binary heap).
 * M1: pairs come in order; equal pairs in the order of `inputs`. Tested.
 */
export class MergedStream implements PairStream {
  keys: Uint8Array = EMPTY;
  keyFrom = 0;
  keyTo = 0;
  values: Uint8Array = EMPTY;
  valueFrom = 0;
  valueTo = 0;
  private readonly inputs: readonly PairStream[];
  private readonly withValues: boolean;
  /** Numbers of inputs; the first one's current pair is the smallest. */
  private readonly heap: number[] = [];
  private started = false;

  constructor(inputs: readonly PairStream[], withValues: boolean) {
    this.inputs = inputs;
    this.withValues = withValues;
  }

  next(): boolean {
    if (this.started) this.advance();
    else this.start();
    const top = this.heap[0];
    if (top === undefined) return false;
    const stream = this.inputs[top] as PairStream;
    this.keys = stream.keys;
    this.keyFrom = stream.keyFrom;
    this.keyTo = stream.keyTo;
    this.values = stream.values;
    this.valueFrom = stream.valueFrom;
    this.valueTo = stream.valueTo;
    return true;
  }

  private start(): void {
    this.started = true;
    this.inputs.forEach((stream, i) => {
      if (stream.next()) this.heap.push(i);
    });
    for (let i = (this.heap.length >> 1) - 1; i >= 0; i--) this.sift(i);
  }

  private advance(): void {
    const { heap } = this;
    const top = heap[0];
    if (top === undefined) return;
    if (!(this.inputs[top] as PairStream).next()) {
      const last = heap.pop() as number;
      if (heap.length === 0) return;
      heap[0] = last;
    }
    this.sift(0);
  }

  private sift(from: number): void {
    const { heap } = this;
    const moved = heap[from] as number;
    let at = from;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      if (right < heap.length && this.before(heap[right] as number, heap[child] as number)) {
        child = right;
      }
      if (this.before(moved, heap[child] as number)) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = moved;
  }

  private before(a: number, b: number): boolean {
    const streams = this.inputs;
    const order = comparePairs(streams[a] as PairStream, streams[b] as PairStream, this.withValues);
    return order < 0 || (order === 0 && a < b);
  }
}

/** Folds neighbours of the same key into one pair. */
export class CombinedStream implements PairStream {
  keys: Uint8Array = EMPTY;
  readonly keyFrom = 0;
  keyTo = 0;
  values: Uint8Array = EMPTY;
  readonly valueFrom = 0;
  valueTo = 0;
  private readonly key = new ByteArena(256);
  private readonly value = new ByteArena(256);
  private readonly input: PairStream;
  private readonly codec: ByteCodec;
  private readonly combine: (a: unknown, b: unknown) => unknown;
  private waiting: boolean | undefined;

  constructor(input: PairStream, codec: ByteCodec, combine: (a: unknown, b: unknown) => unknown) {
    this.input = input;
    this.codec = codec;
    this.combine = combine;
  }

  next(): boolean {
    const { input, key, value, codec } = this;
    this.waiting ??= input.next();
    if (!this.waiting) return false;
    key.length = 0;
    key.pushBytes(input.keys.subarray(input.keyFrom, input.keyTo));
    let folded = codec.read(input.values, input.valueFrom, input.valueTo);
    this.waiting = input.next();
    while (this.waiting && this.sameKey()) {
      folded = this.combine(folded, codec.read(input.values, input.valueFrom, input.valueTo));
      this.waiting = input.next();
    }
    value.length = 0;
    codec.write(folded, value);
    this.keys = key.bytes;
    this.keyTo = key.length;
    this.values = value.bytes;
    this.valueTo = value.length;
    return true;
  }

  private sameKey(): boolean {
    const { input, key } = this;
    const length = input.keyTo - input.keyFrom;
    if (length !== key.length) return false;
    return compareBytes(input.keys, input.keyFrom, input.keyTo, key.bytes, 0, key.length) === 0;
  }
}
