/**
 * Drives a node's failure detector; on the leader the judge too. The simulated twin of the node's
 * watch driver.
 */

import { unreachable } from "../src/base/errors.ts";
import type { Millis, NodeId } from "../src/base/ids.ts";
import {
  type DetectorEffect,
  type DetectorInput,
  FailureDetector,
} from "../src/ring/failure-detector.ts";
import { isLive, type MemberList } from "../src/ring/member.ts";
import { type VerdictEffect, type VerdictInput, VerdictJudge } from "../src/ring/verdict.ts";
import type { Network } from "./network.ts";
import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

const HEARTBEAT_DEADLINE: Millis = 2000;
const LEADER_SILENCE: Millis = 3000;
const LEADER_TICK: Millis = 500;
/** Every node's vitals reach the leader this often, neighbours or not. */
const VITALS: Millis = 1000;

type Fact<I> = I extends { readonly now: Millis } ? Omit<I, "now"> : never;

export class Watch {
  readonly #node: SimNode;
  readonly #world: World;
  readonly #network: Network;
  readonly #detector: FailureDetector;
  readonly #heard = new Map<NodeId, Millis>();
  #judge:
    | { readonly core: VerdictJudge; readonly carry: (effect: VerdictEffect) => void }
    | undefined;
  #timer = 0;
  #leaderTick: Millis = 0;

  constructor(node: SimNode, world: World, network: Network) {
    this.#node = node;
    this.#world = world;
    this.#network = network;
    this.#detector = new FailureDetector(node.id);
    this.#vitals();
  }

  lead(carry: (effect: VerdictEffect) => void): void {
    this.#judge = { core: new VerdictJudge(this.#node.id), carry };
    this.#leaderTick = this.#world.now;
    this.#lookAround();
  }

  membersChanged(list: MemberList): void {
    this.#feed({ kind: "members-changed", list });
    this.judge({ kind: "members-changed", list });
  }

  /** Anything that arrived from the node. */
  heard(node: NodeId, incarnation: number): void {
    if (node === this.#node.id) return;
    this.#heard.set(node, this.#world.now);
    this.#feed({ kind: "heartbeat-heard", node, incarnation });
    this.judge({ kind: "own-view", node, view: "connected" });
  }

  closed(node: NodeId, incarnation: number): void {
    this.#feed({ kind: "peer-closed", node, incarnation });
    if (this.#judge !== undefined) this.#probe(node);
  }

  judge(input: VerdictInput): void {
    const judge = this.#judge;
    if (judge === undefined) return;
    for (const effect of judge.core.step(input)) judge.carry(effect);
  }

  #feed(fact: Fact<DetectorInput>): void {
    const input = { ...fact, now: this.#world.now } as DetectorInput;
    for (const effect of this.#detector.step(input)) this.#carry(effect);
  }

  #carry(effect: DetectorEffect): void {
    switch (effect.kind) {
      case "send-heartbeat":
        return this.#beat(effect.to, () => {});
      case "probe":
        return this.#probe(effect.node);
      case "report-suspect":
        return this.#suspect(effect);
      case "report-alive":
        return this.#alive(effect.node, effect.incarnation);
      case "set-timer": {
        this.#timer += 1;
        const mine = this.#timer;
        const wait = Math.max(0, effect.at - this.#world.now);
        return this.#world.after(wait, this.#node.life, () => {
          if (mine === this.#timer) this.#feed({ kind: "timer-fired" });
        });
      }
      default:
        unreachable(effect);
    }
  }

  #suspect({
    node,
    incarnation,
    reason,
  }: Extract<DetectorEffect, { kind: "report-suspect" }>): void {
    const body = { node, incarnation, reason };
    const { leader, id } = this.#node;
    if (this.#judge !== undefined) return this.judge({ kind: "suspected", watcher: id, ...body });
    if (leader === node) return;
    this.#network.ask(this.#node, leader, "suspect", body, HEARTBEAT_DEADLINE, () => {});
  }

  #alive(node: NodeId, incarnation: number): void {
    const { leader, id } = this.#node;
    if (this.#judge !== undefined) {
      return this.judge({ kind: "alive", watcher: id, node, incarnation });
    }
    const body = { node, incarnation };
    this.#network.ask(this.#node, leader, "alive", body, HEARTBEAT_DEADLINE, () => {});
  }

  #probe(node: NodeId): void {
    this.#beat(node, () => {
      this.#feed({ kind: "probe-failed", node });
      this.judge({ kind: "own-view", node, view: "lost" });
    });
  }

  #beat(to: NodeId, failed: () => void): void {
    const epoch = this.#node.view?.members.epoch ?? 0;
    this.#network.ask(this.#node, to, "heartbeat", { epoch }, HEARTBEAT_DEADLINE, (reply) => {
      if (reply.ok) this.heard(to, reply.answer.incarnation);
      else failed();
    });
  }

  #vitals(): void {
    this.#world.after(VITALS, this.#node.life, () => {
      if (this.#node.view !== undefined && this.#node.leader !== this.#node.id) {
        this.#beat(this.#node.leader, () => {});
      }
      this.#vitals();
    });
  }

  #lookAround(): void {
    this.#world.after(LEADER_TICK, this.#node.life, () => {
      const { now } = this.#world;
      const stoodStill = now - this.#leaderTick > LEADER_SILENCE / 2;
      this.#leaderTick = now;
      for (const member of this.#node.view?.members.members ?? []) {
        if (member.id === this.#node.id || !isLive(member)) continue;
        const heard = this.#heard.get(member.id);
        if (heard === undefined || stoodStill) this.#heard.set(member.id, now);
        else if (now - heard > LEADER_SILENCE) {
          this.judge({ kind: "own-view", node: member.id, view: "silent" });
        }
      }
      this.#lookAround();
    });
  }
}
