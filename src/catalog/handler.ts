/**
 * What the handlers of all commands share: their shape, their two kinds of answer, and the
 * cluster's record.
 */
import { type ErrorCode, present } from "../base/errors.ts";
import type { Epoch, Millis } from "../base/ids.ts";
import type { CommandOf, CommandType, Outcome, Refusal } from "./commands.ts";
import type { CatalogTables, ClusterRecord, TableName } from "./records.ts";
import type { CatalogStore, KeyRange } from "./store.ts";

/** Where and when a command stands in the log. */
export interface LogPlace {
  readonly index: number;
  /** The leader's clock when it was proposed; never smaller than in the entry before. */
  readonly now: Millis;
}

export type Handler<T extends CommandType> = (
  store: CatalogStore,
  command: CommandOf<T>,
  at: LogPlace,
) => Outcome<T>;

/** One handler for every command that it names; the compiler finds a missing one. */
export type Handlers<T extends CommandType> = { readonly [K in T]: Handler<K> };

export const done = <R>(result: R): { readonly ok: true; readonly result: R } => ({
  ok: true,
  result,
});

export const refuse = (
  why: ErrorCode,
  message: string,
): { readonly ok: false; readonly refusal: Refusal } => ({ ok: false, refusal: { why, message } });

export const clusterOf = (store: CatalogStore): ClusterRecord =>
  present(store.get("cluster", "cluster"), "C4: the cluster is founded before anything else");

/** Gives out the next epoch. */
export function nextEpoch(store: CatalogStore): Epoch {
  const cluster = clusterOf(store);
  const epoch = cluster.epoch + 1;
  store.put("cluster", "cluster", { ...cluster, epoch });
  return epoch;
}

/** Counts a change of the files. */
export function filesChanged(store: CatalogStore): void {
  const cluster = clusterOf(store);
  store.put("cluster", "cluster", { ...cluster, filesVersion: cluster.filesVersion + 1 });
}

/** The records of a range of keys. */
export function recordsOf<T extends TableName>(
  store: CatalogStore,
  table: T,
  range: KeyRange = {},
): CatalogTables[T][] {
  return store
    .keys(table, range)
    .map((key) => present(store.get(table, key), "S1: a listed key has a record"));
}
