/**
 * A partition table in the making: plain arrays, and what may stand where. Level R is the first R columns; the claim fills
 * and balances one level after the other (claim-balance.ts).
 */
import { assert } from "../base/errors.ts";

/**
 * Two hosts, or two zones, that are due nearly every row. A row of three that names neither in its first two columns can
 * take one of them only, so such rows are counted: as many as both together may miss.
 */
export interface Twins {
  /** By host: 1 if it is one of the two (or of their zones). */
  readonly marked: Uint8Array;
  /** Rows without both that may still be made. */
  spare: number;
}

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
  /** Which two hosts or zones are due nearly every row, if there are two. */
  readonly twins: Twins | undefined;
  /** How far a count may be off its due so that less moves, as a part of the due. */
  readonly tolerance: number;
}

/** A cell of the table; hot loops know their bounds. */
export const at = (cells: Int32Array | Uint32Array, index: number): number =>
  cells[index] as number;

/** Writes one cell and keeps the counts. Columns are written in order. */
export function put(draft: Draft, row: number, column: number, host: number): void {
  const cell = row * draft.depth + column;
  const before = at(draft.rows, cell);
  if (draft.twins !== undefined) {
    if (shutsTwinsOut(draft, row, column, before)) draft.twins.spare++;
    if (shutsTwinsOut(draft, row, column, host)) draft.twins.spare--;
  }
  draft.rows[cell] = host;
  for (let level = column; level < draft.depth; level++) {
    const counts = draft.counts[level];
    assert(counts !== undefined, "one count per level");
    if (before >= 0) counts[before] = at(counts, before) - 1;
    if (host >= 0) counts[host] = at(counts, host) + 1;
  }
}

/** Whether the host may stand in the column, given the columns before: not twice, its zone not too often. */
export function mayStand(draft: Draft, row: number, column: number, host: number): boolean {
  const first = row * draft.depth;
  for (let i = 0; i < column; i++) if (at(draft.rows, first + i) === host) return false;
  return zoneMayStand(draft, row, column, host);
}

/** Whether the columns before leave room for the host's zone. */
export function zoneMayStand(draft: Draft, row: number, column: number, host: number): boolean {
  const zone = at(draft.zoneOf, host);
  let same = 0;
  for (let i = 0; i < column; i++) {
    if (at(draft.zoneOf, at(draft.rows, row * draft.depth + i)) === zone) same++;
  }
  return same < (draft.zoneLimits[column] ?? 0);
}

/** Whether the host may stand in the column as far as the twins are concerned. */
export const leavesRoom = (draft: Draft, row: number, column: number, host: number): boolean =>
  draft.twins === undefined || draft.twins.spare > 0 || !shutsTwinsOut(draft, row, column, host);

/** Whether the row, with the host in the column before its last, names neither of the twins. */
export function shutsTwinsOut(draft: Draft, row: number, column: number, host: number): boolean {
  if (draft.twins === undefined || column !== draft.depth - 2 || host < 0) return false;
  const { marked } = draft.twins;
  if (marked[host] === 1) return false;
  for (let i = 0; i < column; i++) {
    if (marked[at(draft.rows, row * draft.depth + i)] === 1) return false;
  }
  return true;
}

/** Whether the previous row named the host within so many columns. */
export function wasThere(draft: Draft, row: number, columns: number, host: number): boolean {
  const first = row * draft.depth;
  for (let i = 0; i < columns; i++) if (at(draft.old, first + i) === host) return true;
  return false;
}
