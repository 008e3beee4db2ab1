/**
 * The partition table of a closed ring: the circle cut into equal partitions, each with its ordered hosts. A versioned
 * layout computed once, deterministically and with the least movement, as in Garage ("An algorithm for geo-distributed and
 * redundant storage in Garage", 2022) and the third strategy of Dynamo (DeCandia et al., 2007, section 6.2).
 *
 * T1  A row names distinct hosts of weight above 0, min(3, such hosts) of them. Tested.
 * T2  The first R hosts of a row are in min(R, zones) different zones, or as many as there are. Tested.
 * T3  Over the first R columns, R = 1, 2, 3, a host has at most 1.02 x its due, or its due rounded up. Tested.
 * T4  Little moves over the first R columns: what the change of dues makes necessary and at most 2 % of all copies more for
 *     equal hosts of one zone. With weights and zones of different sizes it is 1 % typically, 12 % at worst; the exception
 *     are some clusters of four hosts, for which T3 comes first. Tested.
 * T5  The same hosts and previous table give the same table, in whatever order the hosts are listed. Tested.
 */
import { RingfoldError } from "../base/errors.ts";
import { murmur3 } from "../base/hash.ts";
import type { NodeId } from "../base/ids.ts";
import { balanceColumn } from "./claim-balance.ts";
import { at, type Draft, leavesRoom, mayStand, put, type Twins } from "./claim-draft.ts";
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

/** Of its due, the most that a host has. */
const MOST_SHARE = 1.02;
/** Shares may be so far off when that moves less; half of what T3 allows. */
const TOLERANCE = 0.01;
/** From this part of the rows on, two hosts or zones are looked out for: below, chance leaves them room enough. */
const NEARLY_ALL = 0.85;

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
  return tableOf(claim(previous, storing, partitions), storing, previous);
}

/**
 * The columns one after the other, each as it was and then balanced. Rarely (with four hosts, where each row leaves out just
 * one) which hosts stand together makes a later column come out wrong; then fewer columns start as they were.
 */
function claim(
  previous: PartitionTable | undefined,
  hosts: readonly ClaimHost[],
  partitions: number,
): Draft {
  const seeds = Uint32Array.from(hosts, (host) => murmur3(Buffer.from(host.id)));
  const draft = draftFrom(previous, hosts, partitions);
  for (const inherited of [draft.depth, 1, 0]) {
    const next = inherited === draft.depth ? draft : draftFrom(previous, hosts, partitions);
    for (let column = 0; column < next.depth; column++) {
      fillColumn(next, column, seeds, column < inherited);
      balanceColumn(next, column);
    }
    if (isBalanced(next)) return next;
  }
  return draft;
}

/** T3. */
const isBalanced = (draft: Draft): boolean =>
  draft.dues.every((dues, level) =>
    dues.every((due, host) => {
      const count = draft.counts[level]?.[host] ?? 0;
      return count <= Math.max(Math.ceil(due - 1e-6), due * MOST_SHARE);
    }),
  );

const isPowerOfTwo = (n: number): boolean =>
  Number.isInteger(n) && n >= 1 && n <= MAX_PARTITIONS && (n & (n - 1)) === 0;

function draftFrom(
  previous: PartitionTable | undefined,
  hosts: readonly ClaimHost[],
  partitions: number,
): Draft {
  const depth = Math.min(hosts.length, ROW_DEPTH);
  const zones = [...new Set(hosts.map((host) => host.zone))];
  const levels = Array.from({ length: depth }, (_, i) => i + 1);
  const zoneOf = Int32Array.from(hosts, (host) => zones.indexOf(host.zone));
  const dues = levels.map((level) => dueShares(hosts, partitions, level));
  return {
    partitions,
    depth,
    hosts: hosts.length,
    zoneOf,
    zoneLimits: levels.map((level) => zoneLimit(level, zones.length)),
    dues,
    counts: levels.map(() => new Int32Array(hosts.length)),
    rows: new Int32Array(partitions * depth).fill(-1),
    old: previousRows(previous, hosts, partitions, depth),
    twins: twinsOf(dues[depth - 1] ?? [], zoneOf, zones.length, partitions),
    tolerance: previous === undefined ? 0 : TOLERANCE,
  };
}

/** The previous rows in terms of the new hosts, -1 where a host is gone. */
function previousRows(
  previous: PartitionTable | undefined,
  hosts: readonly ClaimHost[],
  partitions: number,
  depth: number,
): Int32Array {
  const old = new Int32Array(partitions * depth).fill(-1);
  if (previous === undefined) return old;
  const indexOf = new Map(hosts.map((host, index) => [host.id, index]));
  const renamed = previous.hosts.map((id) => indexOf.get(id) ?? -1);
  for (let p = 0; p < partitions; p++) {
    const row = previous.rows[Math.floor((p * previous.partitions) / partitions)] ?? [];
    for (const [column, index] of row.slice(0, depth).entries()) {
      old[p * depth + column] = renamed[index] ?? -1;
    }
  }
  return old;
}

/** The two hosts (or zones, where a row names at most one host of each) with the largest dues, if nearly all rows. */
function twinsOf(
  due: readonly number[],
  zoneOf: Int32Array,
  zones: number,
  partitions: number,
): Twins | undefined {
  const nameOf = (host: number): number => (zones >= ROW_DEPTH ? at(zoneOf, host) : host);
  const totals = new Map<number, number>();
  for (const [host, share] of due.entries()) {
    totals.set(nameOf(host), (totals.get(nameOf(host)) ?? 0) + share);
  }
  const [first, second] = [...totals].sort((a, b) => b[1] - a[1]);
  if (first === undefined || second === undefined || second[1] < NEARLY_ALL * partitions) {
    return undefined;
  }
  const twins = [first[0], second[0]];
  return {
    marked: Uint8Array.from(due, (_, host) => (twins.includes(nameOf(host)) ? 1 : 0)),
    spare: Math.floor(2 * partitions - first[1] - second[1]),
  };
}

/** The column as it follows from the previous rows; where nothing does, a host that lacks rows. */
function fillColumn(draft: Draft, column: number, seeds: Uint32Array, inherit: boolean): void {
  const holes: number[] = [];
  for (let p = 0; p < draft.partitions; p++) {
    const host = inherit ? inherited(draft, p, column) : -1;
    if (host >= 0) put(draft, p, column, host);
    else holes.push(p);
  }
  for (const [index, p] of holes.entries()) {
    put(draft, p, column, choose(draft, p, column, seeds, holes.length - index));
  }
}

/** The first host of the previous row that is not named yet and fits. */
function inherited(draft: Draft, p: number, column: number): number {
  for (let i = p * draft.depth; i < (p + 1) * draft.depth; i++) {
    const host = at(draft.old, i);
    if (host < 0 || !mayStand(draft, p, column, host)) continue;
    if (leavesRoom(draft, p, column, host)) return host;
  }
  return -1;
}

/**
 * A host for a hole: drawn with a chance in proportion to what it still lacks (Efraimidis and Spirakis, 2006; the draw is a
 * hash), so that the partners of one host are many, and its repair is shared by many.
 */
function choose(
  draft: Draft,
  p: number,
  column: number,
  seeds: Uint32Array,
  rowsLeft: number,
): number {
  const due = draft.dues[column] ?? [];
  const counts = draft.counts[column] ?? seeds;
  let best = -1;
  let bestKey = Number.POSITIVE_INFINITY;
  for (let host = 0; host < draft.hosts; host++) {
    const lack = (due[host] ?? 0) - at(counts, host);
    const key = drawKey(lack, rowsLeft, draw(at(seeds, host), p * draft.depth + column));
    if (key >= bestKey || !mayStand(draft, p, column, host)) continue;
    if (best < 0 || leavesRoom(draft, p, column, host)) [best, bestKey] = [host, key];
  }
  return best;
}

/** Smallest wins: who lacks all rows left must be in; who lacks nothing comes last, the fullest at the very end. */
function drawKey(lack: number, rowsLeft: number, u: number): number {
  if (lack >= rowsLeft) return -lack;
  return lack > 0 ? -Math.log(u) / lack : 1e9 - lack;
}

/** A number in (0, 1) from a host's seed and a cell: a round of the murmur finalizer. */
function draw(seed: number, cell: number): number {
  let h = seed ^ Math.imul(cell + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (((h ^ (h >>> 16)) >>> 0) + 1) / 4294967298;
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
