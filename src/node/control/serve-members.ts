/** What every node answers to the other members (src/wire/control.ts); what only the leader answers is in leader.ts. */
import { RingfoldError } from "../../base/errors.ts";
import { sha256Hex } from "../../base/hash.ts";
import type { Millis, NodeId } from "../../base/ids.ts";
import type { EventKind } from "../../contract/event.ts";
import type { Announcement, ControlMethods, ViewMessage } from "../../wire/control.ts";
import type { DataPort } from "../data/data-port.ts";
import type { PeerAddress, Transport } from "../transport/transport.ts";
import type { EventLog } from "./event-log.ts";
import type { Leader } from "./leader.ts";
import type { TaskRunner } from "./task-runner.ts";
import { messageOf, type ViewHolder, viewOf } from "./view-holder.ts";

const ADMIT_DEADLINE: Millis = 10_000;

export interface ServeParts {
  readonly transport: Transport<ControlMethods>;
  readonly data: DataPort;
  readonly runner: TaskRunner;
  readonly view: ViewHolder;
  readonly events: EventLog;
  /** On the leader only. */
  readonly leads: Leader | undefined;
  readonly leader: () => PeerAddress | undefined;
}

export function serveMembers(parts: ServeParts): void {
  const { transport, data, runner, view, events } = parts;
  const fromLeader = (node: NodeId): boolean => node === view.current?.leader;
  transport.handle("join", ({ secret, self }, from) =>
    admit(parts, from.node, sha256Hex(secret), self),
  );
  transport.handle("view", async (message, from) => {
    if (from.node === message.leader) view.offer(viewOf(message));
    return { epoch: view.members.epoch };
  });
  transport.handle("start-task", async ({ order, info }, from) => {
    if (fromLeader(from.node)) runner.start(order, info);
  });
  transport.handle("stop-task", async (attempt, from) => {
    if (fromLeader(from.node)) runner.stop(attempt);
  });
  transport.handle("clean-job", async ({ job }, from) => {
    if (fromLeader(from.node)) runner.clean(job);
  });
  transport.handle("wake-hosts", async ({ job }) => runner.wake(job));
  transport.handle("roll-call", async () => runner.rollCall());
  transport.handle("task-logs", async ({ job, task }) => runner.logs.of(job, task));
  transport.handle("inventory", async (ids) => [...(await data.inventory(ids))]);
  transport.handle("copy-block", async ({ block, from }) => {
    const { bytes } = await data.copyBlock({ block, from });
    return { bytes };
  });
  transport.handle("events", async (told, from) => {
    if (!fromLeader(from.node)) return;
    for (const { kind, subject, text, at } of told)
      events.add(kind as EventKind, subject, text, at);
  });
}

async function admit(
  { leads, leader, transport }: ServeParts,
  node: NodeId,
  tokenHash: string,
  self: Announcement,
): Promise<ViewMessage> {
  if (leads !== undefined) return messageOf(await leads.admit(node, tokenHash, self));
  const to = leader();
  if (to === undefined) throw new RingfoldError("no-leader", "this node knows no leader now");
  return transport.request(to, "admit", { node, tokenHash, self }, { deadline: ADMIT_DEADLINE });
}
