/**
 * Who is alive: drives the failure detector of this node and, while it leads, the judge. Heartbeats are requests on the
 * control connections; every node's vitals to the leader count as heartbeats too.
 */
import type { Logger } from "pino";
import { errorNote, unreachable } from "../../base/errors.ts";
import type { Millis, NodeId } from "../../base/ids.ts";
import {
  type DetectorEffect,
  type DetectorInput,
  FailureDetector,
} from "../../ring/failure-detector.ts";
import { isLive } from "../../ring/member.ts";
import { type VerdictEffect, VerdictJudge } from "../../ring/verdict.ts";
import type { ControlMethods } from "../../wire/control.ts";
import type { PeerAddress, PeerEvent, Transport } from "../transport/transport.ts";
import type { ViewHolder } from "./view-holder.ts";

const HEARTBEAT_DEADLINE: Millis = 2000;
/** The leader has lost whoever sent it nothing for this long. */
const LEADER_SILENCE: Millis = 3000;
const LEADER_TICK: Millis = 500;

export interface WatchParts {
  readonly self: NodeId;
  readonly incarnation: number;
  readonly transport: Transport<ControlMethods>;
  readonly view: ViewHolder;
  readonly log: Logger;
}

/** What the leader does with its judge's word. */
export interface Verdicts {
  readonly down: (node: NodeId, incarnation: number, because: string) => Promise<void>;
  readonly up: (node: NodeId) => Promise<void>;
}

type Fact<I> = I extends { readonly now: Millis } ? Omit<I, "now"> : never;

export class WatchDriver {
  readonly #parts: WatchParts;
  readonly #detector: FailureDetector;
  readonly #heard = new Map<NodeId, Millis>();
  #judge: { readonly core: VerdictJudge; readonly verdicts: Verdicts } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #leaderTimer: NodeJS.Timeout | undefined;
  #leaderTick: Millis = 0;
  #stops: (() => void)[] = [];

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#detector = new FailureDetector(parts.self);
  }

  start(): void {
    const { view, transport } = this.#parts;
    const changed = (): void => {
      const list = view.members;
      this.#feed({ kind: "members-changed", list });
      if (this.#judge)
        this.#carryVerdicts(this.#judge.core.step({ kind: "members-changed", list }));
    };
    this.#stops = [
      view.subscribe((now, before) => {
        changed();
        if (before !== undefined && before.leader !== now.leader) {
          this.#feed({ kind: "leader-changed" });
        }
      }),
      transport.onPeer((event) => this.#peer(event)),
    ];
    transport.handle("heartbeat", async (_body, from) => {
      this.heard(from.node, from.incarnation);
      return { epoch: view.members.epoch, incarnation: this.#parts.incarnation };
    });
    changed();
  }

  /** This node leads: its judge takes the reports of all. */
  lead(verdicts: Verdicts): void {
    const { self, transport, view } = this.#parts;
    const core = new VerdictJudge(self);
    this.#judge = { core, verdicts };
    transport.handle("suspect", async (body, from) => {
      this.#carryVerdicts(core.step({ kind: "suspected", watcher: from.node, ...body }));
    });
    transport.handle("alive", async (body, from) => {
      this.#carryVerdicts(core.step({ kind: "alive", watcher: from.node, ...body }));
    });
    this.#carryVerdicts(core.step({ kind: "members-changed", list: view.members }));
    this.#leaderTick = performance.now();
    this.#leaderTimer = setInterval(() => this.#lookAround(core), LEADER_TICK);
  }

  /** Anything that arrived from the node. */
  heard(node: NodeId, incarnation: number): void {
    this.#heard.set(node, performance.now());
    this.#feed({ kind: "heartbeat-heard", node, incarnation });
    if (this.#judge) {
      this.#carryVerdicts(this.#judge.core.step({ kind: "own-view", node, view: "connected" }));
    }
  }

  close(): void {
    for (const stop of this.#stops) stop();
    clearTimeout(this.#timer);
    clearInterval(this.#leaderTimer);
    this.#timer = undefined;
  }

  #peer(event: PeerEvent): void {
    if (event.type === "connected") return this.heard(event.node, event.incarnation);
    const { node, incarnation } = event;
    if (event.reason === "idle" || event.reason === "superseded") return;
    this.#feed({ kind: "peer-closed", node, incarnation });
    // A goodbye, or a broken connection: the detector's probe tells which; the leader takes it as lost meanwhile.
    if (this.#judge) this.#probe(node);
  }

  /** The leader's own view: whoever sent nothing for a while is silent; not after a pause of its own. */
  #lookAround(core: VerdictJudge): void {
    const now = performance.now();
    const stoodStill = now - this.#leaderTick > LEADER_SILENCE / 2;
    this.#leaderTick = now;
    for (const member of this.#parts.view.members.members) {
      if (member.id === this.#parts.self || !isLive(member)) continue;
      const heard = this.#heard.get(member.id);
      if (heard === undefined || stoodStill) this.#heard.set(member.id, now);
      else if (now - heard > LEADER_SILENCE) {
        this.#carryVerdicts(core.step({ kind: "own-view", node: member.id, view: "silent" }));
      }
    }
  }

  #feed(fact: Fact<DetectorInput>): void {
    const now = performance.now();
    for (const effect of this.#detector.step({ ...fact, now } as DetectorInput))
      this.#carry(effect);
  }

  #carry(effect: DetectorEffect): void {
    switch (effect.kind) {
      case "send-heartbeat":
        this.#beat(effect.to, () => {});
        return;
      case "probe":
        this.#probe(effect.node);
        return;
      case "report-suspect": {
        const { node, incarnation, reason } = effect;
        this.#report("suspect", { node, incarnation, reason });
        return;
      }
      case "report-alive":
        this.#report("alive", { node: effect.node, incarnation: effect.incarnation });
        return;
      case "set-timer":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(
          () => this.#feed({ kind: "timer-fired" }),
          Math.max(0, effect.at - performance.now()),
        );
        return;
      default:
        unreachable(effect);
    }
  }

  #probe(node: NodeId): void {
    this.#beat(node, () => {
      this.#feed({ kind: "probe-failed", node });
      if (this.#judge) {
        this.#carryVerdicts(this.#judge.core.step({ kind: "own-view", node, view: "lost" }));
      }
    });
  }

  #beat(node: NodeId, failed: () => void): void {
    const { transport, view } = this.#parts;
    const to = addressOf(view, node);
    if (to === undefined) return;
    transport
      .request(to, "heartbeat", { epoch: view.members.epoch }, { deadline: HEARTBEAT_DEADLINE })
      .then((answer) => this.heard(node, answer.incarnation), failed);
  }

  #report(
    method: "suspect" | "alive",
    body: { node: NodeId; incarnation: number; reason?: "closed" | "silent" },
  ): void {
    const { self, transport, view, log } = this.#parts;
    if (this.#judge) {
      const { core } = this.#judge;
      const said =
        method === "suspect"
          ? core.step({
              kind: "suspected",
              watcher: self,
              ...body,
              reason: body.reason ?? "silent",
            })
          : core.step({ kind: "alive", watcher: self, ...body });
      this.#carryVerdicts(said);
      return;
    }
    const leader = view.current && addressOf(view, view.current.leader);
    if (leader === undefined || leader.node === body.node) return;
    const sent =
      method === "suspect"
        ? transport.request(
            leader,
            "suspect",
            { ...body, reason: body.reason ?? "silent" },
            { deadline: HEARTBEAT_DEADLINE },
          )
        : transport.request(leader, "alive", body, { deadline: HEARTBEAT_DEADLINE });
    sent.catch((error: unknown) => log.debug({ method, error: errorNote(error) }, "report"));
  }

  #carryVerdicts(effects: readonly VerdictEffect[]): void {
    const { verdicts } = this.#judge ?? {};
    for (const { kind, node, incarnation, because } of effects) {
      const done =
        kind === "member-down" ? verdicts?.down(node, incarnation, because) : verdicts?.up(node);
      done?.catch((error: unknown) =>
        this.#parts.log.error({ node, error: errorNote(error) }, "a verdict was not entered"),
      );
    }
  }
}

/** Where a member listens; undefined for whoever is not on the list. */
export function addressOf(view: ViewHolder, node: NodeId): PeerAddress | undefined {
  const member = view.member(node);
  return member === undefined ? undefined : { node, address: member.addresses.control };
}
