/**
 * A map task's input blocks in its host's `in` folder: a second name for a local block, a scratch copy of a remote one. The
 * host hashes what it reads before it uses it, so a link is not hashed here.
 */
import { join } from "node:path";
import { RingfoldError } from "../../base/errors.ts";
import type { BlockId } from "../../base/ids.ts";
import type { StagedBlock, StageRequest } from "./data-port.ts";
import type { Disk } from "./disk.ts";
import { fetchBlock, type ReadParts } from "./read-block.ts";

/** Blocks of one task that are fetched at once. */
const AT_ONCE = 4;

/**
 * @returns in the order asked, each block once
 * @throws RingfoldError `block-missing`, `disk-full`, `cancelled`
 */
export async function stageBlocks(
  parts: ReadParts & { readonly disk: Disk },
  request: StageRequest,
  signal: AbortSignal,
): Promise<readonly StagedBlock[]> {
  const staged: StagedBlock[] = [];
  const todo = [...new Set(request.blocks)].entries();
  const work = async (): Promise<void> => {
    for (const [index, block] of todo) {
      signal.throwIfAborted();
      staged[index] = await stage(parts, request.dir, block, signal);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return staged;
}

async function stage(
  { store, disk, peers }: ReadParts & { readonly disk: Disk },
  dir: string,
  block: BlockId,
  signal: AbortSignal,
): Promise<StagedBlock> {
  const file = join(dir, block);
  if (store.has(block)) {
    try {
      return { block, file, bytes: await store.link(block, file), local: true };
    } catch (error) {
      // The file went from under the index: another copy will do.
      if (!(error instanceof RingfoldError) || error.code !== "disk-failed") throw error;
    }
  }
  const bytes = await fetchBlock(peers, block, signal);
  const scratch = await disk.create(file);
  try {
    await scratch.write([bytes]);
  } finally {
    await scratch.close();
  }
  return { block, file, bytes: bytes.length, local: false };
}
