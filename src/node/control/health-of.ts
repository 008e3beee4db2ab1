/** The cluster's health, from what each live node counted in the partitions that it plans for. */
import { type Health, healthOf } from "../../contract/health.ts";
import type { Vitals } from "../../wire/control.ts";
import type { ClusterView } from "./view-holder.ts";

export interface Counted {
  readonly health: Health;
  readonly blocks: number;
}

/** @param vitals of the live nodes, by id */
export function countedHealth(
  view: ClusterView,
  vitals: Readonly<Record<string, Vitals>>,
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
  const settled = known.every((told) => told?.settled === true && told.epoch >= view.members.epoch);
  if (health.state !== "healthy" || settled) return { health, blocks: counts.total };
  return {
    health: { ...health, state: "healing", text: "Counting copies after a change" },
    blocks: counts.total,
  };
}
