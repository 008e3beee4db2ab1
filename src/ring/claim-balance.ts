/**
 * Balances one level of a partition table in the making: level R is the set of the first R hosts of every row. A row and
 * its hosts are a bipartite graph with given degrees, so every imbalance has an augmenting path: host h gives a row to
 * k, which gives another to m, and so on (Ford and Fulkerson, 1956). Paths that bring back what was there before cost
 * nothing, others one move per row; the cheapest is taken.
 *
 * The levels are done from the last to the first: the last exchanges hosts, the others only reorder a row, so that what is
 * right at a higher level stays right.
 */
import { assert } from "../base/errors.ts";

export interface Draft {
  readonly partitions: number;
  readonly depth: number;
  readonly hosts: number;
  readonly zoneOf: Int32Array;
  /** By level - 1: hosts of one zone allowed among the first so many. */
  readonly zoneLimits: readonly number[];
  /** By level - 1: what each host is due. */
  readonly dues: readonly (readonly number[])[];
  /** By level - 1: what each host has. Kept by {@link put}. */
  readonly counts: readonly Int32Array[];
  /** partitions x depth host indices, -1 for a hole. */
  readonly rows: Int32Array;
  /** The previous table, the same way. */
  readonly old: Int32Array;
}

/** A cell of the table; hot loops know their bounds. */
export const at = (cells: Int32Array | Uint32Array, index: number): number =>
  cells[index] as number;

/** Writes one cell and keeps the counts. */
export function put(draft: Draft, row: number, position: number, host: number): void {
  const cell = row * draft.depth + position;
  const before = at(draft.rows, cell);
  draft.rows[cell] = host;
  for (let level = position; level < draft.depth; level++) {
    const counts = draft.counts[level];
    assert(counts !== undefined, "one count per level");
    if (before >= 0) counts[before] = at(counts, before) - 1;
    counts[host] = at(counts, host) + 1;
  }
}

/** Rounding of dues that are whole but for the floating point. */
const SLACK = 1e-6;

interface Level {
  readonly draft: Draft;
  readonly level: number;
  readonly counts: Int32Array;
  readonly least: Int32Array;
  readonly most: Int32Array;
  readonly due: readonly number[];
}

/** Brings every host's count between its due rounded down and up, as far as there are paths. */
export function balanceLevel(draft: Draft, level: number): void {
  const due = draft.dues[level - 1] ?? [];
  const counts = draft.counts[level - 1];
  assert(counts !== undefined, "one count per level");
  const view: Level = {
    draft,
    level,
    counts,
    due,
    least: Int32Array.from(due, (d) => Math.floor(d + SLACK)),
    most: Int32Array.from(due, (d) => Math.ceil(d - SLACK)),
  };
  // Each path lowers the total distance from the bounds by one, so this ends.
  while (improve(view));
}

function improve(view: Level): boolean {
  const { counts, least, most, draft } = view;
  const over: number[] = [];
  const above: number[] = [];
  const under = new Uint8Array(draft.hosts);
  const below = new Uint8Array(draft.hosts);
  for (let host = 0; host < draft.hosts; host++) {
    if (at(counts, host) > at(most, host)) over.push(host);
    if (at(counts, host) > at(least, host)) above.push(host);
    if (at(counts, host) < at(least, host)) under[host] = 1;
    if (at(counts, host) < at(most, host)) below[host] = 1;
  }
  const lacking = under.includes(1);
  if (over.length === 0 && !lacking) return false;
  return (
    (lacking && shift(view, over, under)) ||
    shift(view, over, below) ||
    (lacking && shift(view, above, under))
  );
}

/** Finds and applies one path from a host of `from` to one marked in `to`. */
function shift(view: Level, from: readonly number[], to: Uint8Array): boolean {
  if (from.length === 0) return false;
  const excess = (host: number): number => at(view.counts, host) - (view.due[host] ?? 0);
  const sources = from.toSorted((a, b) => excess(b) - excess(a) || a - b);
  const rowsOf = rowsByHost(view);
  for (const costs of [true, false]) {
    const path = findPath(view, rowsOf, sources, to, costs);
    if (path === undefined) return false;
    if (apply(view, rowsOf, path)) return true;
  }
  return false;
}

/** Rows that name each host within the level. */
function rowsByHost(view: Level): number[][] {
  const { draft, level } = view;
  const rowsOf: number[][] = Array.from({ length: draft.hosts }, () => []);
  for (let row = 0; row < draft.partitions; row++) {
    for (let i = 0; i < level; i++) rowsOf[at(draft.rows, row * draft.depth + i)]?.push(row);
  }
  return rowsOf;
}

/** Breadth first, all free edges of a cost before the edges that cost one more. */
function findPath(
  view: Level,
  rowsOf: readonly (readonly number[])[],
  sources: readonly number[],
  to: Uint8Array,
  costs: boolean,
): number[] | undefined {
  const parent = new Int32Array(view.draft.hosts).fill(-2);
  for (const host of sources) parent[host] = -1;
  let wave = [...sources];
  while (wave.length > 0) {
    const settled: number[] = [];
    for (let i = 0; i < wave.length; i++) {
      const host = wave[i] as number;
      if (to[host] === 1) return trace(parent, host);
      settled.push(host);
      reach(view, rowsOf[host] ?? [], host, parent, wave, costs ? "free" : "any");
    }
    wave = [];
    for (const host of settled) reach(view, rowsOf[host] ?? [], host, parent, wave, "any");
  }
  return undefined;
}

function trace(parent: Int32Array, end: number): number[] {
  const path = [end];
  for (let host = at(parent, end); host >= 0; host = at(parent, host)) path.unshift(host);
  return path;
}

/** Adds to `found` the hosts, not reached before, that can take one of the rows from `host`. */
function reach(
  view: Level,
  rows: readonly number[],
  host: number,
  parent: Int32Array,
  found: number[],
  which: "free" | "any",
): void {
  const { draft, level } = view;
  let open: number[] | undefined;
  for (const row of rows) {
    const visit = (taker: number): void => {
      if (taker < 0 || at(parent, taker) !== -2 || !mayReplace(view, row, host, taker)) return;
      if (which === "free" && moves(view, row, host, taker) > 0) return;
      parent[taker] = host;
      found.push(taker);
    };
    if (level < draft.depth) {
      visit(at(draft.rows, row * draft.depth + level));
    } else if (which === "free" && wasThere(view, row, host)) {
      for (let i = 0; i < level; i++) visit(at(draft.old, row * draft.depth + i));
    } else {
      open = (open ?? [...parent.keys()]).filter((taker) => at(parent, taker) === -2);
      if (open.length === 0) return;
      for (const taker of open) visit(taker);
    }
  }
}

/** Whether the row may name `taker` in place of `host` within the level: not twice, and its zone not too often. */
function mayReplace(view: Level, row: number, host: number, taker: number): boolean {
  const { draft, level } = view;
  const first = row * draft.depth;
  let sameZone = 0;
  let there = false;
  for (let i = 0; i < level; i++) {
    const other = at(draft.rows, first + i);
    if (other === taker) return false;
    if (other === host) there = true;
    else if (at(draft.zoneOf, other) === at(draft.zoneOf, taker)) sameZone++;
  }
  const swaps = level === draft.depth || at(draft.rows, first + level) === taker;
  return there && swaps && sameZone < (draft.zoneLimits[level - 1] ?? 0);
}

function wasThere(view: Level, row: number, host: number): boolean {
  const first = row * view.draft.depth;
  for (let i = 0; i < view.level; i++) if (at(view.draft.old, first + i) === host) return true;
  return false;
}

/** Copies that the exchange adds to (1), leaves alone (0) or takes off (-1) what must move. */
const moves = (view: Level, row: number, host: number, taker: number): number =>
  (wasThere(view, row, host) ? 1 : 0) - (wasThere(view, row, taker) ? 1 : 0);

/** Exchanges along the path; when a step has no row left (two steps shared one), takes all back. */
function apply(
  view: Level,
  rowsOf: readonly (readonly number[])[],
  path: readonly number[],
): boolean {
  const undo: (readonly [row: number, host: number, taker: number])[] = [];
  for (let i = 0; i + 1 < path.length; i++) {
    const [host, taker] = [path[i] as number, path[i + 1] as number];
    const row = bestRow(view, rowsOf[host] ?? [], host, taker);
    if (row === undefined) {
      for (const [r, h, t] of undo.reverse()) exchange(view, r, t, h);
      return false;
    }
    exchange(view, row, host, taker);
    undo.push([row, host, taker]);
  }
  return true;
}

function positionIn(view: Level, row: number, host: number): number {
  const first = row * view.draft.depth;
  return view.draft.rows.subarray(first, first + view.draft.depth).indexOf(host);
}

/** `taker` in the place of `host`; below the last level the two change places. */
function exchange(view: Level, row: number, host: number, taker: number): void {
  const { draft, level } = view;
  const position = positionIn(view, row, host);
  if (level < draft.depth) put(draft, row, positionIn(view, row, taker), host);
  put(draft, row, position, taker);
}

/** Of the rows that the step may use: the one with the fewest moves, then the best for the levels below. */
function bestRow(
  view: Level,
  rows: readonly number[],
  host: number,
  taker: number,
): number | undefined {
  let best: number | undefined;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const row of rows) {
    if (!mayReplace(view, row, host, taker)) continue;
    const gain = levelGain(view, positionIn(view, row, host), host, taker);
    const score = gain - moves(view, row, host, taker) * 1e6;
    if (score > bestScore) [best, bestScore] = [row, score];
  }
  return best;
}

/** How much the levels below come nearer to their dues when `taker` gets the place of `host`. */
function levelGain(view: Level, position: number, host: number, taker: number): number {
  const { draft, level } = view;
  let gain = 0;
  for (let below = position + 1; below < level; below++) {
    const due = draft.dues[below - 1] ?? [];
    const counts = draft.counts[below - 1] ?? view.counts;
    gain += at(counts, host) - (due[host] ?? 0) + (due[taker] ?? 0) - at(counts, taker);
  }
  return gain;
}
