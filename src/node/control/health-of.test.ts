import { describe, expect, test } from "vitest";
import { nodeId, ringId } from "../../base/ids.ts";
import { EMPTY_TABLE } from "../../ring/partition-table.ts";
import type { Vitals } from "../../wire/control.ts";
import { countedHealth } from "./health-of.ts";
import { viewOf } from "./view-holder.ts";

const ids = ["a", "b"].map((digit) => nodeId(digit.repeat(64)));

const view = (states: readonly ("up" | "down" | "leaving")[]) =>
  viewOf({
    ring: ringId("c".repeat(32)),
    leader: ids[0] as (typeof ids)[number],
    epoch: 7,
    members: states.map((state, index) => ({
      id: ids[index] as (typeof ids)[number],
      name: `n${index}`,
      zone: "z",
      weight: 1,
      slots: 1,
      position: String(index).repeat(40),
      addresses: { control: "127.0.0.1:1", bulk: "127.0.0.1:2", http: "127.0.0.1:3" },
      incarnation: 1,
      state,
      since: 0,
    })),
    table: { ...EMPTY_TABLE, hosts: [], rows: [] },
    filesVersion: 1,
  });

const told = (copies: Partial<Vitals["copies"]>, more: Partial<Vitals> = {}): Vitals => ({
  blocks: 0,
  bytes: 0,
  free: 0,
  memory: 0,
  running: 0,
  copies: { total: 10, short: 0, lastCopy: 0, none: 0, ...copies },
  settled: true,
  filesVersion: 1,
  epoch: 7,
  ...more,
});

const of = (states: readonly ("up" | "down")[], ...vitals: (Vitals | undefined)[]) =>
  countedHealth(
    view(states),
    Object.fromEntries(vitals.flatMap((one, i) => (one ? [[ids[i] as string, one]] : []))),
  );

describe("health", () => {
  test("is healthy when every live node has counted in this epoch and nothing is short", () => {
    const { health, blocks } = of(["up", "up"], told({}), told({}));
    expect(health.state).toBe("healthy");
    expect(blocks).toBe(20);
  });

  test("is not called healthy before everybody has counted again", () => {
    expect(of(["up", "up"], told({})).health.state).toBe("healing");
    expect(of(["up", "up"], told({}), told({}, { epoch: 6 })).health.state).toBe("healing");
    expect(of(["up", "up"], told({}), told({}, { settled: false })).health.state).toBe("healing");
  });

  test("adds up what the nodes lack", () => {
    const { health } = of(["up", "up"], told({ short: 2 }), told({ short: 3 }));
    expect(health.text).toBe("Healing 5 of 20 blocks");
  });

  test("names the worst first: no copy, then one copy", () => {
    expect(of(["up", "up"], told({ short: 2, lastCopy: 1 }), told({})).health.state).toBe(
      "at-risk",
    );
    expect(of(["up", "up"], told({ none: 1, lastCopy: 1 }), told({})).health.state).toBe("broken");
  });

  test("does not wait for the dead", () => {
    expect(of(["up", "down"], told({})).health.state).toBe("healthy");
  });
});

describe("what a leaving node waits for", () => {
  test("are copies that holders lack, not copies for which there is no host", () => {
    const counted = of(["up", "up"], told({ lastCopy: 4 }), told({}));
    expect(counted).toMatchObject({ lacking: 0, settled: true });
    expect(counted.health.state).toBe("at-risk");
    expect(of(["up", "up"], told({ short: 2, none: 1 }), told({})).lacking).toBe(3);
  });
});
