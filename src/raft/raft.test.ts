import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvariantError, present, RingfoldError } from "../base/errors.ts";
import { type NodeId, nodeId } from "../base/ids.ts";
import {
  type Entry,
  type HardState,
  type LogTail,
  type RaftEffect,
  type RaftInput,
  type RaftState,
  raft,
  step,
} from "./raft.ts";

const self: NodeId = nodeId("a".repeat(64));
const other: NodeId = nodeId("b".repeat(64));
const command = (n: number): Uint8Array => Uint8Array.of(1, n);
const EMPTY: LogTail = { index: 0, term: 0, now: 0 };

/** A disk and a state machine around the core: what a driver is, without the I/O. */
class Machine {
  hardState: HardState | undefined;
  log: Entry[] = [];
  applied: number[] = [];
  leaders: number[] = [];
  refusals = 0;
  state: RaftState = raft(self, [self]);
  #waiting: Extract<RaftEffect, { type: "persist" }>[] = [];

  start(now = 0): void {
    this.state = raft(self, [self]);
    this.#waiting = [];
    const tail = this.log.at(-1) ?? EMPTY;
    const applied = this.applied.at(-1) ?? 0;
    this.input({ type: "started", hardState: this.hardState, tail, applied, now });
  }

  input(input: RaftInput): void {
    const { state, effects } = step(this.state, input);
    this.state = state;
    for (const effect of effects) this.#perform(effect);
  }

  /** The oldest write that is on its way reaches the disk. */
  sync(): void {
    const write = this.#waiting.shift();
    if (write === undefined) return;
    this.hardState = write.hardState ?? this.hardState;
    this.log.push(...write.entries);
    const term = present(this.hardState, "the first write holds the hard state").term;
    this.input({ type: "persisted", term, lastIndex: this.log.length });
  }

  #perform(effect: RaftEffect): void {
    if (effect.type === "persist") this.#waiting.push(effect);
    if (effect.type === "became-leader") this.leaders.push(effect.term);
    if (effect.type === "refuse") this.refusals++;
    if (effect.type !== "apply") return;
    expect(effect.to).toBeLessThanOrEqual(this.log.length);
    for (let index = effect.from; index <= effect.to; index++) this.applied.push(index);
  }
}

describe("raft with one voter", () => {
  it("R1: applies nothing before it is persisted", () => {
    const node = new Machine();
    node.start();
    node.sync();
    node.input({ type: "proposed", commands: [command(1), command(2)], now: 5 });
    expect(node.applied).toEqual([1]);
    node.sync();
    expect(node.applied).toEqual([1, 2, 3]);
  });

  it("R2: a clock that is set back holds still in the log", () => {
    const node = new Machine();
    node.start(100);
    node.sync();
    node.input({ type: "proposed", commands: [command(1)], now: 50 });
    node.input({ type: "proposed", commands: [command(2)], now: 120 });
    node.sync();
    node.sync();
    expect(node.log.map((entry) => entry.now)).toEqual([100, 100, 120]);
  });

  it("R3: leads only after the higher term and the vote are persisted, and refuses until then", () => {
    const node = new Machine();
    node.start();
    node.input({ type: "proposed", commands: [command(1)], now: 0 });
    expect(node.refusals).toBe(1);
    expect(node.leaders).toEqual([]);
    node.sync();
    expect(node.hardState).toEqual({ term: 1, votedFor: self });
    expect(node.leaders).toEqual([1]);
    node.start();
    node.sync();
    expect(node.leaders).toEqual([1, 2]);
  });

  it("R4: the first entry of a term is a no-op, and commits what earlier terms left", () => {
    const node = new Machine();
    node.hardState = { term: 3, votedFor: self };
    node.log = [{ group: 0, index: 1, term: 3, now: 7, bytes: command(1) }];
    node.start();
    node.sync();
    expect(node.log[1]).toEqual({ group: 0, index: 2, term: 4, now: 7, bytes: new Uint8Array(0) });
    expect(node.applied).toEqual([1, 2]);
  });

  it("R6: refuses every configuration but this one voter, and says so", () => {
    for (const voters of [[], [other], [self, other], [self, self]]) {
      expect(() => raft(self, voters)).toThrow(RingfoldError);
    }
    expect(() => raft(self, [self, other, self])).toThrow("3 voters");
  });

  it("R1, R2, R3, R5 hold in every order of proposals, syncs and crashes", () => {
    const event = fc.oneof(
      { weight: 4, arbitrary: fc.record({ n: fc.integer({ min: 0, max: 4 }), now: fc.nat(50) }) },
      { weight: 6, arbitrary: fc.constant("sync" as const) },
      { weight: 1, arbitrary: fc.constant("crash" as const) },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const node = new Machine();
        node.start();
        for (const what of events) {
          if (what === "crash") node.start();
          else if (what === "sync") node.sync();
          else {
            const commands = Array.from({ length: what.n }, (_, i) => command(i));
            node.input({ type: "proposed", commands, now: what.now });
          }
        }
        expect(node.applied).toEqual(node.applied.map((_, i) => i + 1));
        expect(node.leaders).toEqual([...new Set(node.leaders)].toSorted((a, b) => a - b));
        for (const [i, entry] of node.log.entries()) {
          const before = node.log[i - 1] ?? EMPTY;
          expect(entry.index).toBe(before.index + 1);
          expect(entry.term).toBeGreaterThanOrEqual(before.term);
          expect(entry.now).toBeGreaterThanOrEqual(before.now);
          expect(entry.bytes.length === 0).toBe(entry.term > before.term);
        }
      }),
    );
  });

  it("stops at a disk that contradicts itself", () => {
    const fresh = raft(self, [self]);
    const tail = { index: 3, term: 2, now: 0 };
    const start = { type: "started", tail, applied: 3, now: 0 } as const;
    expect(() => step(fresh, start)).toThrow(InvariantError);
    const hardState = { term: 2, votedFor: self };
    expect(() => step(fresh, { ...start, hardState, applied: 4 })).toThrow(InvariantError);
    const leader = step(fresh, { ...start, hardState }).state;
    expect(() => step(leader, { type: "persisted", term: 3, lastIndex: 5 })).toThrow("R1");
    expect(() => step(leader, { ...start, hardState })).toThrow("R5");
  });
});
