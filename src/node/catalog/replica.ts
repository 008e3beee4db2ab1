/**
 * The driver of the Raft core and the state machine over one database. With one voter a batch is one transaction: its
 * entries, what they change, and the applied index. The core is told `persisted` inside it; nothing that follows from that
 * leaves this class before the transaction is synced, and if it fails the core goes back to the state before it.
 */
import { assert, RingfoldError } from "../../base/errors.ts";
import type { Millis, NodeId } from "../../base/ids.ts";
import type { Command, Outcome } from "../../catalog/commands.ts";
import type { AnswerOf, QueryOf, QueryType } from "../../catalog/queries.ts";
import { answer } from "../../catalog/read.ts";
import { apply, type ChangedPart, watchedStore } from "../../catalog/state-machine.ts";
import type { CatalogStore } from "../../catalog/store.ts";
import {
  type Entry,
  type RaftEffect,
  type RaftInput,
  type RaftState,
  raft,
  step,
} from "../../raft/raft.ts";
import { decodeCommand } from "../../wire/catalog-bytes.ts";
import { CatalogDatabase, type DatabaseOptions } from "./catalog-database.ts";
import { SqliteStore } from "./sqlite-store.ts";

/** A batch after its sync. */
export interface Committed {
  /** One for each command, in order. */
  readonly outcomes: readonly Outcome[];
  readonly changed: ReadonlySet<ChangedPart>;
}

/** A batch inside its transaction. */
interface Batch {
  state: RaftState;
  readonly applied: Outcome[];
  readonly changed: Set<ChangedPart>;
  readonly store: CatalogStore;
  /** Entries that this batch wrote: they need not be read back. */
  written: readonly Entry[];
  /** Commands of these entries, as they were checked. */
  readonly commands: readonly Command[];
}

export class Replica {
  readonly #database: CatalogDatabase;
  readonly #store: SqliteStore;
  #state: RaftState;

  /**
   * Opens the database of a directory, replays what was not applied, and leads.
   * @throws RingfoldError `data-dir-in-use`, `data-dir`, `catalog-damaged`, `disk-full`, `disk-failed`
   */
  constructor(dir: string, self: NodeId, now: Millis, options: DatabaseOptions = {}) {
    this.#database = new CatalogDatabase(dir, options);
    try {
      this.#store = new SqliteStore(this.#database);
      this.#state = raft(self, [self]);
      this.#run({ type: "started", ...this.#database.load(), now }, []);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  get term(): number {
    return this.#state.term;
  }

  /**
   * Commits a batch of commands: one transaction, one sync. What is no command is refused and not logged.
   * @throws RingfoldError `disk-full`: none of the batch is stored; `disk-failed`, `catalog-damaged`: fatal
   */
  commit(proposals: readonly Uint8Array[], now: Millis): Committed {
    const outcomes: (Outcome | undefined)[] = [];
    const commands: Command[] = [];
    const taken: Uint8Array[] = [];
    for (const bytes of proposals) {
      const command = commandOf(bytes);
      const refused = "ok" in command;
      outcomes.push(refused ? command : undefined);
      if (refused) continue;
      commands.push(command);
      taken.push(bytes);
    }
    const { applied, changed } = this.#run({ type: "proposed", commands: taken, now }, commands);
    assert(applied.length === commands.length, "R5: each command was applied once");
    let next = 0;
    const complete = outcomes.map((outcome) => outcome ?? (applied[next++] as Outcome));
    return { outcomes: complete, changed };
  }

  /**
   * Answers a query from what is committed.
   * @throws RingfoldError `bad-glob`; `disk-failed`, `catalog-damaged`: fatal
   */
  answer<T extends QueryType>(query: QueryOf<T>): AnswerOf<T> {
    return this.#database.read(() => answer(this.#store, query));
  }

  close(): void {
    this.#database.close();
  }

  #run(input: RaftInput, commands: readonly Command[]): Batch {
    const changed = new Set<ChangedPart>();
    const batch: Batch = {
      state: this.#state,
      applied: [],
      changed,
      store: watchedStore(this.#store, changed),
      written: [],
      commands,
    };
    try {
      this.#database.transaction(() => this.#step(batch, input));
    } catch (error) {
      this.#store.forget();
      throw error;
    }
    this.#state = batch.state;
    return batch;
  }

  #step(batch: Batch, input: RaftInput): void {
    const { state, effects } = step(batch.state, input);
    batch.state = state;
    for (const effect of effects) this.#perform(batch, effect);
  }

  #perform(batch: Batch, effect: RaftEffect): void {
    switch (effect.type) {
      case "persist": {
        this.#database.append(effect.hardState, effect.entries);
        batch.written = effect.entries;
        const { term, tail } = batch.state;
        this.#step(batch, { type: "persisted", term, lastIndex: tail.index });
        return;
      }
      case "apply":
        this.#apply(batch, effect.from, effect.to);
        return;
      case "became-leader":
        return;
      case "refuse":
        throw new RingfoldError("no-leader", "the catalog does not lead yet");
    }
  }

  #apply(batch: Batch, from: number, to: number): void {
    const first = batch.written[0]?.index ?? to + 1;
    // At a start the log may hold entries that were synced and not applied.
    const left = from < first ? this.#database.entries(from, Math.min(to, first - 1)) : [];
    for (const entry of left) this.#applyEntry(batch, entry, undefined);
    for (const [i, entry] of batch.written.entries()) {
      this.#applyEntry(batch, entry, batch.commands[i]);
    }
    this.#database.setApplied(to);
  }

  #applyEntry(batch: Batch, { index, now, bytes }: Entry, known: Command | undefined): void {
    if (bytes.length === 0) return;
    const outcome = apply(batch.store, known ?? decodeCommand(bytes), { index, now });
    if (known !== undefined) batch.applied.push(outcome);
  }
}

function commandOf(bytes: Uint8Array): Command | (Outcome & { readonly ok: false }) {
  try {
    return decodeCommand(bytes);
  } catch (error) {
    if (!(error instanceof RingfoldError)) throw error;
    return { ok: false, refusal: { why: "bad-request", message: error.message } };
  }
}
