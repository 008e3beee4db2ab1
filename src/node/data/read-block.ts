/**
 * Reads one block from the nearest sound copy: here, then its holders, then anybody who answers; the hash is checked
 * wherever it comes from (D2), and the next copy is asked on any trouble.
 */
import { RingfoldError } from "../../base/errors.ts";
import type { BlockId } from "../../base/ids.ts";
import type { AlignedPool } from "./aligned-pool.ts";
import type { BlockStore } from "./block-store.ts";
import type { Peers } from "./peers.ts";

export interface ReadParts {
  readonly store: BlockStore;
  readonly peers: Peers;
}

/** A block's bytes, valid until `release`, which may be called more than once. */
export interface LentBlock {
  readonly bytes: Uint8Array;
  release(): void;
}

/**
 * As {@link readBlock}, into a slot of the pool where the block lies outside of the page cache.
 * @throws RingfoldError `block-missing` when no copy answers, `cancelled`
 */
export async function lendBlock(
  parts: ReadParts & { readonly pool: AlignedPool },
  id: BlockId,
  signal: AbortSignal,
): Promise<LentBlock> {
  const slot = parts.store.isCold(id) ? parts.pool.takeSlot() : undefined;
  if (slot !== undefined) {
    let open = true;
    const release = (): void => {
      if (open) parts.pool.give(slot);
      open = false;
    };
    try {
      const bytes = await parts.store.readCold(id, slot);
      if (bytes !== undefined) return { bytes, release };
    } catch {
      // Damaged (now in quarantine) or unreadable here: any other copy will do.
    }
    release();
  }
  return { bytes: await readBlock(parts, id, signal), release: () => {} };
}

/**
 * The block's bytes.
 * @throws RingfoldError `block-missing` when no copy answers, `cancelled`
 */
export async function readBlock(
  parts: ReadParts,
  id: BlockId,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (parts.store.has(id)) {
    try {
      return await parts.store.read(id);
    } catch {
      // Damaged (now in quarantine) or unreadable here: any other copy will do.
    }
  }
  return fetchBlock(parts.peers, id, signal);
}

/** The block's bytes from another node. @throws RingfoldError `block-missing`, `cancelled` */
export async function fetchBlock(
  peers: Peers,
  id: BlockId,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const reasons: string[] = [];
  for (const node of peers.sources(id)) {
    signal?.throwIfAborted();
    try {
      return await peers.getBlock(node, id, signal);
    } catch (error) {
      if (signal?.aborted) throw error;
      const why = error instanceof RingfoldError ? error.code : String(error);
      reasons.push(`${node.slice(0, 8)} ${why}`);
    }
  }
  const asked = reasons.length === 0 ? "no other node is up" : reasons.join(", ");
  throw new RingfoldError("block-missing", `block ${id}: no copy can be read (${asked})`);
}
