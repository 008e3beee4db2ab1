/**
 * Balances one level of a partition table in the making: the columns before stand, this one is exchanged. Rows and hosts
 * are a bipartite graph with given degrees, so every imbalance has an augmenting path: host h gives a row to k, which gives
 * another to m, and so on (Ford and Fulkerson, 1956). The cheapest path is taken (Dial, 1969); what is cheap is what moves
 * little data at this level, and then at the levels to come.
 */
import { assert } from "../base/errors.ts";
import {
  at,
  type Draft,
  leavesRoom,
  mayStand,
  put,
  shutsTwinsOut,
  wasThere,
  zoneMayStand,
} from "./claim-draft.ts";

/** Rounding of dues that are whole but for the floating point. */
const SLACK = 1e-6;

interface Level {
  readonly draft: Draft;
  readonly column: number;
  readonly counts: Int32Array;
  readonly due: readonly number[];
  readonly least: Int32Array;
  readonly most: Int32Array;
  /** Rows that name each host in this column. */
  readonly rowsOf: readonly Set<number>[];
}

/** Brings every host's count over the columns up to this one between its due rounded down and up, as far as paths go. */
export function balanceColumn(draft: Draft, column: number): void {
  const due = draft.dues[column] ?? [];
  const counts = draft.counts[column];
  assert(counts !== undefined, "one count per level");
  const rowsOf = due.map(() => new Set<number>());
  for (let row = 0; row < draft.partitions; row++) {
    rowsOf[at(draft.rows, row * draft.depth + column)]?.add(row);
  }
  const { tolerance } = draft;
  const least = Int32Array.from(due, (d) => Math.min(d + SLACK, Math.ceil(d * (1 - tolerance))));
  const most = Int32Array.from(due, (d) => Math.max(Math.ceil(d - SLACK), d * (1 + tolerance)));
  const level = { draft, column, counts, due, rowsOf, least, most };
  // Each path lowers the total distance from the bounds, so this ends.
  while (improve(level));
  settleTwins(level);
}

/** Exchanges columns with rows that name both twins until no more rows name neither than may (see {@link Draft.twins}). */
function settleTwins(level: Level): void {
  const { draft, column } = level;
  const { twins } = draft;
  if (twins === undefined || column !== draft.depth - 2) return;
  for (let row = 0; row < draft.partitions && twins.spare < 0; row++) {
    const host = at(draft.rows, row * draft.depth + column);
    if (!shutsTwinsOut(draft, row, column, host)) continue;
    const other = partnerOf(level, row, host);
    if (other === undefined) continue;
    put(draft, row, column, at(draft.rows, other * draft.depth + column));
    put(draft, other, column, host);
  }
}

/** The cheapest row to exchange the column with: it gives a twin, and has one left. */
function partnerOf(level: Level, row: number, host: number): number | undefined {
  const { draft, column } = level;
  let best: number | undefined;
  let bestPrice = Number.POSITIVE_INFINITY;
  for (let other = 0; other < draft.partitions; other++) {
    const twin = at(draft.rows, other * draft.depth + column);
    if (draft.twins?.marked[twin] !== 1 || shutsTwinsOut(draft, other, column, host)) continue;
    if (!mayStand(draft, row, column, twin) || !mayStand(draft, other, column, host)) continue;
    const cost = price(level, row, host, twin) + price(level, other, twin, host);
    if (cost < bestPrice) [best, bestPrice] = [other, cost];
  }
  return best;
}

function improve(level: Level): boolean {
  const { counts, least, most, draft } = level;
  const over: number[] = [];
  const above: number[] = [];
  const under = new Uint8Array(draft.hosts);
  const below = new Uint8Array(draft.hosts);
  for (let host = 0; host < draft.hosts; host++) {
    const count = at(counts, host);
    if (count > at(most, host)) over.push(host);
    if (count > at(least, host)) above.push(host);
    if (count < at(least, host)) under[host] = 1;
    if (count < at(most, host)) below[host] = 1;
  }
  const lacking = under.includes(1);
  if (lacking && (shift(level, over, under) || shift(level, above, under))) return true;
  return shift(level, over, below);
}

/** Finds and applies one path from a host of `from` to one marked in `to`. */
function shift(level: Level, from: readonly number[], to: Uint8Array): boolean {
  if (from.length === 0) return false;
  const excess = (host: number): number => at(level.counts, host) - (level.due[host] ?? 0);
  const sources = from.toSorted((a, b) => excess(b) - excess(a) || a - b);
  const path = cheapestPath(level, sources, to);
  if (path === undefined) return false;
  for (let i = 0; i + 1 < path.length; i++) {
    exchange(level, path[i] as number, path[i + 1] as number);
  }
  return true;
}

const fits = ({ draft, column }: Level, row: number, host: number): boolean =>
  mayStand(draft, row, column, host) && leavesRoom(draft, row, column, host);

/** A copy more to make at this level; a host that the row did not have at all, so a copy more at deeper levels. */
const MOVE = 2;
const STRANGER = 1;
const DEAREST = MOVE + STRANGER;

/** What it costs that `taker` replaces `host` in the row. */
function price(level: Level, row: number, host: number, taker: number): number {
  const { draft, column } = level;
  if (wasThere(draft, row, column + 1, taker)) return 0;
  const stranger = wasThere(draft, row, draft.depth, taker) ? 0 : STRANGER;
  return stranger + (wasThere(draft, row, column + 1, host) ? MOVE : 0);
}

interface Search {
  readonly cost: Int32Array;
  readonly parent: Int32Array;
  /** Hosts reached, by cost. */
  readonly waves: number[][];
}

function cheapestPath(
  level: Level,
  sources: readonly number[],
  to: Uint8Array,
): number[] | undefined {
  const { hosts } = level.draft;
  const search: Search = {
    cost: new Int32Array(hosts).fill(DEAREST * hosts + 1),
    parent: new Int32Array(hosts).fill(-1),
    waves: [[...sources]],
  };
  for (const host of sources) search.cost[host] = 0;
  for (let cost = 0; cost < search.waves.length; cost++) {
    const wave = search.waves[cost] ?? [];
    for (let i = 0; i < wave.length; i++) {
      const host = wave[i] as number;
      if (at(search.cost, host) !== cost) continue;
      if (to[host] === 1) return trace(search.parent, host);
      relax(level, search, host);
    }
  }
  return undefined;
}

function trace(parent: Int32Array, end: number): number[] {
  const path = [end];
  for (let host = at(parent, end); host >= 0; host = at(parent, host)) path.unshift(host);
  return path;
}

/** Reaches the hosts that can take one of the rows from `host`. */
function relax(level: Level, search: Search, host: number): void {
  const { draft, column } = level;
  const cost = at(search.cost, host);
  const visit = (row: number, taker: number): void => {
    if (taker < 0 || taker === host || at(search.cost, taker) <= cost) return;
    const total = cost + price(level, row, host, taker);
    if (total >= at(search.cost, taker) || !fits(level, row, taker)) return;
    search.cost[taker] = total;
    search.parent[taker] = host;
    while (search.waves.length <= total) search.waves.push([]);
    search.waves[total]?.push(taker);
  };
  // Strangers to a row: with each kind of row (its zones so far, what it costs), only those still without a cheaper path.
  const open = new Map<number, number[]>();
  for (const row of level.rowsOf[host] ?? []) {
    for (let i = 0; i < draft.depth; i++) visit(row, at(draft.old, row * draft.depth + i));
    const moves = wasThere(draft, row, column + 1, host) ? MOVE : 0;
    const kind = zonesBefore(draft, row, column) * DEAREST + moves;
    const dearer = (taker: number): boolean => at(search.cost, taker) > cost + moves + STRANGER;
    const takers =
      open.get(kind) ??
      [...search.cost.keys()].filter((k) => dearer(k) && zoneMayStand(draft, row, column, k));
    for (const taker of takers) visit(row, taker);
    open.set(kind, takers.filter(dearer));
  }
}

/** The zones of the columns before this one, as one number. */
function zonesBefore(draft: Draft, row: number, column: number): number {
  let zones = 0;
  for (let i = 0; i < column; i++) {
    zones = zones * draft.hosts + at(draft.zoneOf, at(draft.rows, row * draft.depth + i));
  }
  return zones;
}

/** `taker` gets the row of `host` that is cheapest, and among those the one that suits the deeper levels best. */
function exchange(level: Level, host: number, taker: number): void {
  const { draft, column } = level;
  let best = -1;
  let bestPrice = Number.POSITIVE_INFINITY;
  for (const row of level.rowsOf[host] ?? []) {
    const cost = price(level, row, host, taker);
    if (cost >= bestPrice || !fits(level, row, taker)) continue;
    [best, bestPrice] = [row, cost];
  }
  assert(best >= 0, "a path goes along rows");
  put(draft, best, column, taker);
  level.rowsOf[host]?.delete(best);
  level.rowsOf[taker]?.add(best);
}
