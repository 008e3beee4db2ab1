/** Makes the picture of a running job that status pages show. */
import type { JobProgress, PhaseCounts, TaskProgressRow, WaitingFor } from "./job-progress.ts";
import type { JobRun, PhaseRun } from "./job-run.ts";
import { attemptRow, type TaskRun } from "./task-run.ts";
import type { WorkerPool } from "./worker-pool.ts";

export function progressOf(job: JobRun, pool: WorkerPool): JobProgress {
  const { id, name, stage } = job.plan;
  const waitingFor = waitOf(job, pool);
  return {
    job: id,
    name,
    stage,
    state: "running",
    submitted: job.submitted,
    revision: job.revision,
    map: countsOf(job.map),
    reduce: countsOf(job.reduce),
    attempts: job.attempts,
    retries: job.retries,
    ...(waitingFor === undefined ? {} : { waitingFor }),
    counters: job.counters(),
    outputs: [],
    tasks: [...job.map.tasks, ...job.reduce.tasks].map(rowOf),
  };
}

const countsOf = (phase: PhaseRun): PhaseCounts => ({
  total: phase.tasks.length,
  ...phase.counts,
  bytes: phase.tasks.reduce((sum, task) => sum + task.bytes, 0),
  bytesRecorded: phase.bytesRecorded,
});

const rowOf = (task: TaskRun): TaskProgressRow => ({
  phase: task.phase,
  task: task.number,
  state: task.state,
  share: task.share,
  bytes: task.bytes,
  attempts: task.attempts.map(attemptRow),
});

function waitOf(job: JobRun, pool: WorkerPool): WaitingFor | undefined {
  if (job.running > 0) return undefined;
  if (job.runnable > 0) return pool.usable().length === 0 ? "nodes" : "slots";
  return job.recording ? "ledger" : "retry-pause";
}
