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
/** A leader that is busy, or just away, is asked again for this long. */
const PATIENCE: Millis = 30_000;
const PASSING: ReadonlySet<string> = new Set(["deadline", "peer-unreachable", "no-leader"]);
const LEFT: LeaveProgress = { state: "left", blocksLeft: 0 };

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
  /** As last counted. */
  #blocksLeft = 1;
  /** The files that were there when this node began to leave: later ones get no copy here. */
  #files: number | undefined;
  /** Since when nobody answered. */
  #silentSince: Millis | undefined;

  constructor(parts: LeavingParts) {
    this.#parts = parts;
  }

  /**
   * Does what can be done in about a second; to be called until it answers `left`.
   * @throws RingfoldError `last-voter` on the node that holds the catalog, `no-leader` …
   */
  async step(): Promise<LeaveProgress> {
    if (this.#left) return LEFT;
    try {
      return await this.#step();
    } catch (error) {
      const code = error instanceof RingfoldError ? error.code : undefined;
      // The answer to `left` was lost: the leader does not know this node any more.
      if (code === "not-a-member" && this.#files !== undefined) return this.#hasLeft();
      if (code === undefined || !PASSING.has(code) || this.#isPatienceOver()) throw error;
      return { state: "leaving", blocksLeft: this.#blocksLeft };
    }
  }

  async #step(): Promise<LeaveProgress> {
    const { self, view, transport } = this.#parts;
    const leader = this.#leader();
    if (view.member(self)?.state === "up") {
      await transport.request(leader, "leaving", undefined, { deadline: DEADLINE });
    }
    const end = performance.now() + STEP;
    do {
      this.#blocksLeft = await this.#count();
      this.#silentSince = undefined;
      if (this.#blocksLeft === 0) {
        // Waits for what still runs here, too: that may take longer than the deadline.
        await transport.request(leader, "left", undefined, { deadline: DEADLINE });
        return this.#hasLeft();
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    } while (performance.now() < end);
    return { state: "leaving", blocksLeft: this.#blocksLeft };
  }

  #leader(): PeerAddress {
    const { self, view } = this.#parts;
    const leader = this.#parts.leader();
    if (view.current === undefined || leader === undefined) {
      throw new RingfoldError("no-leader", "no leader is known that could be told");
    }
    if (view.current.leader !== self) return leader;
    throw new RingfoldError("last-voter", "this node holds the cluster's catalog and cannot leave");
  }

  /** 0 only when everybody has counted since this node began to leave, and nobody lacks a copy. */
  async #count(): Promise<number> {
    const { self, view, asks } = this.#parts;
    const { current } = view;
    if (current === undefined || view.member(self)?.state !== "leaving") return this.#blocksLeft;
    this.#files ??= current.filesVersion;
    const { lacking, settled } = countedHealth(current, await asks.vitals(), this.#files);
    return settled ? lacking : Math.max(1, lacking);
  }

  #isPatienceOver(): boolean {
    const now = performance.now();
    this.#silentSince ??= now;
    return now - this.#silentSince > PATIENCE;
  }

  #hasLeft(): LeaveProgress {
    this.#left = true;
    // The answer goes out first.
    setTimeout(this.#parts.gone, LOOK).unref();
    return LEFT;
  }
}
