/**
 * Who watches whom: a host watches its k successors and k predecessors on the circle, so everybody
 * is watched by a few and nobody pings everybody. The relation is symmetric.
 *
 * N1  x watches y exactly when y watches x, and nobody watches itself. Tested.
 * N2  Members that are down are passed over; with 2k + 1 members or fewer everybody watches
 *     everybody. Tested.
 */
import type { NodeId } from "../base/ids.ts";
import { isLive, type Member } from "./member.ts";

/** Successors, and predecessors, that a host watches. */
export const WATCHED_EACH_WAY = 2;

/**
 * The hosts that `self` watches, which are those that watch it. A host that is down itself is
 * placed as if it were up.
 * @param members sorted by position, as in a MemberList
 */
export function neighbours(
  members: readonly Member[],
  self: NodeId,
  eachWay: number = WATCHED_EACH_WAY,
): NodeId[] {
  const circle = members.filter((member) => member.id === self || isLive(member));
  const here = circle.findIndex((member) => member.id === self);
  const found = new Set<NodeId>();
  if (here < 0) return [];
  for (let step = 1; step <= eachWay; step++) {
    for (const index of [here + step, here - step]) {
      const member = circle[((index % circle.length) + circle.length) % circle.length];
      if (member !== undefined && member.id !== self) found.add(member.id);
    }
  }
  return [...found];
}
