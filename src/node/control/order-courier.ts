/** Carries the coordinator's orders to the nodes, this one included. A lost order is found by the next roll call. */
import type { Logger } from "pino";
import { errorNote } from "../../base/errors.ts";
import type { JobId, Millis, NodeId } from "../../base/ids.ts";
import type { JobAttempt, WorkOrder } from "../../jobs/task.ts";
import type { ControlMethods } from "../../wire/control.ts";
import type { JobInfo } from "../../wire/jobs.ts";
import type { PeerAddress, Transport } from "../transport/transport.ts";
import type { Roll, TaskRunner } from "./task-runner.ts";
import type { ViewHolder } from "./view-holder.ts";
import { addressOf } from "./watch-driver.ts";

const DEADLINE: Millis = 5000;

export interface CourierParts {
  readonly self: NodeId;
  readonly transport: Transport<ControlMethods>;
  readonly runner: TaskRunner;
  readonly view: ViewHolder;
  readonly log: Logger;
}

export class OrderCourier {
  readonly #parts: CourierParts;

  constructor(parts: CourierParts) {
    this.#parts = parts;
  }

  start(node: NodeId, order: WorkOrder, info: JobInfo): void {
    const { self, runner, transport } = this.#parts;
    if (node === self) return runner.start(order, info);
    this.#send(node, (to) =>
      transport.request(to, "start-task", { order, info }, { deadline: DEADLINE }),
    );
  }

  stop(node: NodeId, attempt: JobAttempt): void {
    const { self, runner, transport } = this.#parts;
    if (node === self) return runner.stop(attempt);
    this.#send(node, (to) => transport.request(to, "stop-task", attempt, { deadline: DEADLINE }));
  }

  clean(node: NodeId, job: JobId): void {
    const { self, runner, transport } = this.#parts;
    if (node === self) return runner.clean(job);
    this.#send(node, (to) => transport.request(to, "clean-job", { job }, { deadline: DEADLINE }));
  }

  wake(node: NodeId, job: JobId): void {
    const { self, runner, transport } = this.#parts;
    if (node === self) return runner.wake(job);
    this.#send(node, (to) => transport.request(to, "wake-hosts", { job }, { deadline: DEADLINE }));
  }

  /** What each live node runs and holds, as each answers. */
  rollCall(answered: (node: NodeId, roll: Roll) => void): void {
    const { self, runner, transport, view } = this.#parts;
    for (const { id, state } of view.members.members) {
      if (state === "down") continue;
      if (id === self) answered(id, runner.rollCall());
      else {
        this.#send(id, async (to) =>
          answered(id, await transport.request(to, "roll-call", undefined, { deadline: DEADLINE })),
        );
      }
    }
  }

  #send(node: NodeId, request: (to: PeerAddress) => Promise<unknown>): void {
    const to = addressOf(this.#parts.view, node);
    if (to === undefined) return;
    request(to).catch((error: unknown) =>
      this.#parts.log.warn({ node, error: errorNote(error) }, "an order was not delivered"),
    );
  }
}
