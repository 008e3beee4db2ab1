/**
 * Block buffers that begin on a page, so that the disk can take them without a copy through the page cache (O_DIRECT). They
 * are slots of one WebAssembly memory, the only bytes in Node that are sure to be page-aligned. When all slots are out, or for
 * another size, an ordinary buffer is given, which is written and read through the cache.
 *
 * A1: a slot is given out to one user at a time; giving it back twice is a bug. Asserted.
 */
import { assert } from "../../base/errors.ts";
import type { Bytes } from "../../base/ids.ts";
import { BufferPool } from "../../blocks/buffer-pool.ts";
import { DEFAULT_BLOCK_BYTES } from "../../blocks/manifest.ts";

/** A slot holds a block of the default size. */
export const SLOT_BYTES: Bytes = DEFAULT_BLOCK_BYTES;
/** A put's window and the block being cut, as much for peers' puts. Untouched slots take no memory. */
const SLOTS = 20;
/** What O_DIRECT asks of addresses, offsets and lengths on any disk in use. */
const PAGE: Bytes = 4096;
const WASM_PAGE: Bytes = 64 * 1024;

/** The memories of all pools: tells a slot's bytes from others. */
const memories = new WeakSet<ArrayBufferLike>();

export class AlignedPool extends BufferPool {
  #free: Buffer[] | undefined;
  readonly #out = new Set<number>();

  override take(size: Bytes): Buffer {
    return (size === SLOT_BYTES ? this.takeSlot() : undefined) ?? super.take(size);
  }

  /** A slot, if one is free. */
  takeSlot(): Buffer | undefined {
    this.#free ??= makeSlots();
    const slot = this.#free.pop();
    if (slot !== undefined) this.#out.add(slot.byteOffset);
    return slot;
  }

  override give(buffer: Buffer): void {
    if (!memories.has(buffer.buffer)) return super.give(buffer);
    assert(this.#out.delete(buffer.byteOffset), "A1: a slot comes back once");
    this.#free?.push(buffer);
  }

  override get lent(): number {
    return super.lent + this.#out.size;
  }
}

/** Node has it; the types of the DOM, which declare it, are not among ours. */
interface WithWebAssembly {
  readonly WebAssembly: {
    readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
  };
}

function makeSlots(): Buffer[] {
  const { WebAssembly } = globalThis as unknown as WithWebAssembly;
  const memory = new WebAssembly.Memory({ initial: (SLOTS * SLOT_BYTES) / WASM_PAGE });
  memories.add(memory.buffer);
  return Array.from({ length: SLOTS }, (_, i) =>
    Buffer.from(memory.buffer, i * SLOT_BYTES, SLOT_BYTES),
  );
}

/**
 * The bytes rounded up to whole pages, when they begin a slot; what follows them in the slot comes along. Undefined: the
 * bytes are not a slot's.
 */
export function wholePages(bytes: Uint8Array): Buffer | undefined {
  const { buffer, byteOffset, length } = bytes;
  if (!memories.has(buffer) || byteOffset % SLOT_BYTES !== 0) return undefined;
  return Buffer.from(buffer, byteOffset, Math.ceil(length / PAGE) * PAGE);
}
