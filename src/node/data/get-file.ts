/**
 * A file's bytes in order, with some blocks read ahead; each block is hashed, wherever it comes from. The consumer's pace
 * bounds the memory: a block is read only when there is room for it (D5).
 */
import { RingfoldError } from "../../base/errors.ts";
import type { Bytes } from "../../base/ids.ts";
import type { ManifestBlock } from "../../blocks/manifest.ts";
import { type ReadParts, readBlock } from "./read-block.ts";

/** Blocks under way before the one that is handed out: enough to keep disk, hash and network busy at once. */
const AHEAD = 3;
/** But no more bytes than this, one block apart. */
const AHEAD_BYTES: Bytes = 24 * 1024 * 1024;

/**
 * @param blocks in the file's order
 * @throws RingfoldError `block-missing` when no copy of a block can be read, `cancelled`
 */
export async function* readBlocks(
  parts: ReadParts,
  blocks: readonly ManifestBlock[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const ahead: { readonly piece: ManifestBlock; readonly read: Promise<Uint8Array> }[] = [];
  let next = 0;
  let bytes = 0;
  const fill = (): void => {
    while (next < blocks.length && ahead.length <= AHEAD) {
      const piece = blocks[next] as ManifestBlock;
      if (ahead.length > 0 && bytes + piece.length > AHEAD_BYTES) return;
      const read = readBlock(parts, piece.id, signal);
      read.catch(() => {}); // awaited in turn; a consumer that stops before must not leave it unhandled
      ahead.push({ piece, read });
      bytes += piece.length;
      next++;
    }
  };
  fill();
  for (let first = ahead.shift(); first !== undefined; first = ahead.shift()) {
    signal.throwIfAborted();
    const block = await first.read;
    if (block.length !== first.piece.length) throw wrongLength(first.piece, block.length);
    bytes -= first.piece.length;
    fill();
    yield block;
  }
}

const wrongLength = (piece: ManifestBlock, length: Bytes): RingfoldError =>
  new RingfoldError(
    "block-corrupt",
    `the manifest says ${piece.length} bytes of block ${piece.id}, it has ${length}`,
  );
