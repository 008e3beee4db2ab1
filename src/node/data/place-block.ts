/**
 * Puts one block on its holders: here and there at once; who fails is replaced by the next host that could keep it.
 *
 * L1: a block counts as stored only when at least one host acknowledged it, and says on which it is (D1). Tested.
 * L2: no host is asked twice for one block, and never more than `copies` keep it on our account. By order of steps.
 */
import { RingfoldError } from "../../base/errors.ts";
import type { BlockId, NodeId } from "../../base/ids.ts";
import type { BlockStore } from "./block-store.ts";
import type { Copies, DataEvent, Stored } from "./data-port.ts";
import type { Peers, PutOptions } from "./peers.ts";

export interface PlaceParts {
  readonly store: BlockStore;
  readonly peers: Peers;
  readonly onEvent: (event: DataEvent) => void;
}

export interface Placed extends Stored {
  /** Copies that should be there and are not; 0 is the normal case. */
  readonly short: number;
}

/**
 * Stores a block with its copies, all synced.
 * @param bytes must hash to `id`
 * @throws RingfoldError `no-nodes`, or the first trouble when no host took it: `disk-full`, `peer-unreachable`, …
 */
export async function placeBlock(
  { store, peers, onEvent }: PlaceParts,
  id: BlockId,
  bytes: Uint8Array,
  copies: Copies,
  options: PutOptions = {},
): Promise<Placed> {
  const { signal } = options;
  const queue = peers.keepers(id);
  const want = peers.wanted(id, copies);
  if (queue.length === 0) {
    throw new RingfoldError("no-nodes", "no node that is up stores data (all have weight 0)");
  }
  const nodes: NodeId[] = [];
  const troubles: unknown[] = [];
  // Ends without a throw, so that nobody uses the bytes any more when all of them have ended.
  const placeOne = async (): Promise<void> => {
    for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
      try {
        if (node === peers.self) await store.put(id, bytes, options.cold);
        else await peers.putBlock(node, id, bytes, options);
        nodes.push(node);
        return;
      } catch (error) {
        troubles.push(error);
        if (signal?.aborted) return;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(want, queue.length) }, placeOne));
  signal?.throwIfAborted();
  // A bug of ours is no trouble of one host, and must not pass as a missing copy.
  for (const error of troubles) if (!(error instanceof RingfoldError)) throw error;
  if (nodes.length === 0) throw troubles[0];
  if (nodes.length < want) onEvent({ type: "few-copies", block: id, have: nodes.length, want });
  return { id, bytes: bytes.length, nodes, short: want - nodes.length };
}
