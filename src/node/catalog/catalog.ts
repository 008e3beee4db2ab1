/**
 * The catalog on the node that holds it: its thread, and the promises that wait for it.
 *
 * K1  A proposal is answered after the sync of its batch, once. Tested.
 * K2  At most {@link MAX_WAITING} proposals and queries wait; the next one is refused at once. Tested.
 * K3  After the disk failed nothing is accepted, and whatever waited is rejected. Tested.
 */
import { Worker } from "node:worker_threads";
import {
  assert,
  type ErrorNote,
  errorFromNote,
  RingfoldError,
  unreachable,
} from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import type { CommandOf, CommandType, Outcome, ResultOf } from "../../catalog/commands.ts";
import type { AnswerOf, QueryAnswers, QueryOf, QueryType } from "../../catalog/queries.ts";
import type { ChangedPart } from "../../catalog/state-machine.ts";
import { commandBytes, querySchema } from "../../wire/catalog.ts";
import type { DatabaseOptions } from "./catalog-database.ts";
import type { Catalog } from "./catalog-port.ts";
import type { FromWorker, ToWorker, WorkerOptions } from "./worker-messages.ts";

/** Proposals and queries that may wait. */
export const MAX_WAITING = 10_000;

/** Of heap. At rest the thread adds 40 MB to the process, its own code and SQLite included (measured). */
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };

/**
 * Opens the catalog of a data directory, which is made if need be, and leads it.
 * @param self this node: the only voter
 * @throws RingfoldError `data-dir-in-use`, `data-dir`, `catalog-damaged`, `version-mismatch`, `disk-full`, `disk-failed`
 */
export function openCatalog(
  dir: string,
  self: NodeId,
  database: DatabaseOptions = {},
): Promise<Catalog> {
  const options: WorkerOptions = { dir, self, database };
  // Beside this file, in the checkout and in the compiled package.
  const file = import.meta.url.endsWith(".ts") ? "./catalog-worker.ts" : "./catalog-worker.js";
  const url = new URL(file, import.meta.url);
  const worker = new Worker(url, { workerData: options, resourceLimits: LIMITS, execArgv: [] });
  return new Promise((resolve, reject) => {
    const catalog = new WorkerCatalog(worker, () => resolve(catalog));
    catalog.onFailure(reject);
  });
}

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

class WorkerCatalog implements Catalog {
  readonly #worker: Worker;
  readonly #ready: () => void;
  readonly #proposals = new Map<number, Waiting<Outcome>>();
  readonly #queries = new Map<number, Waiting<QueryAnswers[QueryType]>>();
  readonly #changeListeners = new Set<(changed: ReadonlySet<ChangedPart>) => void>();
  readonly #failureListeners = new Set<(error: Error) => void>();
  readonly #exited: Promise<void>;
  /** Proposed in this turn of the event loop, not yet sent. */
  #unsent: Uint8Array[] = [];
  #nextProposal = 1;
  #nextQuery = 1;
  #closing = false;
  #failure: Error | undefined;

  constructor(worker: Worker, ready: () => void) {
    this.#worker = worker;
    this.#ready = ready;
    worker.on("message", (message: FromWorker) => this.#received(message));
    worker.on("error", (error) => this.#fail(threadFailure(error)));
    this.#exited = new Promise((resolve) => {
      worker.on("exit", () => {
        if (!this.#closing) this.#fail(threadFailure("it ended"));
        resolve();
      });
    });
  }

  async propose<T extends CommandType>(command: CommandOf<T>): Promise<ResultOf<T>> {
    this.#admit();
    const outcome = await this.#enqueue(commandBytes(command));
    if (!outcome.ok) throw new RingfoldError(outcome.refusal.why, outcome.refusal.message);
    // The worker answers a command with the outcome of that command.
    return outcome.result as ResultOf<T>;
  }

  async query<T extends QueryType>(query: QueryOf<T>): Promise<AnswerOf<T>> {
    this.#admit();
    const checked = querySchema.safeParse(query);
    if (!checked.success) {
      throw new RingfoldError("bad-request", `query ${query.type}: ${checked.error.message}`);
    }
    const id = this.#nextQuery++;
    const answer = await new Promise<QueryAnswers[QueryType]>((resolve, reject) => {
      this.#queries.set(id, { resolve, reject });
      this.#send({ type: "query", id, query: checked.data });
    });
    return answer as AnswerOf<T>;
  }

  onChange(listener: (changed: ReadonlySet<ChangedPart>) => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  onFailure(listener: (error: Error) => void): () => void {
    this.#failureListeners.add(listener);
    return () => this.#failureListeners.delete(listener);
  }

  async close(): Promise<void> {
    if (!this.#closing) {
      this.#flush();
      this.#closing = true;
      this.#send({ type: "close" });
    }
    await this.#exited;
    this.#rejectAll(closed());
  }

  #admit(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing) throw closed();
    const waiting = this.#proposals.size + this.#queries.size;
    if (waiting < MAX_WAITING) return;
    throw new RingfoldError("overloaded", `${waiting} requests wait for the catalog already`);
  }

  #enqueue(bytes: Uint8Array): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#proposals.set(this.#nextProposal++, { resolve, reject });
      // Whatever else is proposed before the event loop turns travels in the same message.
      if (this.#unsent.push(bytes) === 1) queueMicrotask(() => this.#flush());
    });
  }

  #flush(): void {
    const commands = this.#unsent;
    if (commands.length === 0) return;
    this.#unsent = [];
    this.#send({ type: "commands", first: this.#nextProposal - commands.length, commands });
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #received(message: FromWorker): void {
    switch (message.type) {
      case "ready":
        return this.#ready();
      case "outcomes":
        return this.#settle(message.first, message.outcomes, new Set(message.changed));
      case "answer":
        return taken(this.#queries, message.id).resolve(message.answer);
      case "query-failed":
        return taken(this.#queries, message.id).reject(errorFromNote(message.note));
      case "failed":
        return this.#fail(failureOf(message.note));
      default:
        return unreachable(message);
    }
  }

  #settle(first: number, outcomes: readonly Outcome[], changed: ReadonlySet<ChangedPart>): void {
    for (const [i, outcome] of outcomes.entries()) {
      taken(this.#proposals, first + i).resolve(outcome);
    }
    if (changed.size === 0) return;
    for (const listener of this.#changeListeners) listener(changed);
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#rejectAll(error);
    for (const listener of this.#failureListeners) listener(error);
  }

  #rejectAll(error: Error): void {
    for (const waiting of [...this.#proposals.values(), ...this.#queries.values()]) {
      waiting.reject(error);
    }
    this.#proposals.clear();
    this.#queries.clear();
  }
}

function taken<T>(waiting: Map<number, Waiting<T>>, id: number): Waiting<T> {
  const found = waiting.get(id);
  assert(found !== undefined, "K1: an answer is awaited, once");
  waiting.delete(id);
  return found;
}

const closed = (): RingfoldError => new RingfoldError("no-leader", "the catalog is closed");

const failureOf = (note: ErrorNote): RingfoldError =>
  new RingfoldError(
    note.code,
    note.code === "bug" ? `the catalog's thread: ${note.message}` : note.message,
  );

const threadFailure = (cause: unknown): RingfoldError =>
  new RingfoldError("bug", `the catalog's thread ended: ${String(cause)}`, { cause });
