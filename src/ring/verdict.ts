/**
 * The leader's judge: which members are down, out of what their watchers report and what the leader
 * sees itself. Its word goes through the catalog, which alone changes the member list and its
 * epoch.
 *
 * Down: the leader has lost the node and another live member suspects it; or all its live watchers
 * suspect it, two at least. Where the leader is the only other live member, its own loss decides.
 *
 * J1  One link alone decides nothing while there is a third live member. Tested.
 * J2  Suspicions by members that are down, or of another incarnation than the list's, do not count.
 *     Tested.
 * J3  One verdict per node, incarnation and epoch. Tested.
 * J4  Up again: somebody heard it since, nobody suspects it, and the leader has not lost it.
 *     Tested.
 * J5  The leader never judges itself. Tested.
 */
import { unreachable } from "../base/errors.ts";
import type { NodeId } from "../base/ids.ts";
import type { SuspectReason } from "./failure-detector.ts";
import { EMPTY_LIST, isLive, type Member, type MemberList, memberById } from "./member.ts";
import { neighbours } from "./neighbours.ts";

export type LeaderView = "connected" | "lost" | "silent";

export type VerdictInput =
  | { readonly kind: "members-changed"; readonly list: MemberList }
  | {
      readonly kind: "suspected";
      readonly watcher: NodeId;
      readonly node: NodeId;
      readonly incarnation: number;
      readonly reason: SuspectReason;
    }
  | {
      readonly kind: "alive";
      readonly watcher: NodeId;
      readonly node: NodeId;
      readonly incarnation: number;
    }
  /** How the leader's own connection to the node stands. */
  | { readonly kind: "own-view"; readonly node: NodeId; readonly view: LeaderView };

export interface VerdictEffect {
  readonly kind: "member-down" | "member-up";
  readonly node: NodeId;
  readonly incarnation: number;
  /** In plain words, for the log. */
  readonly because: string;
}

interface Case {
  readonly incarnation: number;
  readonly accusers: Map<NodeId, SuspectReason>;
  heard: boolean;
  decided: "member-down" | "member-up" | undefined;
}

export class VerdictJudge {
  readonly #self: NodeId;
  readonly #cases = new Map<NodeId, Case>();
  readonly #views = new Map<NodeId, LeaderView>();
  #list: MemberList = EMPTY_LIST;

  /** @param self the leader, on whom this runs */
  constructor(self: NodeId) {
    this.#self = self;
  }

  step(input: VerdictInput): VerdictEffect[] {
    switch (input.kind) {
      case "members-changed":
        this.#membersChanged(input.list);
        break;
      case "suspected":
        this.#suspected(input.watcher, input.node, input.incarnation, input.reason);
        break;
      case "alive":
        this.#alive(input.watcher, input.node, input.incarnation);
        break;
      case "own-view":
        this.#views.set(input.node, input.view);
        break;
      default:
        return unreachable(input);
    }
    return this.#list.members.flatMap((member) => this.#judge(member));
  }

  #membersChanged(list: MemberList): void {
    if (list.epoch < this.#list.epoch) return;
    const newEpoch = list.epoch > this.#list.epoch;
    this.#list = list;
    for (const id of this.#cases.keys()) if (!memberById(list, id)) this.#cases.delete(id);
    for (const id of this.#views.keys()) if (!memberById(list, id)) this.#views.delete(id);
    for (const member of list.members) {
      const known = this.#caseOf(member);
      if (newEpoch) known.decided = undefined;
      if (isLive(member)) known.heard = false;
    }
  }

  #caseOf(member: Member): Case {
    const known = this.#cases.get(member.id);
    if (known !== undefined && known.incarnation === member.incarnation) return known;
    const { incarnation } = member;
    const fresh: Case = { incarnation, accusers: new Map(), heard: false, decided: undefined };
    this.#cases.set(member.id, fresh);
    return fresh;
  }

  #suspected(watcher: NodeId, node: NodeId, incarnation: number, reason: SuspectReason): void {
    const member = memberById(this.#list, node);
    if (member?.incarnation !== incarnation || watcher === node) return;
    const known = this.#caseOf(member);
    known.accusers.set(watcher, reason);
    known.heard = false;
  }

  #alive(watcher: NodeId, node: NodeId, incarnation: number): void {
    const member = memberById(this.#list, node);
    if (member === undefined || incarnation < member.incarnation) return;
    const known = this.#caseOf(member);
    known.accusers.delete(watcher);
    // What was said before the verdict is answered by one voice: accusers no longer watch a node
    // that is down. A newer incarnation does not bring the old one back: it makes itself known.
    if (!isLive(member) && incarnation === member.incarnation) {
      known.accusers.clear();
      known.heard = true;
    }
  }

  #judge(member: Member): VerdictEffect[] {
    if (member.id === this.#self) return [];
    const known = this.#caseOf(member);
    const kind = isLive(member) ? "member-down" : "member-up";
    const because = isLive(member) ? this.#whyDown(member) : this.#whyUp(member);
    if (because === undefined) {
      known.decided = undefined;
      return [];
    }
    if (known.decided === kind) return [];
    known.decided = kind;
    return [{ kind, node: member.id, incarnation: member.incarnation, because }];
  }

  #lost(node: NodeId): boolean {
    return (this.#views.get(node) ?? "connected") !== "connected";
  }

  /** Live members that suspect the node, the leader apart. */
  #accusers(member: Member): NodeId[] {
    return this.#list.members.flatMap(({ id, state }) =>
      state !== "down" && id !== this.#self && this.#caseOf(member).accusers.has(id) ? [id] : [],
    );
  }

  #whyDown(member: Member): string | undefined {
    const others = this.#list.members.filter(
      (m) => isLive(m) && m.id !== member.id && m.id !== this.#self,
    );
    const accusers = this.#accusers(member);
    const mine = this.#lost(member.id) || this.#caseOf(member).accusers.has(this.#self);
    if (mine && (accusers.length > 0 || others.every((m) => this.#lost(m.id)))) {
      return `lost by the leader and by ${accusers.length} of its watchers`;
    }
    const voices = [...accusers, ...(mine ? [this.#self] : [])];
    const watchers = neighbours(this.#list.members, member.id).filter((id) => !this.#doubtful(id));
    const all = watchers.length > 0 && watchers.every((id) => voices.includes(id));
    return all && voices.length >= 2 ? `all ${watchers.length} live watchers lost it` : undefined;
  }

  /** A watcher that cannot be waited for: lost by the leader, or suspected by two others. */
  #doubtful(id: NodeId): boolean {
    if (id === this.#self) return false;
    const member = memberById(this.#list, id);
    return member === undefined || this.#lost(id) || this.#accusers(member).length >= 2;
  }

  #whyUp(member: Member): string | undefined {
    const known = this.#caseOf(member);
    const free = known.heard && known.accusers.size === 0 && !this.#lost(member.id);
    return free ? "it is heard again" : undefined;
  }
}
