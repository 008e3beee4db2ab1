/**
 * The partition table of a closed ring: the circle cut into equal partitions, each with its ordered hosts. A versioned
 * layout computed once, deterministically and with the least movement, as in Garage ("An algorithm for geo-distributed and
 * redundant storage in Garage", 2022) and the third strategy of Dynamo (DeCandia et al., 2007, section 6.2).
 *
 * T1  A row names distinct hosts of weight above 0, min(3, such hosts) of them. Tested.
 * T2  The first R hosts of a row are in min(R, zones) different zones, or as many as there are. Tested.
 * T3  Over the first R columns, R = 1, 2, 3, a host has at most 1.02 x its due, or its due rounded up. Tested.
 * T4  Little moves: what dues make necessary and at most 2 % more, over the first R columns. Tested.
 * T5  The same hosts and previous table give the same table, in whatever order the hosts are listed. Tested.
 */
import { RingfoldError } from "../base/errors.ts";
import { murmur3 } from "../base/hash.ts";
import type { NodeId } from "../base/ids.ts";
import { at, balanceLevel, type Draft, put } from "./claim-balance.ts";
import { comparePositions } from "./position.ts";
import { type ClaimHost, dueShares, zoneLimit } from "./shares.ts";

/** Plain data: goes through JSON and CBOR as it is. */
export interface PartitionTable {
  /** Grows by one with every change. */
  readonly version: number;
  /** A power of two. */
  readonly partitions: number;
  readonly hosts: readonly NodeId[];
  /** Partition to indices of `hosts`, the first holder first. */
  readonly rows: readonly (readonly number[])[];
}

export const DEFAULT_PARTITIONS = 1024;
const MAX_PARTITIONS = 1 << 16;
/** Hosts that a row names; more copies are found by going on along the circle. */
export const ROW_DEPTH = 3;

export const EMPTY_TABLE: PartitionTable = {
  version: 0,
  partitions: DEFAULT_PARTITIONS,
  hosts: [],
  rows: Array.from({ length: DEFAULT_PARTITIONS }, () => []),
};

/**
 * The next table for these hosts. Returns `previous` itself when nothing changes.
 * @param previous the table in force, if any
 * @param hosts members that may hold data, in any order; those of weight 0 get nothing
 * @throws RingfoldError `bad-option` when `partitions` is not a power of two up to 65536
 */
export function claimPartitions(
  previous: PartitionTable | undefined,
  hosts: readonly ClaimHost[],
  options: { readonly partitions?: number } = {},
): PartitionTable {
  const partitions = options.partitions ?? previous?.partitions ?? DEFAULT_PARTITIONS;
  if (!isPowerOfTwo(partitions)) {
    throw new RingfoldError("bad-option", `partitions must be a power of two, not ${partitions}`);
  }
  const storing = hosts
    .filter((host) => host.weight > 0)
    .sort((a, b) => comparePositions(a.position, b.position));
  const draft = draftFrom(previous, storing, partitions);
  fillHoles(draft, storing);
  for (let level = draft.depth; level >= 1; level--) {
    spreadZones(draft, level);
    balanceLevel(draft, level);
  }
  return tableOf(draft, storing, previous);
}

const isPowerOfTwo = (n: number): boolean =>
  Number.isInteger(n) && n >= 1 && n <= MAX_PARTITIONS && (n & (n - 1)) === 0;

/** The previous rows in terms of the new hosts, with holes where a host is gone or its zone is there too often. */
function draftFrom(
  previous: PartitionTable | undefined,
  hosts: readonly ClaimHost[],
  partitions: number,
): Draft {
  const depth = Math.min(hosts.length, ROW_DEPTH);
  const zones = [...new Set(hosts.map((host) => host.zone))];
  const levels = Array.from({ length: depth }, (_, i) => i + 1);
  const draft: Draft = {
    partitions,
    depth,
    hosts: hosts.length,
    zoneOf: Int32Array.from(hosts, (host) => zones.indexOf(host.zone)),
    zoneLimits: levels.map((level) => zoneLimit(level, zones.length)),
    dues: levels.map((level) => dueShares(hosts, partitions, level)),
    counts: levels.map(() => new Int32Array(hosts.length)),
    rows: new Int32Array(partitions * depth).fill(-1),
    old: new Int32Array(partitions * depth).fill(-1),
  };
  if (previous === undefined || previous.hosts.length === 0) return draft;
  const indexOf = new Map(hosts.map((host, index) => [host.id, index]));
  const renamed = previous.hosts.map((id) => indexOf.get(id) ?? -1);
  for (let p = 0; p < partitions; p++) {
    const row = previous.rows[Math.floor((p * previous.partitions) / partitions)] ?? [];
    takeOver(
      draft,
      p,
      row.map((index) => renamed[index] ?? -1),
    );
  }
  return draft;
}

function takeOver(draft: Draft, p: number, row: readonly number[]): void {
  const first = p * draft.depth;
  let position = 0;
  for (const [column, host] of row.slice(0, draft.depth).entries()) {
    draft.old[first + column] = host;
    if (host < 0 || !hasRoom(draft, p, host)) continue;
    put(draft, p, position++, host);
  }
}

/** Whether the row may name the host too: not there yet, and its zone not full. */
function hasRoom(draft: Draft, p: number, host: number): boolean {
  let sameZone = 0;
  for (let i = p * draft.depth; i < (p + 1) * draft.depth; i++) {
    const other = at(draft.rows, i);
    if (other === host) return false;
    if (other >= 0 && at(draft.zoneOf, other) === at(draft.zoneOf, host)) sameZone++;
  }
  return sameZone < (draft.zoneLimits[draft.depth - 1] ?? 0);
}

function fillHoles(draft: Draft, hosts: readonly ClaimHost[]): void {
  const seeds = Uint32Array.from(hosts, (host) => murmur3(Buffer.from(host.id)));
  for (let p = 0; p < draft.partitions; p++) {
    for (let position = 0; position < draft.depth; position++) {
      if (at(draft.rows, p * draft.depth + position) >= 0) continue;
      put(draft, p, position, choose(draft, p, seeds));
    }
  }
}

/**
 * A host for a hole: drawn with a chance in proportion to what it still lacks (Efraimidis and Spirakis, 2006; the draw is a
 * hash), so that the partners of one host are many, and its repair is shared by many.
 */
function choose(draft: Draft, p: number, seeds: Uint32Array): number {
  const due = draft.dues[draft.depth - 1] ?? [];
  const counts = draft.counts[draft.depth - 1] ?? seeds;
  const rowsLeft = draft.partitions - p;
  let best = -1;
  let bestKey = Number.POSITIVE_INFINITY;
  for (let host = 0; host < draft.hosts; host++) {
    if (!hasRoom(draft, p, host)) continue;
    const lack = (due[host] ?? 0) - at(counts, host);
    const key = drawKey(lack, rowsLeft, draw(at(seeds, host), p));
    if (key < bestKey) [best, bestKey] = [host, key];
  }
  return best;
}

/** Smallest wins: who lacks all rows left must be in; who lacks nothing comes last, the fullest at the very end. */
function drawKey(lack: number, rowsLeft: number, u: number): number {
  if (lack >= rowsLeft) return -lack;
  return lack > 0 ? -Math.log(u) / lack : 1e9 - lack;
}

/** A number in (0, 1) from a host's seed and a partition: a round of the murmur finalizer. */
function draw(seed: number, p: number): number {
  let h = seed ^ Math.imul(p + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (((h ^ (h >>> 16)) >>> 0) + 1) / 4294967298;
}

/** Puts a host of another zone at the end of the first `level`, where a zone is there too often and one follows. */
function spreadZones(draft: Draft, level: number): void {
  if (level === draft.depth || level < 2) return;
  for (let p = 0; p < draft.partitions; p++) {
    const first = p * draft.depth;
    const zone = (i: number): number => at(draft.zoneOf, at(draft.rows, first + i));
    let same = 0;
    for (let i = 0; i < level - 1; i++) if (zone(i) === zone(level - 1)) same++;
    if (same < (draft.zoneLimits[level - 1] ?? 0)) continue;
    const before = at(draft.rows, first + level - 1);
    const after = at(draft.rows, first + level);
    put(draft, p, level - 1, after);
    put(draft, p, level, before);
  }
}

function tableOf(
  draft: Draft,
  hosts: readonly ClaimHost[],
  previous: PartitionTable | undefined,
): PartitionTable {
  const rows = Array.from({ length: draft.partitions }, (_, p) =>
    Array.from(draft.rows.subarray(p * draft.depth, (p + 1) * draft.depth)),
  );
  const ids = hosts.map((host) => host.id);
  const next = {
    version: (previous?.version ?? 0) + 1,
    partitions: draft.partitions,
    hosts: ids,
    rows,
  };
  return previous !== undefined && sameLayout(previous, next) ? previous : next;
}

const sameLayout = (a: PartitionTable, b: PartitionTable): boolean =>
  a.partitions === b.partitions &&
  a.hosts.join() === b.hosts.join() &&
  a.rows.every((row, p) => row.join() === b.rows[p]?.join());
