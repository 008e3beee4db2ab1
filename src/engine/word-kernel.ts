/**
 * Words counted in WebAssembly with SIMD (word-kernel.as): a small table of fixed size in front of the combine table,
 * emptied into it when it is full and at the end of a task.
 *
 * W1: the kernel and the scanner in JavaScript (word-scanner.ts) count the same, for any bytes. Tested.
 * W2: the bytes run are those of the source beside them. Tested by the source's hash.
 */
import type { FoldTable } from "./fold-table.ts";
import { isLetter } from "./unicode-letters.ts";
import { WORD_KERNEL } from "./word-kernel-bytes.ts";
import { foldWords } from "./word-scanner.ts";

/** Addresses of word-kernel.as. */
const ENTRIES = 0x90000;
const ENTRY = 32;
const INPUT = 0x290000;
const INPUT_SIZE = 0x40000;
/** Zero bytes that must follow the input. */
const PADDING = 32;
/** Keys of up to this many bytes are in their entry. */
const INLINE_KEY = 16;
/** How far back a place to cut is looked for. */
const CUT_SEARCH = 1 << 12;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly words: { readonly value: number };
  readonly count: { readonly value: number };
  clear(): void;
  fold(from: number, to: number): number;
}

/** What we use of WebAssembly; its types come with the DOM's, which do not belong here. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

export class WordKernel {
  private readonly exports: Exports;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  /** @throws WebAssembly.CompileError on a machine without SIMD: see {@link wordKernel} */
  constructor() {
    const wasm = (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly;
    const module = new wasm.Module(Buffer.from(WORD_KERNEL, "base64"));
    const env = { isLetter: (point: number) => (isLetter(point) ? 1 : 0) };
    this.exports = new wasm.Instance(module, { env }).exports as Exports;
    this.bytes = new Uint8Array(this.exports.memory.buffer);
    this.view = new DataView(this.exports.memory.buffer);
  }

  /**
   * Counts the words between `from` and `to`, which must not cut a word. Some stay in the kernel until {@link drain}.
   * @param full called when the kernel's table must be emptied
   * @param table takes words of a stretch without any place to cut
   * @param weight what a word adds there
   * @returns how many words there were
   */
  fold(
    from: number,
    to: number,
    input: Buffer,
    full: () => void,
    table: FoldTable,
    weight: number,
  ): number {
    let [words, at] = [0, from];
    while (at < to) {
      const end = cut(input, at, to);
      if (end === undefined) {
        const far = afterSeparator(input, at + INPUT_SIZE, to);
        words += foldWords(input, at, far, table, weight);
        at = far;
      } else {
        words += this.foldPiece(input, at, end, full);
        at = end;
      }
    }
    return words;
  }

  private foldPiece(input: Buffer, from: number, to: number, full: () => void): number {
    const length = to - from;
    this.bytes.set(input.subarray(from, to), INPUT);
    this.bytes.fill(0, INPUT + length, INPUT + length + PADDING);
    const { exports } = this;
    // `words` counts since the last drain, which starts it anew.
    let words = -exports.words.value;
    let at = exports.fold(0, length);
    while (at < length) {
      words += exports.words.value;
      full();
      at = exports.fold(at, length);
    }
    return words + exports.words.value;
  }

  /** Hands over every word with its count, and starts anew. */
  drain(take: (bytes: Uint8Array, from: number, to: number, count: number) => void): void {
    const { view, bytes } = this;
    const count = this.exports.count.value;
    for (let i = 0, at = ENTRIES; i < count; i++, at += ENTRY) {
      const length = view.getUint32(at + 20, true);
      const from = length > INLINE_KEY ? view.getUint32(at + 24, true) : at;
      take(bytes, from, from + length, view.getUint32(at + 16, true));
    }
    this.exports.clear();
  }
}

const isSeparator = (byte: number): boolean => {
  const lower = byte | 0x20;
  return byte < 0x80 && (lower < 0x61 || lower > 0x7a);
};

/** A place between `from` and `to`, as far as the kernel's input reaches, that cuts no word. */
function cut(input: Buffer, from: number, to: number): number | undefined {
  if (to - from <= INPUT_SIZE) return to;
  const last = from + INPUT_SIZE;
  for (let at = last; at > last - CUT_SEARCH; at--) {
    if (isSeparator(input[at - 1] as number)) return at;
  }
  return undefined;
}

function afterSeparator(input: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && !isSeparator(input[at] as number)) at++;
  return at;
}

let shared: WordKernel | undefined | "missing";

/** This process's kernel, empty; undefined on a machine without WebAssembly SIMD. One task at a time uses it. */
export function wordKernel(): WordKernel | undefined {
  if (shared === "missing") return undefined;
  try {
    shared ??= new WordKernel();
  } catch {
    shared = "missing";
    return undefined;
  }
  shared.drain(() => undefined);
  return shared;
}
