/**
 * Which of its neighbours a host suspects. A closed connection is dialled once more and then
 * suspected at once; a silent one when nothing was heard for a while. What it finds is reported,
 * never acted on: the verdict is the catalog's (`verdict.ts`), since ownership never follows from a
 * node's opinion.
 *
 * D1  Only neighbours are watched; what is said about others is ignored. Tested.
 * D2  One report per node, incarnation and epoch, until the node is heard again or the leader
 *     changes. Tested.
 * D3  A closed connection alone is no suspicion: one dial must fail too. Tested.
 * D4  A node heard again is taken back, once. Tested.
 * D5  A host that stood still itself (paused, or a loop that hung) accuses nobody for what it did
 *     not hear. Tested.
 * D6  News of an older incarnation than the member list's is ignored. Tested.
 */
import { unreachable } from "../base/errors.ts";
import type { Epoch, Millis, NodeId } from "../base/ids.ts";
import { EMPTY_LIST, isLive, type Member, type MemberList, memberById } from "./member.ts";
import { neighbours } from "./neighbours.ts";

export type SuspectReason = "closed" | "silent";

export type DetectorInput = { readonly now: Millis } & (
  | { readonly kind: "members-changed"; readonly list: MemberList }
  /** A control connection to the node ended. */
  | { readonly kind: "peer-closed"; readonly node: NodeId; readonly incarnation: number }
  /** The dial asked for by `probe` did not succeed; success is `heartbeat-heard`. */
  | { readonly kind: "probe-failed"; readonly node: NodeId }
  /** Any frame from the node. */
  | { readonly kind: "heartbeat-heard"; readonly node: NodeId; readonly incarnation: number }
  /** Somebody else collects reports now: all that stands is said again. */
  | { readonly kind: "leader-changed" }
  | { readonly kind: "timer-fired" }
);

export type DetectorEffect =
  | { readonly kind: "send-heartbeat"; readonly to: NodeId }
  /** Dial the node once; answer with `heartbeat-heard` or `probe-failed`. */
  | { readonly kind: "probe"; readonly node: NodeId }
  | {
      readonly kind: "report-suspect";
      readonly node: NodeId;
      readonly incarnation: number;
      readonly epoch: Epoch;
      readonly reason: SuspectReason;
    }
  | { readonly kind: "report-alive"; readonly node: NodeId; readonly incarnation: number }
  | { readonly kind: "set-timer"; readonly at: Millis };

export interface DetectorOptions {
  /** Between heartbeats. */
  readonly heartbeat: Millis;
  /** Without a sound for this long, a neighbour is suspected. */
  readonly silence: Millis;
}

/** Eight heartbeats may be lost before silence counts. */
export const DETECTOR_DEFAULTS: DetectorOptions = { heartbeat: 250, silence: 2000 };

interface Watch {
  readonly incarnation: number;
  heard: Millis;
  probing: boolean;
  suspected: SuspectReason | undefined;
  /** The epoch in which the suspicion was reported. */
  reported: Epoch | undefined;
}

export class FailureDetector {
  readonly #self: NodeId;
  readonly #options: DetectorOptions;
  readonly #watched = new Map<NodeId, Watch>();
  /** Nodes listed as down, with the incarnation said to live after all. */
  readonly #returned = new Map<NodeId, number>();
  #list: MemberList = EMPTY_LIST;
  #ticked: Millis | undefined;

  constructor(self: NodeId, options: DetectorOptions = DETECTOR_DEFAULTS) {
    this.#self = self;
    this.#options = options;
  }

  /** The neighbours under suspicion, for display. */
  get suspects(): NodeId[] {
    return [...this.#watched].flatMap(([id, watch]) => (watch.suspected ? [id] : []));
  }

  step(input: DetectorInput): DetectorEffect[] {
    switch (input.kind) {
      case "members-changed":
        return this.#membersChanged(input.list, input.now);
      case "peer-closed":
        return this.#closed(input.node, input.incarnation);
      case "probe-failed":
        return this.#probeFailed(input.node);
      case "heartbeat-heard":
        return this.#heard(input.node, input.incarnation, input.now);
      case "leader-changed":
        for (const watch of this.#watched.values()) watch.reported = undefined;
        this.#returned.clear();
        return this.#reports();
      case "timer-fired":
        return this.#tick(input.now);
      default:
        return unreachable(input);
    }
  }

  #membersChanged(list: MemberList, now: Millis): DetectorEffect[] {
    if (list.epoch < this.#list.epoch) return [];
    this.#list = list;
    const wanted = new Set(neighbours(list.members, this.#self));
    for (const id of this.#watched.keys()) if (!wanted.has(id)) this.#watched.delete(id);
    for (const id of wanted) this.#watch(memberById(list, id), now);
    for (const id of this.#returned.keys()) {
      if (memberById(list, id)?.state !== "down") this.#returned.delete(id);
    }
    if (this.#ticked !== undefined) return this.#reports();
    this.#ticked = now;
    return [...this.#reports(), { kind: "set-timer", at: now + this.#options.heartbeat }];
  }

  #watch(member: Member | undefined, now: Millis): void {
    if (member === undefined) return;
    const known = this.#watched.get(member.id);
    if (known !== undefined && known.incarnation >= member.incarnation) return;
    this.#watched.set(member.id, {
      incarnation: member.incarnation,
      heard: now,
      probing: false,
      suspected: undefined,
      reported: undefined,
    });
  }

  #closed(node: NodeId, incarnation: number): DetectorEffect[] {
    const watch = this.#watched.get(node);
    if (watch === undefined || incarnation < watch.incarnation) return [];
    if (watch.probing || watch.suspected !== undefined) return [];
    watch.probing = true;
    return [{ kind: "probe", node }];
  }

  #probeFailed(node: NodeId): DetectorEffect[] {
    const watch = this.#watched.get(node);
    if (watch === undefined || !watch.probing) return [];
    watch.probing = false;
    watch.suspected ??= "closed";
    return this.#reports();
  }

  #heard(node: NodeId, incarnation: number, now: Millis): DetectorEffect[] {
    const watch = this.#watched.get(node);
    if (watch === undefined) return this.#heardFromOther(node, incarnation);
    if (incarnation < watch.incarnation) return [];
    const back = watch.suspected !== undefined;
    Object.assign(watch, { heard: now, probing: false, suspected: undefined, reported: undefined });
    return back ? [{ kind: "report-alive", node, incarnation }] : [];
  }

  /** A member that was judged down and is heard was only paused or cut off. */
  #heardFromOther(node: NodeId, incarnation: number): DetectorEffect[] {
    const member = memberById(this.#list, node);
    if (member === undefined || isLive(member) || incarnation < member.incarnation) return [];
    if ((this.#returned.get(node) ?? -1) >= incarnation) return [];
    this.#returned.set(node, incarnation);
    return [{ kind: "report-alive", node, incarnation }];
  }

  #tick(now: Millis): DetectorEffect[] {
    const { heartbeat, silence } = this.#options;
    const stoodStill = this.#ticked !== undefined && now - this.#ticked > silence / 2;
    this.#ticked = now;
    for (const watch of this.#watched.values()) {
      if (stoodStill) watch.heard = now;
      if (now - watch.heard >= silence) watch.suspected ??= "silent";
    }
    return [
      ...[...this.#watched.keys()].map((to) => ({ kind: "send-heartbeat" as const, to })),
      ...this.#reports(),
      { kind: "set-timer", at: now + heartbeat },
    ];
  }

  #reports(): DetectorEffect[] {
    const effects: DetectorEffect[] = [];
    const { epoch } = this.#list;
    for (const [node, watch] of this.#watched) {
      if (watch.suspected === undefined || watch.reported === epoch) continue;
      watch.reported = epoch;
      const { incarnation, suspected: reason } = watch;
      effects.push({ kind: "report-suspect", node, incarnation, epoch, reason });
    }
    return effects;
  }
}
