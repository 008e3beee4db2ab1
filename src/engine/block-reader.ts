/**
 * Reads whole blocks with large synchronous reads and checks their hash before a byte is used.
 *
 * B1: bytes that are not what the block's id says never reach a job: `block-corrupt`. Tested.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { RingfoldError } from "../base/errors.ts";
import { sha256Hex } from "../base/hash.ts";
import type { BlockInput } from "./task-place.ts";

/** Keeps one buffer for block after block. */
export class BlockReader {
  private buffer = Buffer.alloc(0);

  /**
   * The block's bytes, valid until the next call.
   * @throws RingfoldError `block-corrupt`, its `detail.block` the id
   */
  read(block: BlockInput): Buffer {
    let fd: number;
    try {
      fd = openSync(block.path, "r");
    } catch (cause) {
      throw corrupt(block, "its file cannot be opened", cause);
    }
    try {
      if (fstatSync(fd).size !== block.bytes) throw corrupt(block, "it has the wrong length");
      if (this.buffer.length < block.bytes) this.buffer = Buffer.allocUnsafeSlow(block.bytes);
      const bytes = this.buffer.subarray(0, block.bytes);
      fill(fd, bytes, block);
      if (sha256Hex(bytes) !== block.id) throw corrupt(block, "its bytes have another hash");
      return bytes;
    } finally {
      closeSync(fd);
    }
  }
}

function fill(fd: number, bytes: Buffer, block: BlockInput): void {
  let done = 0;
  while (done < bytes.length) {
    let got: number;
    try {
      got = readSync(fd, bytes, done, bytes.length - done, done);
    } catch (cause) {
      throw corrupt(block, "it cannot be read", cause);
    }
    if (got === 0) throw corrupt(block, "it is cut");
    done += got;
  }
}

function corrupt(block: BlockInput, why: string, cause?: unknown): RingfoldError {
  const where = `block ${block.index} of ${block.fileName}`;
  return new RingfoldError("block-corrupt", `${where} cannot be used: ${why}`, {
    detail: { block: block.id },
    ...(cause === undefined ? {} : { cause }),
  });
}
