/** The catalog as every node reaches it: its own when it leads, the leader's over the transport otherwise. */
import { RingfoldError } from "../../base/errors.ts";
import type { Millis } from "../../base/ids.ts";
import type { CommandOf, CommandType, ResultOf } from "../../catalog/commands.ts";
import type { AnswerOf, QueryOf, QueryType } from "../../catalog/queries.ts";
import { checkedAnswer, checkedResult } from "../../wire/catalog.ts";
import type { ControlMethods } from "../../wire/control.ts";
import type { PeerAddress, Transport } from "../transport/transport.ts";

/** Time for one command or query, tries at a leader that is coming back included. */
const PATIENCE: Millis = 10_000;
const PAUSE: Millis = 100;

export interface CatalogAccess {
  /** @throws RingfoldError the refusal's code; `no-leader` when no leader answered in time */
  propose<T extends CommandType>(command: CommandOf<T>): Promise<ResultOf<T>>;
  /** @throws RingfoldError `no-leader` */
  query<T extends QueryType>(query: QueryOf<T>, patience?: Millis): Promise<AnswerOf<T>>;
}

/**
 * Asks the leader; where it cannot be reached, again until the patience ends. A command whose answer was lost is sent
 * again only if it is harmless twice: every command of the catalog is a compare-and-set, idempotent, or fenced, but for
 * `file-put` without an expected version, which then makes one more version with the same content.
 */
export class RemoteCatalog implements CatalogAccess {
  readonly #transport: Transport<ControlMethods>;
  readonly #leader: () => PeerAddress | undefined;

  constructor(transport: Transport<ControlMethods>, leader: () => PeerAddress | undefined) {
    this.#transport = transport;
    this.#leader = leader;
  }

  async propose<T extends CommandType>(command: CommandOf<T>): Promise<ResultOf<T>> {
    const answer = await this.#persist(PATIENCE, (to, deadline) =>
      this.#transport.request(to, "propose", command, { deadline }),
    );
    return checkedResult(command.type as T, answer);
  }

  async query<T extends QueryType>(query: QueryOf<T>, patience = PATIENCE): Promise<AnswerOf<T>> {
    const answer = await this.#persist(patience, (to, deadline) =>
      this.#transport.request(to, "query", query, { deadline }),
    );
    return checkedAnswer(query.type as T, answer);
  }

  async #persist(
    patience: Millis,
    call: (to: PeerAddress, deadline: Millis) => Promise<unknown>,
  ): Promise<unknown> {
    const end = performance.now() + patience;
    for (;;) {
      const left = end - performance.now();
      try {
        const to = this.#leader();
        if (to === undefined) throw new RingfoldError("no-leader", "no leader is known yet");
        return await call(to, Math.max(1, left));
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (performance.now() + PAUSE >= end) {
          throw new RingfoldError("no-leader", "the catalog's leader does not answer", {
            cause: error,
          });
        }
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

const isPassing = (error: unknown): boolean =>
  error instanceof RingfoldError &&
  (error.code === "peer-unreachable" || error.code === "no-leader" || error.code === "deadline");
