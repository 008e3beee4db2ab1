/** The catalog as the rest of a node sees it, on the node that holds it. */
import type { CommandOf, CommandType, ResultOf } from "../../catalog/commands.ts";
import type { AnswerOf, QueryOf, QueryType } from "../../catalog/queries.ts";
import type { ChangedPart } from "../../catalog/state-machine.ts";

export interface Catalog {
  /**
   * Proposes a command. When the promise is kept, the command is on the disk and its result cannot be taken back.
   * @throws RingfoldError with the code of the refusal, which changed nothing; `bad-request` or `too-large` for what is
   * no command; `overloaded` when too many wait; `disk-full`, after which nothing of it is stored; `disk-failed` when it
   * is unknown whether it was stored, and the node must end
   */
  propose<T extends CommandType>(command: CommandOf<T>): Promise<ResultOf<T>>;
  /**
   * Reads what all commands answered so far have made.
   * @throws RingfoldError `bad-glob`, `bad-request`, `overloaded`, `disk-failed`
   */
  query<T extends QueryType>(query: QueryOf<T>): Promise<AnswerOf<T>>;
  /** Told after each batch of commands which parts it changed; returns what ends that. */
  onChange(listener: (changed: ReadonlySet<ChangedPart>) => void): () => void;
  /** Told once when the disk fails: nothing more is accepted, the node must end. Returns what ends that. */
  onFailure(listener: (error: Error) => void): () => void;
  /** Ends the worker after what was proposed so far. Idempotent. */
  close(): Promise<void>;
}
