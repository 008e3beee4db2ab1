/** What happened, for people: the last events of this node's view of the cluster, numbered, to be resumed from. */
import type { ClusterEvent, EventKind } from "../../contract/event.ts";
import type { EventMessage } from "../../wire/control.ts";
import type { ClusterView } from "./view-holder.ts";

const KEPT = 1000;

export class EventLog {
  readonly #events: ClusterEvent[] = [];
  readonly #waiting = new Set<() => void>();
  /** Numbers of different starts do not meet: a client that resumes after a restart sees a gap. */
  #next = Date.now() * 1000;

  add(kind: EventKind, subject: string, text: string, at = Date.now()): void {
    this.#events.push({ id: this.#next++, at, kind, subject, text });
    if (this.#events.length > KEPT) this.#events.shift();
    for (const wake of Array.from(this.#waiting)) wake();
  }

  async *read(since: number | undefined, signal: AbortSignal): AsyncGenerator<ClusterEvent> {
    let last = since ?? this.#next - 1;
    const oldest = this.#events[0]?.id ?? this.#next;
    if (since !== undefined && since + 1 < oldest) {
      yield {
        id: oldest - 1,
        at: Date.now(),
        kind: "gap",
        subject: "",
        text: "older events are gone",
      };
      last = oldest - 1;
    }
    while (!signal.aborted) {
      const fresh = this.#events.filter((event) => event.id > last);
      for (const event of fresh) {
        yield event;
        last = event.id;
      }
      if (fresh.length === 0) await this.#change(signal);
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake);
    });
  }
}

/** What changed between two views, in plain words. */
export function viewEvents(now: ClusterView, before: ClusterView | undefined): EventMessage[] {
  const at = Date.now();
  const events: EventMessage[] = [];
  const old = new Map(before?.members.members.map((member) => [member.id, member]));
  for (const { id, name, state, incarnation } of now.members.members) {
    const known = old.get(id);
    old.delete(id);
    if (known === undefined) {
      if (before === undefined) continue;
      events.push({ at, kind: "node-joined", subject: id, text: `${name} joined` });
    } else if (known.state !== state || (known.incarnation !== incarnation && state === "up")) {
      const word = { up: "is up again", down: "is down", leaving: "is leaving" }[state];
      events.push({ at, kind: `node-${state}`, subject: id, text: `${name} ${word}` });
    }
  }
  for (const { id, name } of old.values()) {
    events.push({ at, kind: "node-left", subject: id, text: `${name} left` });
  }
  if (before !== undefined && before.leader !== now.leader) {
    events.push({ at, kind: "leader", subject: now.leader, text: "another node leads" });
  }
  return events;
}
