/**
 * What each host is due of a partition table: in proportion to weights, as far as distinct rows and
 * zones allow.
 *
 * A row names a host at most once, and with Z zones at most max(1, copies - Z + 1) hosts of one
 * zone. So one host is due at most one cell in every row, one zone at most that many, and, once
 * there are as many copies as zones, every zone at least one; what a capped host or zone may not
 * take is shared among the others by weight ("water-filling", as in the capacities of Garage's
 * layout).
 *
 * S1  Dues add up to copies x partitions, and no host's due is above the number of partitions.
 *     Tested.
 * S2  Without caps in reach, dues are exactly in proportion to weights. Tested.
 * S3  A host's due never shrinks when the number of copies grows. Tested.
 */
import type { NodeId } from "../base/ids.ts";
import type { Position } from "./position.ts";

/** What the claim needs to know of a host. */
export interface ClaimHost {
  readonly id: NodeId;
  readonly zone: string;
  readonly weight: number;
  readonly position: Position;
}

/** How many hosts of one zone a row of so many copies may name. */
export const zoneLimit = (copies: number, zones: number): number => Math.max(1, copies - zones + 1);

/**
 * Cells (partition, host) due to each host over the first `copies` columns.
 * @param hosts hosts of weight above 0, at least `copies` of them
 * @returns dues in the order of `hosts`, in partitions, not rounded
 */
export function dueShares(
  hosts: readonly { readonly zone: string; readonly weight: number }[],
  partitions: number,
  copies: number,
): number[] {
  const due = Array.from<number>({ length: hosts.length }).fill(0);
  const zones = [...Map.groupBy(hosts.keys(), (index) => hosts[index]?.zone ?? "").values()];
  const weights = zones.map((zone) => zone.map((index) => hosts[index]?.weight ?? 0));
  const totals = zoneShares(weights, partitions, copies);
  for (const [z, zone] of zones.entries()) {
    const shares = fillTo(weights[z] ?? [], partitions, totals[z] ?? 0);
    for (const [i, index] of zone.entries()) due[index] = shares[i] ?? 0;
  }
  return due;
}

/**
 * Each zone's share: by weight, within its lower and upper limit. One level lambda fits all; found
 * by bisection.
 */
function zoneShares(
  zones: readonly (readonly number[])[],
  partitions: number,
  copies: number,
): number[] {
  const least = copies >= zones.length ? partitions : 0;
  const most = zoneLimit(copies, zones.length) * partitions;
  const shareAt = (weights: readonly number[], level: number): number => {
    const wanted = weights.reduce((sum, w) => sum + Math.min(partitions, level * w), 0);
    return Math.min(Math.max(wanted, least), most, weights.length * partitions);
  };
  let low = 0;
  let high = partitions / Math.min(...zones.flat());
  for (let i = 0; i < 64; i++) {
    const middle = (low + high) / 2;
    const sum = zones.reduce((total, weights) => total + shareAt(weights, middle), 0);
    if (sum < copies * partitions) low = middle;
    else high = middle;
  }
  return zones.map((weights) => shareAt(weights, high));
}

/**
 * `total` over hosts by weight, none above `cap`: the heaviest are capped first, the rest share
 * what is left.
 */
function fillTo(weights: readonly number[], cap: number, total: number): number[] {
  const shares = weights.map(() => 0);
  const heaviestFirst = [...weights.keys()].sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0));
  let left = total;
  let weightLeft = weights.reduce((sum, w) => sum + w, 0);
  for (const index of heaviestFirst) {
    const weight = weights[index] ?? 0;
    const share = Math.min(cap, (left * weight) / weightLeft);
    shares[index] = share;
    left -= share;
    weightLeft -= weight;
  }
  return shares;
}
