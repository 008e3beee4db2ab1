/**
 * The polite leave: the node is given nothing new, its copies are made elsewhere, what runs here ends; then it is taken off
 * the list and the node may stop. It loses nothing: while a copy is missing elsewhere, it stays.
 */
import { RingfoldError } from "../../base/errors.ts";
import type { Millis, NodeId } from "../../base/ids.ts";
import type { LeaveProgress } from "../../contract/node-row.ts";
import type { ControlMethods } from "../../wire/control.ts";
import type { PeerAddress, Transport } from "../transport/transport.ts";
import type { Asks } from "./asks.ts";
import { countedHealth } from "./health-of.ts";
import type { ViewHolder } from "./view-holder.ts";

const DEADLINE: Millis = 5000;
const LOOK: Millis = 200;
/** How long one step waits for progress. */
const STEP: Millis = 1000;

export interface LeavingParts {
  readonly self: NodeId;
  readonly transport: Transport<ControlMethods>;
  readonly leader: () => PeerAddress | undefined;
  readonly view: ViewHolder;
  readonly asks: Asks;
  /** The node is off the list: it may end. */
  readonly gone: () => void;
}

export class Leaving {
  readonly #parts: LeavingParts;
  #left = false;

  constructor(parts: LeavingParts) {
    this.#parts = parts;
  }

  /** @throws RingfoldError `last-voter` on the node that holds the catalog, `no-nodes` when nobody could take the data */
  async step(): Promise<LeaveProgress> {
    const { self, view, transport } = this.#parts;
    if (this.#left) return { state: "left", blocksLeft: 0 };
    const current = view.current;
    const leader = this.#parts.leader();
    if (current === undefined || leader === undefined) {
      throw new RingfoldError("no-leader", "no leader is known that could be told");
    }
    if (current.leader === self) {
      throw new RingfoldError(
        "last-voter",
        "this node holds the cluster's catalog and cannot leave",
      );
    }
    if (view.member(self)?.state === "up") {
      await transport.request(leader, "leaving", undefined, { deadline: DEADLINE });
    }
    const end = performance.now() + STEP;
    let blocksLeft = await this.#blocksLeft();
    while (blocksLeft > 0 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      blocksLeft = await this.#blocksLeft();
    }
    if (blocksLeft > 0) return { state: "leaving", blocksLeft };
    await transport.request(leader, "left", undefined, { deadline: DEADLINE });
    this.#left = true;
    // The answer goes out first.
    setTimeout(this.#parts.gone, LOOK).unref();
    return { state: "left", blocksLeft: 0 };
  }

  /** 0 only when everybody has counted since this node began to leave, and nobody lacks a copy. */
  async #blocksLeft(): Promise<number> {
    const { self, view, asks } = this.#parts;
    const current = view.current;
    if (current === undefined || view.member(self)?.state !== "leaving") return 1;
    const { lacking, settled } = countedHealth(current, await asks.vitals());
    return settled ? lacking : Math.max(1, lacking);
  }
}
