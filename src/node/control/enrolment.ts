/** How a node that does not lead gets on the member list, and up on it again whenever the leader took it for dead. */
import type { Logger } from "pino";
import { errorNote, RingfoldError } from "../../base/errors.ts";
import type { Millis } from "../../base/ids.ts";
import type { Announcement, ControlMethods } from "../../wire/control.ts";
import type { JoinToken } from "../../wire/token.ts";
import type { PeerAddress, Transport } from "../transport/transport.ts";
import { type ViewHolder, viewOf } from "./view-holder.ts";

const JOIN_DEADLINE: Millis = 10_000;
const ANNOUNCE_DEADLINE: Millis = 5000;
const PAUSE: Millis = 500;

export interface EnrolmentParts {
  readonly transport: Transport<ControlMethods>;
  readonly view: ViewHolder;
  readonly leader: () => PeerAddress | undefined;
  readonly log: Logger;
  /** The node is no member any more and cannot become one again by itself. */
  readonly removed: (error: RingfoldError) => void;
}

export class Enrolment {
  readonly #parts: EnrolmentParts;
  #announcing: Promise<void> | undefined;
  #closed = false;

  constructor(parts: EnrolmentParts) {
    this.#parts = parts;
  }

  /** Whether the leader has yet to hear that this node is there. */
  get pending(): boolean {
    return this.#announcing !== undefined;
  }

  close(): void {
    this.#closed = true;
  }

  /** @throws RingfoldError `token-wrong`, `token-expired`, `token-foreign`, `join-unreachable`, `version-mismatch` */
  async join(self: Announcement, token: JoinToken): Promise<void> {
    const { transport, view } = this.#parts;
    let last: unknown;
    for (const address of token.addresses) {
      try {
        const to = { node: token.inviter, address };
        const body = { secret: token.secret, self };
        const message = await transport.request(to, "join", body, { deadline: JOIN_DEADLINE });
        view.offer(viewOf(message));
        return;
      } catch (error) {
        last = error;
      }
    }
    throw joinTrouble(last);
  }

  /** A member that starts again. A leader that is away is waited for while the node serves already. */
  async returned(self: Announcement): Promise<void> {
    try {
      await this.#announce(self);
    } catch (error) {
      if (isRemoved(error)) throw error;
      this.#parts.log.warn({ error: errorNote(error) }, "the leader does not answer; trying on");
      this.again(self);
    }
  }

  /** Until the leader has heard it. */
  again(self: Announcement): void {
    this.#announcing ??= this.#persist(self).finally(() => {
      this.#announcing = undefined;
    });
  }

  async #persist(self: Announcement): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#announce(self);
        return;
      } catch (error) {
        if (isRemoved(error)) {
          this.#parts.removed(error);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  }

  async #announce(self: Announcement): Promise<void> {
    const { transport, view, leader } = this.#parts;
    const to = leader();
    if (to === undefined) throw new RingfoldError("no-leader", "no leader is known");
    const message = await transport.request(to, "announce", self, { deadline: ANNOUNCE_DEADLINE });
    view.offer(viewOf(message));
  }
}

/** Nobody of the token's addresses answers as the node that made it. */
function joinTrouble(last: unknown): unknown {
  if (!(last instanceof RingfoldError) || last.code !== "peer-unreachable") return last;
  const message = `the node that made the token is not there: ${last.message}`;
  return new RingfoldError("join-unreachable", message, { cause: last });
}

const isRemoved = (error: unknown): error is RingfoldError =>
  error instanceof RingfoldError && error.code === "not-a-member";
