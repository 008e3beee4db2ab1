/**
 * The coordinator's hand on the job ledger: what counts is entered one thing after the other for each job, and tried again
 * while the catalog cannot take it (a full disk, too many requests). What the catalog refuses for good is not repeated.
 */
import type { Logger } from "pino";
import { type ErrorNote, errorNote, RingfoldError } from "../../base/errors.ts";
import type { JobId, Millis } from "../../base/ids.ts";
import type { JobFile } from "../../catalog/commands.ts";
import type { Counters, TaskRecord as LedgerRecord, Opaque } from "../../catalog/records.ts";
import type { JobEndState } from "../../jobs/scheduler-events.ts";
import type { AttemptKey, TaskRecord } from "../../jobs/task.ts";
import { checked } from "../../wire/cbor.ts";
import { taskRecordSchema } from "../../wire/jobs.ts";
import type { Catalog } from "../catalog/catalog-port.ts";

/** Between two tries of an entry. */
const PAUSE: Millis = 500;

export interface LedgerParts {
  readonly catalog: Pick<Catalog, "propose" | "query">;
  readonly log: Logger;
  readonly pause?: Millis;
}

/** The ledger's answer to completions. `winner`: the record that counts instead. */
export interface Recorded {
  readonly accepted: readonly AttemptKey[];
  readonly ignored: readonly (AttemptKey & { readonly winner?: TaskRecord })[];
}

export interface JobEnding {
  readonly state: JobEndState;
  readonly error?: ErrorNote;
  readonly files: readonly JobFile[];
  readonly stats: Counters;
}

export class JobLedger {
  readonly #parts: LedgerParts;
  readonly #last = new Map<JobId, Promise<unknown>>();
  #closed = false;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  close(): void {
    this.#closed = true;
  }

  /** What the ledger has of the job. */
  async tasks(job: JobId): Promise<TaskRecord[]> {
    const { tasks } = await this.#parts.catalog.query({ type: "job", id: job });
    return tasks.map(fromLedger);
  }

  record(job: JobId, tasks: readonly TaskRecord[]): Promise<Recorded> {
    return this.#next(job, async () => {
      const command = { type: "job-tasks-done" as const, job, tasks: tasks.map(toLedger) };
      const { recorded } = await this.#parts.catalog.propose(command);
      const names = new Set(recorded.map(({ stage, task }) => `${stage}/${task}`));
      const accepted = tasks.filter((task) => names.has(nameOf(task)));
      const ignored = tasks.filter((task) => !names.has(nameOf(task)));
      return { accepted: accepted.map(keyOf), ignored: await this.#withWinners(job, ignored) };
    });
  }

  lost(job: JobId, tasks: readonly AttemptKey[]): Promise<void> {
    return this.#next(job, async () => {
      await this.#parts.catalog.propose({
        type: "job-tasks-lost",
        job,
        tasks: tasks.map(({ phase, task, attempt }) => ({ stage: phase, task, attempt })),
      });
    });
  }

  /**
   * Ends the job. When its end is refused (somebody took an output's name meanwhile) it fails with that reason: it must not
   * stay running for ever. Answers how it ended.
   */
  end(job: JobId, ending: JobEnding): Promise<JobEnding> {
    const ended = this.#next(job, async () => {
      try {
        await this.#parts.catalog.propose({ type: "job-end", job, ...ending });
        return ending;
      } catch (error) {
        if (isPassing(error)) throw error;
        this.#parts.log.error({ job, error: errorNote(error) }, "the end of the job was refused");
        const failed = { ...ending, state: "failed" as const, error: errorNote(error), files: [] };
        await this.#parts.catalog.propose({ type: "job-end", job, ...failed });
        return failed;
      }
    });
    void ended.finally(() => this.#last.delete(job)).catch(() => {});
    return ended;
  }

  /** Resolves when everything handed in so far for the job is entered or refused. */
  async settled(job: JobId): Promise<void> {
    await this.#last.get(job)?.catch(() => {});
  }

  async #withWinners(job: JobId, ignored: readonly TaskRecord[]): Promise<Recorded["ignored"]> {
    if (ignored.length === 0) return [];
    const winners = new Map((await this.tasks(job)).map((record) => [nameOf(record), record]));
    return ignored.map((task) => {
      const winner = winners.get(nameOf(task));
      return winner === undefined ? keyOf(task) : { ...keyOf(task), winner };
    });
  }

  #next<T>(job: JobId, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(job) ?? Promise.resolve();
    const done = before.catch(() => {}).then(() => this.#persist(job, work));
    this.#last.set(job, done);
    return done;
  }

  async #persist<T>(job: JobId, work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (this.#closed || !isPassing(error)) throw error;
        this.#parts.log.warn({ job, error: errorNote(error) }, "the ledger cannot take it yet");
        await new Promise((resolve) => setTimeout(resolve, this.#parts.pause ?? PAUSE));
      }
    }
  }
}

/** Nothing was entered, and it may go well later. */
const isPassing = (error: unknown): boolean =>
  error instanceof RingfoldError && (error.code === "disk-full" || error.code === "overloaded");

const nameOf = ({ phase, task }: AttemptKey): string => `${phase}/${task}`;
const keyOf = ({ phase, task, attempt }: AttemptKey): AttemptKey => ({ phase, task, attempt });

const toLedger = ({ phase, task, attempt, node, result }: TaskRecord) => ({
  stage: phase,
  task,
  attempt,
  node,
  output: result as unknown as Opaque,
  counters: result.counters,
});

const fromLedger = ({ stage, task, attempt, node, output }: LedgerRecord): TaskRecord =>
  checked(taskRecordSchema, { phase: stage, task, attempt, node, result: output }, "task record");
