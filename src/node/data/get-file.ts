/**
 * A file's bytes in order, with some blocks read ahead; each block is hashed, wherever it comes from. The consumer's pace
 * bounds the memory: a block is read only when there is room for it (D5).
 */
import { RingfoldError } from "../../base/errors.ts";
import type { Bytes } from "../../base/ids.ts";
import type { ManifestBlock } from "../../blocks/manifest.ts";
import type { AlignedPool } from "./aligned-pool.ts";
import { type LentBlock, lendBlock, type ReadParts } from "./read-block.ts";

/** Blocks under way before the one that is handed out: enough to keep disk, hash and network busy at once. */
const AHEAD = 3;
/** But no more bytes than this, one block apart. */
const AHEAD_BYTES: Bytes = 24 * 1024 * 1024;

/**
 * @returns blocks that the consumer releases when it is done with their bytes
 * @param blocks in the file's order
 * @throws RingfoldError `block-missing` when no copy of a block can be read, `cancelled`
 */
export async function* readBlocks(
  parts: ReadParts & { readonly pool: AlignedPool },
  blocks: readonly ManifestBlock[],
  signal: AbortSignal,
): AsyncGenerator<LentBlock, void, undefined> {
  const ahead: { readonly piece: ManifestBlock; readonly read: Promise<LentBlock> }[] = [];
  let next = 0;
  let bytes = 0;
  const fill = (): void => {
    while (next < blocks.length && ahead.length <= AHEAD) {
      const piece = blocks[next] as ManifestBlock;
      if (ahead.length > 0 && bytes + piece.length > AHEAD_BYTES) return;
      const read = lendBlock(parts, piece.id, signal);
      read.catch(() => {}); // awaited in turn; a consumer that stops before must not leave it unhandled
      ahead.push({ piece, read });
      bytes += piece.length;
      next++;
    }
  };
  fill();
  try {
    for (let first = ahead.shift(); first !== undefined; first = ahead.shift()) {
      const block = await first.read;
      if (block.bytes.length !== first.piece.length || signal.aborted) {
        block.release();
        signal.throwIfAborted();
        throw wrongLength(first.piece, block.bytes.length);
      }
      bytes -= first.piece.length;
      fill();
      yield block;
    }
  } finally {
    for (const { read } of ahead)
      void read.then(
        (block) => block.release(),
        () => {},
      );
  }
}

const wrongLength = (piece: ManifestBlock, length: Bytes): RingfoldError =>
  new RingfoldError(
    "block-corrupt",
    `the manifest says ${piece.length} bytes of block ${piece.id}, it has ${length}`,
  );
