/** What the catalog's thread and the node's own thread tell each other. Both are one build of one program: no schema. */
import type { ErrorNote } from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import type { Outcome } from "../../catalog/commands.ts";
import type { Query, QueryAnswers, QueryType } from "../../catalog/queries.ts";
import type { ChangedPart } from "../../catalog/state-machine.ts";
import type { DatabaseOptions } from "./catalog-database.ts";

export interface WorkerOptions {
  readonly dir: string;
  readonly self: NodeId;
  readonly database: DatabaseOptions;
}

export type ToWorker =
  /** Encoded commands; they are counted from `first` on, which is one more than the last of the message before. */
  | { readonly type: "commands"; readonly first: number; readonly commands: readonly Uint8Array[] }
  | { readonly type: "query"; readonly id: number; readonly query: Query }
  | { readonly type: "close" };

export type FromWorker =
  | { readonly type: "ready"; readonly term: number }
  /** After the sync of their batch. */
  | {
      readonly type: "outcomes";
      readonly first: number;
      readonly outcomes: readonly Outcome[];
      readonly changed: readonly ChangedPart[];
    }
  | { readonly type: "answer"; readonly id: number; readonly answer: QueryAnswers[QueryType] }
  | { readonly type: "query-failed"; readonly id: number; readonly note: ErrorNote }
  /** The last message: the database cannot be trusted any more, or could not be opened. */
  | { readonly type: "failed"; readonly note: ErrorNote };
