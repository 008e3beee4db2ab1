/**
 * The catalog: the state machine that Raft replicates (Ongaro and Ousterhout, 2014, section 5.3;
 * Schneider, 1990). It decides the few facts that must never disagree: who is a member, which
 * version a name has, who holds what, which task output counts, how a job ended.
 *
 * C1  The outcome and the state after it are functions of the log alone: no clock but the entry's,
 *     no randomness, no order that a peer chose. Tested over two stores, with a restart in between.
 * C2  A command that is refused changes nothing. Tested.
 * C3  Entries are applied in the order of their indexes. By the driver; the store keeps the applied
 *     index.
 * C4  Nothing is accepted before the cluster is founded. Tested.
 */
import { assert, unreachable } from "../base/errors.ts";
import type { Command, CommandType, Outcome } from "./commands.ts";
import { fileHandlers } from "./file-commands.ts";
import { type Handler, type Handlers, type LogPlace, refuse } from "./handler.ts";
import { jobHandlers } from "./job-commands.ts";
import { memberHandlers } from "./member-commands.ts";
import type { TableName } from "./records.ts";
import type { CatalogStore } from "./store.ts";

const handlers: Handlers<CommandType> = { ...memberHandlers, ...fileHandlers, ...jobHandlers };

/** Applies one committed command. */
export function apply(store: CatalogStore, command: Command, at: LogPlace): Outcome {
  assert(at.index > 0, "C3: log indexes start at 1");
  if (command.type !== "cluster-init" && store.get("cluster", "cluster") === undefined) {
    return refuse("wrong-cluster", "the cluster is not founded yet");
  }
  // The map pairs each type with the handler of that type, which the compiler cannot follow through
  // an index.
  const handler = handlers[command.type] as Handler<CommandType>;
  return handler(store, command, at);
}

/** What listeners are told about: a part of the state that changed. */
export type ChangedPart = "cluster" | "members" | "table" | "files" | "jobs";

/** A store that tells which parts were written through it. */
export function watchedStore(store: CatalogStore, changed: Set<ChangedPart>): CatalogStore {
  const note = (table: TableName): void => {
    const part = partOf(table);
    if (part !== undefined) changed.add(part);
  };
  return {
    get: (table, key) => store.get(table, key),
    keys: (table, range) => store.keys(table, range),
    put: (table, key, record) => {
      note(table);
      store.put(table, key, record);
    },
    delete: (table, key) => {
      note(table);
      store.delete(table, key);
    },
  };
}

function partOf(table: TableName): ChangedPart | undefined {
  switch (table) {
    case "cluster":
      return "cluster";
    case "member":
      return "members";
    case "table":
      return "table";
    case "file":
      return "files";
    case "job":
    case "task":
      return "jobs";
    case "token":
    case "gone":
    case "gone-order":
    case "job-order":
    case "job-running":
    case "job-ended":
      return undefined;
    default:
      return unreachable(table);
  }
}
