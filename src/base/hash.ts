import { hash } from "node:crypto";
import type { BlockId } from "./ids.ts";

/** SHA-256 of the bytes as 64 lower-case hex digits. */
export const sha256Hex = (bytes: Uint8Array | string): string => hash("sha256", bytes, "hex");

/** A block's name: the SHA-256 of its bytes. */
export const blockIdOf = (bytes: Uint8Array): BlockId => sha256Hex(bytes) as BlockId;

/**
 * MurmurHash3, 32 bits, x86 variant (Austin Appleby, public domain algorithm): spreads keys over
 * reduce partitions.
 * @param bytes the buffer
 * @param from first byte, @param to one past the last byte
 */
export function murmur3(bytes: Uint8Array, from = 0, to = bytes.length, seed = 0): number {
  let h = seed | 0;
  const end = from + ((to - from) & ~3);
  for (let i = from; i < end; i += 4) {
    const k =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    h ^= mix(k);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = to - 1; i >= end; i--) tail = (tail << 8) | (bytes[i] as number);
  if (to > end) h ^= mix(tail);
  h ^= to - from;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function mix(k: number): number {
  const a = Math.imul(k, 0xcc9e2d51);
  return Math.imul((a << 15) | (a >>> 17), 0x1b873593);
}
