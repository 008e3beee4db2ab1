import { describe, expect, test } from "vitest";
import { nodeId, ringId } from "../../base/ids.ts";
import { EMPTY_TABLE } from "../../ring/partition-table.ts";
import { messageOf, ViewHolder, viewOf } from "./view-holder.ts";

const leader = nodeId("a".repeat(64));
const other = nodeId("b".repeat(64));

const message = (epoch: number, table = 0, filesVersion = 0) => ({
  ring: ringId("c".repeat(32)),
  leader,
  epoch,
  members: [
    {
      id: other,
      name: "n2",
      zone: "z",
      weight: 1,
      slots: 2,
      position: "8".repeat(40),
      addresses: { control: "127.0.0.1:1", bulk: "127.0.0.1:2", http: "127.0.0.1:3" },
      incarnation: 1,
      state: "up" as const,
      since: 5,
    },
  ],
  table: { ...EMPTY_TABLE, hosts: [], rows: [], version: table },
  filesVersion,
});

describe("a node's view of the cluster", () => {
  test("an older view never replaces a later one, whatever the order of arrival", () => {
    const holder = new ViewHolder();
    expect(holder.offer(viewOf(message(3, 1)))).toBe(true);
    expect(holder.offer(viewOf(message(2, 9)))).toBe(false);
    expect(holder.offer(viewOf(message(3, 1)))).toBe(false);
    expect(holder.members.epoch).toBe(3);
  });

  test("within an epoch a later table counts, then later files", () => {
    const holder = new ViewHolder();
    holder.offer(viewOf(message(3, 1, 7)));
    expect(holder.offer(viewOf(message(3, 2, 6)))).toBe(true);
    expect(holder.offer(viewOf(message(3, 2, 8)))).toBe(true);
    expect(holder.current?.filesVersion).toBe(8);
  });

  test("a view survives its message", () => {
    expect(viewOf(messageOf(viewOf(message(4))))).toEqual(viewOf(message(4)));
  });

  test("listeners hear each later view with the one before it, until they leave", () => {
    const holder = new ViewHolder();
    const heard: (number | undefined)[][] = [];
    const leave = holder.subscribe((now, before) =>
      heard.push([now.members.epoch, before?.members.epoch]),
    );
    holder.offer(viewOf(message(1)));
    holder.offer(viewOf(message(2)));
    leave();
    holder.offer(viewOf(message(3)));
    expect(heard).toEqual([
      [1, undefined],
      [2, 1],
    ]);
  });
});
