/**
 * `holders(key, R)`: the one question that everything else asks the ring. Closed ring: the
 * partition table's row, and when that is not enough the circle from there, as Dynamo's preference
 * list does for down hosts (section 4.6, hinted hand-off).
 *
 * H1  Holders are distinct, members, of weight above 0 and usable. Tested.
 * H2  As many as asked for come out whenever that many exist. Tested.
 * H3  With every host of the row usable, the holders of R <= 3 copies are the row's first R.
 *     Tested.
 * H4  A host that is passed over changes nothing for those before it. Tested.
 * H5  Beyond the row, a host of a zone not yet named comes before the others. Tested.
 */
import type { BlockId, NodeId } from "../base/ids.ts";
import type { Member } from "./member.ts";
import type { PartitionTable } from "./partition-table.ts";
import { comparePositions, type Position, positionAt } from "./position.ts";

/** How many hosts keep a thing: a number, or every host that stores. */
export type Copies = number | "all";

/** The partition of a key: its first bits. */
export const partitionOf = (key: BlockId | Position, partitions: number): number =>
  Math.floor((Number.parseInt(key.slice(0, 8), 16) / 2 ** 32) * partitions);

/** Where a partition starts on the circle. */
export const partitionStart = (partition: number, partitions: number): Position =>
  positionAt((BigInt(partition) << 160n) / BigInt(partitions));

/** The hosts that a key belongs to, ordered; the first of them plans for it. */
export interface Placement {
  partitionOf(key: BlockId | Position): number;
  holders(key: BlockId | Position, copies: Copies, usable?: (id: NodeId) => boolean): NodeId[];
}

const everybody = (): boolean => true;

/**
 * A table and a member list made ready for many questions.
 * @param members any order; hosts of the table that are not on the list are passed over
 */
export function placement(table: PartitionTable, members: readonly Member[]): Placement {
  const circle = members
    .filter((member) => member.weight > 0)
    .sort((a, b) => comparePositions(a.position, b.position));
  const byId = new Map(circle.map((member) => [member.id, member]));
  const rowHosts = table.hosts.map((id) => byId.get(id));
  return {
    partitionOf: (key) => partitionOf(key, table.partitions),
    holders(key, copies, usable = everybody) {
      const count = copies === "all" ? circle.length : copies;
      const partition = partitionOf(key, table.partitions);
      const chosen: Member[] = [];
      for (const index of table.rows[partition] ?? []) {
        const member = rowHosts[index];
        if (chosen.length === count) break;
        if (member !== undefined && usable(member.id)) chosen.push(member);
      }
      if (chosen.length < count) {
        extend(chosen, count, ahead(circle, partitionStart(partition, table.partitions)), usable);
      }
      return chosen.map((member) => member.id);
    },
  };
}

/** The members in circle order from a position on. */
function ahead(circle: readonly Member[], from: Position): Member[] {
  const start = circle.findIndex((member) => member.position >= from);
  return start <= 0 ? [...circle] : [...circle.slice(start), ...circle.slice(0, start)];
}

function extend(
  chosen: Member[],
  count: number,
  circle: readonly Member[],
  usable: (id: NodeId) => boolean,
): void {
  const named = new Set(chosen.map((member) => member.id));
  const zones = new Set(chosen.map((member) => member.zone));
  const open = circle.filter((member) => !named.has(member.id) && usable(member.id));
  while (chosen.length < count && open.length > 0) {
    const other = open.findIndex((member) => !zones.has(member.zone));
    const [next] = open.splice(Math.max(other, 0), 1);
    if (next === undefined) return;
    chosen.push(next);
    zones.add(next.zone);
  }
}

const prepared = new WeakMap<
  PartitionTable,
  { readonly members: readonly Member[]; readonly placement: Placement }
>();

/**
 * The ordered distinct hosts of a key: the row of its partition, then the circle.
 * @param copies how many, or "all" for every member of weight above 0
 * @param usable hosts for which it is false are passed over, and others take their part
 */
export function holders(
  table: PartitionTable,
  members: readonly Member[],
  key: BlockId | Position,
  copies: Copies,
  usable?: (id: NodeId) => boolean,
): NodeId[] {
  let ready = prepared.get(table);
  if (ready?.members !== members) {
    ready = { members, placement: placement(table, members) };
    prepared.set(table, ready);
  }
  return ready.placement.holders(key, copies, usable);
}
