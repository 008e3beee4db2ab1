import { describe, expect, it } from "vitest";
import { isLive, memberById, memberList, newerList } from "./member.ts";
import { testList, testMember, testNode } from "./test-members.ts";

describe("a member list", () => {
  it("M1: gives way to one of a higher epoch only", () => {
    const known = testList(5, 3);
    expect(newerList(known, testList(4, 1))).toBe(known);
    expect(newerList(known, testList(5, 1))).toBe(known);
    const heard = testList(6, 1);
    expect(newerList(known, heard)).toBe(heard);
  });

  it("M2: is in circle order, whatever order it was made from", () => {
    const members = [3, 1, 2, 0].map((n) => testMember(n));
    expect(memberList(1, members)).toEqual(testList(1, 4));
    const positions = testList(1, 20).members.map((m) => m.position);
    expect(positions).toEqual(positions.toSorted());
  });

  it("M2: refuses two entries of one node, and two nodes at one place", () => {
    const [a, b] = [testMember(1), testMember(2)];
    expect(() => memberList(1, [a, { ...b, id: a.id }])).toThrow("M2");
    expect(() => memberList(1, [a, { ...b, position: a.position }])).toThrow("M2");
  });

  it("finds a member by its id, and tells who answers", () => {
    const list = testList(1, 3, { 1: { state: "down" }, 2: { state: "leaving" } });
    expect(memberById(list, testNode(2))?.name).toBe("n2");
    expect(memberById(list, testNode(9))).toBeUndefined();
    const live = [0, 1, 2].map((n) => isLive(memberById(list, testNode(n)) ?? testMember(n)));
    expect(live).toEqual([true, false, true]);
  });
});
