/** What the attempts that ran on this node wrote, kept in memory: the tail of each, the newest attempts. */
import type { Bytes, JobId, Millis } from "../../base/ids.ts";
import type { AttemptKey } from "../../jobs/task.ts";
import type { TaskLogMessage } from "../../wire/control.ts";

/** Kept of one attempt: the last so many characters. */
const TAIL: Bytes = 256 * 1024;
/** Attempts that are kept; empty ones of finished tasks are forgotten first by being small. */
const ATTEMPTS = 2000;

interface Entry {
  readonly job: JobId;
  readonly task: string;
  readonly attempt: number;
  readonly startedAt: Millis;
  state: TaskLogMessage["state"];
  text: string;
  truncated: boolean;
  error: string | null;
}

export const taskName = ({ phase, task }: AttemptKey): string => `${phase}-${task}`;

export class TaskLogs {
  readonly #entries = new Map<string, Entry>();

  begin(job: JobId, key: AttemptKey): void {
    const entry: Entry = {
      job,
      task: taskName(key),
      attempt: key.attempt,
      startedAt: Date.now(),
      state: "running",
      text: "",
      truncated: false,
      error: null,
    };
    this.#entries.set(nameOf(job, key), entry);
    for (const name of this.#entries.keys()) {
      if (this.#entries.size <= ATTEMPTS) break;
      this.#entries.delete(name);
    }
  }

  add(job: JobId, key: AttemptKey, text: string): void {
    const entry = this.#entries.get(nameOf(job, key));
    if (entry === undefined) return;
    entry.text += text;
    // Cut now and then only: each cut copies what is kept, and a task may print a flood.
    if (entry.text.length > 2 * TAIL) cut(entry);
  }

  end(job: JobId, key: AttemptKey, state: TaskLogMessage["state"], error?: string): void {
    const entry = this.#entries.get(nameOf(job, key));
    if (entry === undefined) return;
    entry.state = state;
    entry.error = error ?? null;
  }

  /** Attempts that wrote or failed; all of one task when it is named. In order of start. */
  of(job: JobId, task?: string): TaskLogMessage[] {
    return [...this.#entries.values()]
      .filter((entry) => entry.job === job)
      .filter((entry) =>
        task === undefined ? entry.text !== "" || entry.error !== null : entry.task === task,
      )
      .map((entry) => {
        cut(entry);
        const { job: _job, ...log } = entry;
        return log;
      });
  }
}

function cut(entry: Entry): void {
  if (entry.text.length <= TAIL) return;
  entry.truncated = true;
  entry.text = entry.text.slice(entry.text.length - TAIL);
}

const nameOf = (job: JobId, key: AttemptKey): string => `${job}/${taskName(key)}/${key.attempt}`;
