/**
 * What this node knows of the cluster: the last view that the leader gave out, never an opinion of its own. Of two views
 * the later one counts: higher epoch, then higher table version, then higher files version.
 */
import type { NodeId, RingId } from "../../base/ids.ts";
import {
  EMPTY_LIST,
  type Member,
  type MemberList,
  memberById,
  memberList,
} from "../../ring/member.ts";
import type { PartitionTable } from "../../ring/partition-table.ts";
import { position } from "../../ring/position.ts";
import type { ViewMessage } from "../../wire/control.ts";

export interface ClusterView {
  readonly ring: RingId;
  readonly leader: NodeId;
  readonly members: MemberList;
  readonly table: PartitionTable;
  readonly filesVersion: number;
}

type Listener = (view: ClusterView, before: ClusterView | undefined) => void;

/** A view out of the leader's message. */
export function viewOf(message: ViewMessage): ClusterView {
  const members = message.members.map((m) => ({ ...m, position: position(m.position) }));
  return {
    ring: message.ring,
    leader: message.leader,
    members: memberList(message.epoch, members),
    table: message.table,
    filesVersion: message.filesVersion,
  };
}

export function messageOf(view: ClusterView): ViewMessage {
  return {
    ring: view.ring,
    leader: view.leader,
    epoch: view.members.epoch,
    members: view.members.members.map((m) => ({ ...m })),
    table: view.table as ViewMessage["table"],
    filesVersion: view.filesVersion,
  };
}

export class ViewHolder {
  #view: ClusterView | undefined;
  readonly #listeners = new Set<Listener>();

  get current(): ClusterView | undefined {
    return this.#view;
  }

  get members(): MemberList {
    return this.#view?.members ?? EMPTY_LIST;
  }

  member(id: NodeId): Member | undefined {
    return memberById(this.members, id);
  }

  /** Takes the view if it is later than the known one. */
  offer(view: ClusterView): boolean {
    const before = this.#view;
    if (before !== undefined && !isLater(view, before)) return false;
    this.#view = view;
    for (const listener of this.#listeners) listener(view, before);
    return true;
  }

  /** Told of every later view; returns what ends that. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function isLater(view: ClusterView, known: ClusterView): boolean {
  if (view.members.epoch !== known.members.epoch) return view.members.epoch > known.members.epoch;
  if (view.table.version !== known.table.version) return view.table.version > known.table.version;
  return view.filesVersion > known.filesVersion;
}
