/** What a user's functions get as `ctx`, and what a task hears from its host's surroundings. */
import { RingfoldError } from "../base/errors.ts";
import { seededRandom } from "../base/random.ts";
import { showValue } from "./codec.ts";
import type { JobPlan } from "./plan.ts";
import type { TaskPlace } from "./task-place.ts";

export interface TaskRun {
  readonly plan: JobPlan;
  readonly stage: string;
  readonly params: Readonly<Record<string, string | number | boolean>>;
  readonly seed: string;
  /** `map` or `reduce`: the two have different random numbers. */
  readonly phase: "map" | "reduce";
  readonly task: number;
}

/** Called by a running task. */
export interface TaskEvents {
  /** Cheap: called every few records; the host decides how often to send. */
  progress(records: number, bytes: number): void;
  log(line: string): void;
}

/** The job's context; `file` follows the place. */
export class UserContext {
  readonly params: TaskRun["params"];
  readonly task: { readonly index: number; readonly stage: string };
  readonly count: (name: string, by?: number) => void;
  readonly random: () => number;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly #place: TaskPlace;

  constructor(run: TaskRun, place: TaskPlace, counters: Map<string, number>, events: TaskEvents) {
    this.params = run.params;
    this.task = { index: run.task, stage: run.stage };
    this.#place = place;
    this.count = counting(run.plan.counters, counters);
    const random = seededRandom(`${run.seed}/${run.stage}/${run.phase}/${run.task}`);
    this.random = () => random.next();
    this.log = (message, fields) => {
      const more = fields === undefined ? "" : ` ${showFields(fields)}`;
      events.log(`${String(message)}${more}`);
    };
  }

  get file(): string {
    return this.#place.file;
  }
}

function showFields(fields: unknown): string {
  try {
    return JSON.stringify(fields) ?? "";
  } catch {
    return String(fields);
  }
}

function counting(
  declared: readonly string[],
  counters: Map<string, number>,
): (name: string, by?: number) => void {
  for (const name of declared) counters.set(name, 0);
  return (name, by = 1) => {
    const old = counters.get(name);
    if (old === undefined) {
      throw new RingfoldError("job-codec", `the job declares no counter ${showValue(name)}`);
    }
    if (!Number.isSafeInteger(by)) {
      throw new RingfoldError("job-codec", `a counter counts integers, not ${showValue(by)}`);
    }
    counters.set(name, old + by);
  };
}
