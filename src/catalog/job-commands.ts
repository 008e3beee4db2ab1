/**
 * The job ledger: which jobs there are, which attempt of each task counts, and how each job ended.
 *
 * C30 A job ends once, and its files are registered in the same command as its end, all or none.
 *     Tested.
 * C31 Of all attempts of a task at most one is recorded: the first that finished, until it is lost.
 *     Tested.
 * C32 No two running jobs write into one another's folder, and none into a folder that holds names.
 *     Tested.
 * C33 Only running jobs have task records, and at most {@link KEPT_JOBS} ended jobs are remembered.
 *     Tested.
 */
import { assert, present } from "../base/errors.ts";
import type { FileName, JobId } from "../base/ids.ts";
import type { CommandOf } from "./commands.ts";
import { addVersion } from "./file-commands.ts";
import { done, filesChanged, type Handlers, recordsOf, refuse } from "./handler.ts";
import {
  type Counters,
  type JobRecord,
  type JobSubmission,
  KEPT_JOBS,
  orderKey,
  type TaskRef,
  taskKey,
} from "./records.ts";
import type { CatalogStore } from "./store.ts";

type JobCommand = "job-submit" | "job-tasks-done" | "job-tasks-lost" | "job-end";

export const jobHandlers: Handlers<JobCommand> = {
  "job-submit": (store, { job }, { index, now }) => {
    const known = store.get("job", job.id);
    if (known !== undefined) {
      return known.plan === job.plan && known.bundle === job.bundle
        ? done({ order: known.order, fresh: false })
        : refuse("bad-request", `the job id ${job.id} is another job's`);
    }
    const conflict = outputConflict(store, job);
    if (conflict !== undefined) return conflict;
    store.put("job", job.id, submitted(job, index, now));
    store.put("job-order", orderKey(index), { job: job.id });
    store.put("job-running", job.id, { job: job.id });
    return done({ order: index, fresh: true });
  },

  "job-tasks-done": (store, { job, tasks }, { now }) => {
    const running = isRunning(store, job);
    const recorded: TaskRef[] = [];
    const ignored: TaskRef[] = [];
    for (const { stage, task, attempt, node, output, counters } of tasks) {
      const key = taskKey(job, { stage, task });
      const late = !running || store.get("task", key) !== undefined;
      if (!late) {
        store.put("task", key, { stage, task, attempt, node, output, counters, at: now });
      }
      (late ? ignored : recorded).push({ stage, task });
    }
    return done({ running, recorded, ignored });
  },

  "job-tasks-lost": (store, { job, tasks }) => {
    const running = isRunning(store, job);
    const removed: TaskRef[] = [];
    for (const { stage, task, attempt } of tasks) {
      const key = taskKey(job, { stage, task });
      if (store.get("task", key)?.attempt !== attempt) continue;
      store.delete("task", key);
      removed.push({ stage, task });
    }
    assert(running || removed.length === 0, "C33: only running jobs have task records");
    return done({ running, removed });
  },

  "job-end": (store, command, at) => {
    const job = store.get("job", command.job);
    if (job === undefined) return refuse("no-such-job", `no job ${command.job}`);
    if (job.state !== "running") {
      return refuse("job-ended", `job ${job.id} is ${job.state} already`);
    }
    const fault = endFault(store, job, command);
    if (fault !== undefined) return fault;
    for (const file of command.files) addVersion(store, file.name, file, at);
    if (command.files.length > 0) filesChanged(store);
    const counters = takeTasks(store, job.id);
    const { state, error, stats } = command;
    const files = command.files.map((file) => file.name);
    store.put("job", job.id, { ...job, state, endedAt: at.now, error, counters, stats, files });
    store.delete("job-running", job.id);
    store.put("job-ended", orderKey(at.index), { job: job.id });
    forgetOldest(store);
    return done({ counters });
  },
};

const submitted = (job: JobSubmission, order: number, now: number): JobRecord => ({
  id: job.id,
  name: job.name,
  bundle: job.bundle,
  plan: job.plan,
  mapTasks: job.mapTasks,
  reduceTasks: job.reduceTasks,
  output: job.output,
  replicas: job.replicas,
  params: job.params,
  submittedBy: job.submittedBy,
  input: job.input,
  state: "running",
  order,
  submittedAt: now,
  counters: {},
  stats: {},
  files: [],
});

const isRunning = (store: CatalogStore, job: JobId): boolean =>
  store.get("job-running", job) !== undefined;

/** A folder as its names begin. */
const folder = (output: FileName): string => `${output}/`;

function outputConflict(store: CatalogStore, { output }: JobSubmission) {
  const inside = store.keys("file", { prefix: folder(output), limit: 1 })[0];
  const name = store.get("file", output)?.name ?? inside;
  if (name !== undefined) return refuse("output-exists", `"${name}" exists already`);
  for (const { job } of recordsOf(store, "job-running")) {
    const other = present(store.get("job", job), "C33: a running job has a record").output;
    if (folder(other).startsWith(folder(output)) || folder(output).startsWith(folder(other))) {
      return refuse("output-exists", `job ${job} is writing to "${other}"`);
    }
  }
  return undefined;
}

function endFault(store: CatalogStore, job: JobRecord, { state, files }: CommandOf<"job-end">) {
  if (state !== "done" && files.length > 0) {
    return refuse("bad-request", `job ${job.id} is ${state} and can register no files`);
  }
  const seen = new Set<string>();
  for (const { name } of files) {
    if (!name.startsWith(folder(job.output)) || seen.has(name)) {
      const fault = seen.has(name) ? "is named twice" : `is not under "${folder(job.output)}"`;
      return refuse("bad-request", `job ${job.id}: the output "${name}" ${fault}`);
    }
    seen.add(name);
    if (store.get("file", name) !== undefined) {
      return refuse("output-exists", `"${name}" was written by somebody else while the job ran`);
    }
  }
  return undefined;
}

/** Drops the task records of a job and gives the sum of their counters. */
function takeTasks(store: CatalogStore, job: JobId): Counters {
  const sums = new Map<string, number>();
  for (const key of store.keys("task", { prefix: `${job}/` })) {
    const { counters } = present(store.get("task", key), "S1: a listed key has a record");
    for (const [name, count] of Object.entries(counters)) {
      sums.set(name, (sums.get(name) ?? 0) + count);
    }
    store.delete("task", key);
  }
  return Object.fromEntries([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function forgetOldest(store: CatalogStore): void {
  const ended = store.keys("job-ended", { limit: KEPT_JOBS + 1 });
  const oldest = ended[0];
  if (oldest === undefined || ended.length <= KEPT_JOBS) return;
  const { job } = present(store.get("job-ended", oldest), "S1: a listed key has a record");
  const record = present(store.get("job", job), "C33: a remembered job has a record");
  store.delete("job-ended", oldest);
  store.delete("job-order", orderKey(record.order));
  store.delete("job", job);
}
