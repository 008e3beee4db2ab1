/** Members made up for tests. */
import { sha256Hex } from "../base/hash.ts";
import type { NodeId } from "../base/ids.ts";
import { type Member, type MemberList, memberList } from "./member.ts";
import { positionOf } from "./position.ts";

export const testNode = (n: number | string): NodeId => sha256Hex(`node ${n}`) as NodeId;

/** A member named after `n`, at a position of its own. */
export function testMember(n: number | string, over: Partial<Member> = {}): Member {
  return {
    id: testNode(n),
    name: `n${n}`,
    zone: "zone",
    weight: 1,
    slots: 2,
    position: positionOf(`place ${n}`),
    addresses: { control: "127.0.0.1:1", bulk: "127.0.0.1:2", http: "127.0.0.1:3" },
    incarnation: 1,
    state: "up",
    since: 0,
    ...over,
  };
}

/** A list of members 0 to `size` - 1, some of them changed. */
export const testList = (
  epoch: number,
  size: number,
  over: Readonly<Record<number, Partial<Member>>> = {},
): MemberList =>
  memberList(
    epoch,
    Array.from({ length: size }, (_, n) => testMember(n, over[n])),
  );
