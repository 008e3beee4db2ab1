/** The cluster's health, from what each live node counted in the partitions that it plans for. */
import { type Health, healthOf } from "../../contract/health.ts";
import type { Vitals } from "../../wire/control.ts";
import type { ClusterView } from "./view-holder.ts";

export interface Counted {
  readonly health: Health;
  readonly blocks: number;
  /** Copies that holders lack, as far as counted. */
  readonly lacking: number;
  /** Every live node has counted since the last change of the member list. */
  readonly settled: boolean;
}

/**
 * @param vitals of the live nodes, by id
 * @param files the version of the files up to which they must have counted to be settled
 */
export function countedHealth(
  view: ClusterView,
  vitals: Readonly<Record<string, Vitals>>,
  files = 0,
): Counted {
  const live = view.members.members.filter((member) => member.state !== "down");
  const known = live.map((member) => vitals[member.id]);
  const sum = (of: (told: Vitals) => number): number =>
    known.reduce((total, told) => total + (told === undefined ? 0 : of(told)), 0);
  const counts = {
    total: sum((told) => told.copies.total),
    healing: sum((told) => told.copies.short),
    lastCopy: sum((told) => told.copies.lastCopy),
    missing: sum((told) => told.copies.none),
  };
  const health = healthOf(counts);
  const { epoch } = view.members;
  const settled = known.every(
    (told) => told?.settled === true && told.epoch >= epoch && told.filesVersion >= files,
  );
  const counted = { blocks: counts.total, lacking: counts.healing + counts.missing, settled };
  if (health.state !== "healthy" || settled) return { health, ...counted };
  const text = "Counting copies after a change";
  return { health: { ...health, state: "healing", text }, ...counted };
}
