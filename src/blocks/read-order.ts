/**
 * In which order a reader tries the copies of a block.
 *
 * O1  Every candidate comes once; those that are down come last, since a verdict may be old.
 *     Tested.
 * O2  Of the live ones, the reader itself first, then its zone, then the others. Tested.
 * O3  Within a group the start is rotated by the key, so that the readers of many blocks share the
 *     holders. Tested.
 */
import type { BlockId, NodeId } from "../base/ids.ts";

export interface Candidate {
  readonly id: NodeId;
  readonly zone: string;
  readonly live: boolean;
}

/**
 * @param candidates the holders by the table in force, then those by the one before; repeated ones
 *   count once
 */
export function readOrder(
  self: { readonly id: NodeId; readonly zone: string },
  key: BlockId,
  candidates: readonly Candidate[],
): NodeId[] {
  const distinct = [...new Map(candidates.map((c) => [c.id, c])).values()];
  const groups: NodeId[][] = [[], [], [], []];
  for (const candidate of distinct) groups[rank(self, candidate)]?.push(candidate.id);
  const turn = Number.parseInt(key.slice(-8), 16);
  return groups.flatMap((group) => rotate(group, turn));
}

function rank(self: { readonly id: NodeId; readonly zone: string }, candidate: Candidate): number {
  if (!candidate.live) return 3;
  if (candidate.id === self.id) return 0;
  return candidate.zone === self.zone ? 1 : 2;
}

function rotate<T>(list: readonly T[], turn: number): T[] {
  const start = list.length === 0 ? 0 : turn % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
