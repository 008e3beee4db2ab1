/** What is heard of nodes: up, down, leaving, and what one runs after its connection is back. */
import type { NodeId } from "../base/ids.ts";
import type { Schedule } from "./schedule.ts";
import type { SchedulerInput } from "./scheduler-events.ts";
import type { JobAttempt } from "./task.ts";
import { lastAttempt } from "./task-run.ts";
import type { RunningTask, Worker } from "./worker-pool.ts";

type InputOf<T extends SchedulerInput["type"]> = Extract<SchedulerInput, { readonly type: T }>;

export function nodeUp(at: Schedule, input: InputOf<"node-up">): void {
  const known = at.pool.get(input.node);
  if (known !== undefined && input.incarnation > known.incarnation && known.state !== "down") {
    giveUpNode(at, input.node, known);
  }
  const { node, slots, zone, incarnation, epoch } = input;
  at.pool.up({ node, slots, zone, incarnation, epoch });
  if (input.running !== undefined)
    nodeReport(at, { type: "node-report", node, running: input.running });
}

export function nodeDown(at: Schedule, input: InputOf<"node-down">): void {
  if (!at.pool.isNewsOf(input.node, input.epoch)) return;
  const worker = at.pool.get(input.node);
  if (worker !== undefined) worker.epoch = input.epoch;
  giveUpNode(at, input.node, worker);
}

export function nodeLeaving(at: Schedule, node: NodeId): void {
  const worker = at.pool.get(node);
  if (worker?.state === "up") at.pool.setState(worker, "leaving");
}

/** J6: what it ran, and the map outputs that it had, where a reduce has yet to be ordered. */
function giveUpNode(at: Schedule, node: NodeId, worker: Worker | undefined): void {
  if (worker !== undefined) {
    at.pool.setState(worker, "down");
    for (const run of worker.running) {
      at.giveUp(worker, run, "lost");
      const job = at.jobs.get(run.job);
      if (job !== undefined) at.queue(job, run.task);
    }
  }
  for (const job of at.jobs.values()) {
    if (job.reduce.counts.idle > 0) at.loseOutputs(job, job.outputsOn(node));
  }
}

/**
 * Orders that the node does not know of are given again; what it runs or keeps and should not is
 * stopped.
 */
export function nodeReport(at: Schedule, input: InputOf<"node-report">): void {
  const worker = at.pool.get(input.node);
  if (worker === undefined || worker.state === "down") return;
  const reported = new Set(input.running.map(keyOf));
  for (const attempt of input.running) takeReported(at, worker, attempt);
  const over = [...new Set(input.holding)].filter((job) => !at.jobs.has(job)).sort();
  for (const job of over) at.out.push({ type: "clean-job", node: input.node, job });
  for (const run of worker.running) {
    const { phase, number: task } = run.task;
    const key = keyOf({ job: run.job, phase, task, attempt: run.attempt.number });
    if (!reported.has(key)) orderAgain(at, worker, run);
  }
}

const keyOf = ({ job, phase, task, attempt }: JobAttempt): string =>
  `${job} ${phase} ${task} ${attempt}`;

function takeReported(at: Schedule, worker: Worker, reported: JobAttempt): void {
  const { node } = worker;
  const found = at.find({ ...reported, node });
  if (found !== undefined) {
    found.run.attempt.heard = at.now;
    return;
  }
  const job = at.jobs.get(reported.job);
  const task = job?.task(reported.phase, reported.task);
  if (job !== undefined && task?.state === "idle") {
    const newer = reported.attempt > (lastAttempt(task)?.number ?? 0);
    if (newer) {
      at.withdraw(job, task);
      return at.begin(job, task, worker, reported.attempt);
    }
  }
  at.stop(node, reported);
}

/**
 * The order got lost on the way. For a node that leaves, or with map outputs that are gone since,
 * it is given up.
 */
function orderAgain(at: Schedule, worker: Worker, run: RunningTask): void {
  const job = at.jobs.get(run.job);
  if (job === undefined) return;
  if (worker.state === "up" && (run.task.phase === "map" || job.mapsRecorded)) {
    run.attempt.heard = at.now;
    return at.order(job, run.task, run.attempt.number, worker.node);
  }
  at.giveUp(worker, run, "fenced");
  at.queue(job, run.task);
}
