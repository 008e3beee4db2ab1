/**
 * Reads one block from the nearest sound copy: here, then its holders, then anybody who answers; the hash is checked
 * wherever it comes from (D2), and the next copy is asked on any trouble.
 */
import { RingfoldError } from "../../base/errors.ts";
import type { BlockId, NodeId } from "../../base/ids.ts";
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
    } catch (error) {
      if (!(error instanceof RingfoldError)) throw error;
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
    } catch (error) {
      if (!(error instanceof RingfoldError)) throw error;
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
  const late: NodeId[] = [];
  const tryAll = async (nodes: readonly NodeId[], patient: boolean): Promise<Found> => {
    for (const node of nodes) {
      signal?.throwIfAborted();
      try {
        return await peers.getBlock(node, id, { signal, patient });
      } catch (error) {
        if (signal?.aborted) throw error;
        // What is not trouble is a bug of ours, and no reason to ask the next node.
        if (!(error instanceof RingfoldError)) throw error;
        const { code } = error;
        if (code === "deadline" && !patient) late.push(node);
        reasons.push(`${node.slice(0, 8)} ${code}`);
      }
    }
    return undefined;
  };
  // All that have it may be only slow: before giving up, those that were late get the time that they need.
  const bytes = (await tryAll(peers.sources(id), false)) ?? (await tryAll(late, true));
  if (bytes !== undefined) return bytes;
  const asked = reasons.length === 0 ? "no other node is up" : reasons.join(", ");
  throw new RingfoldError("block-missing", `block ${id}: no copy can be read (${asked})`);
}

type Found = Uint8Array | undefined;
