/** Jobs as the public API shows them: from the ledger's record, and the scheduler's progress while that is known. */
import { ERRORS } from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import type { JobRecord } from "../../catalog/records.ts";
import type { JobRow, JobView, PhaseRow, TaskRow } from "../../contract/job-view.ts";
import type {
  JobProgress,
  PhaseCounts,
  TaskProgressRow,
  WaitingFor,
} from "../../jobs/job-progress.ts";

/** What a view needs beside the job itself. */
export interface Surroundings {
  readonly coordinator: { readonly id: NodeId; readonly name: string };
  readonly nameOf: (node: NodeId) => string;
  /** Bytes of the registered output files, by name. */
  readonly sizeOf: (name: string) => number;
  /** Known while the job's plan is; afterwards the record's stats tell. */
  readonly input: { readonly files: number; readonly bytes: number } | undefined;
}

const WAITING: Readonly<Record<WaitingFor, string>> = {
  nodes: "a node that computes: none is up",
  slots: "a free slot: other jobs use them all",
  "retry-pause": "a pause before the next try",
  ledger: "the ledger's answer",
};

export function jobRowOf(
  record: JobRecord,
  progress: JobProgress | undefined,
  around: Surroundings,
): JobRow {
  return fieldsOf(record, progress, around);
}

export function jobViewOf(
  record: JobRecord,
  progress: JobProgress | undefined,
  around: Surroundings,
  result: string | null,
  withTasks: boolean,
): JobView {
  const over = record.state !== "running";
  return {
    ...fieldsOf(record, progress, around),
    // A job that is over is one step beyond whatever its scheduler last counted.
    revision: (progress?.revision ?? 0) * 2 + (over ? 1 : 0),
    coordinator: over ? null : around.coordinator,
    tasks: withTasks ? (progress?.tasks ?? []).map((task) => taskRow(task, around)) : [],
    counters: over ? { ...record.counters } : { ...progress?.counters },
    result,
  };
}

function fieldsOf(
  record: JobRecord,
  progress: JobProgress | undefined,
  around: Surroundings,
): JobRow {
  const over = record.state !== "running";
  const files = record.files.map((name) => ({ name, bytes: around.sizeOf(name) }));
  return {
    id: record.id,
    name: record.name,
    state: record.state,
    submittedAt: record.submittedAt,
    finishedAt: record.endedAt ?? null,
    ms: (record.endedAt ?? Date.now()) - record.submittedAt,
    phases: progress === undefined ? phasesOf(record) : livePhases(progress),
    inputs: around.input ?? {
      files: record.stats["inputFiles"] ?? 0,
      bytes: record.stats["inputBytes"] ?? 0,
    },
    attempts: progress?.attempts ?? record.stats["attempts"] ?? 0,
    retries: progress?.retries ?? record.stats["retries"] ?? 0,
    waitingFor: over || progress?.waitingFor === undefined ? null : WAITING[progress.waitingFor],
    error: faultOf(record),
    output: { name: record.output, files },
  };
}

function faultOf({ error }: JobRecord): JobView["error"] {
  if (error === undefined) return null;
  const task = /^((?:map|reduce)-\d+) /.exec(error.message)?.[1] ?? null;
  return { ...error, fix: ERRORS[error.code].fix, task };
}

function phasesOf(record: JobRecord): PhaseRow[] {
  const done = record.state === "done";
  const row = (name: "map" | "reduce", total: number): PhaseRow => ({
    name,
    total,
    idle: done ? 0 : total,
    running: 0,
    done: done ? total : 0,
    bytesDone: 0,
    bytesTotal: 0,
  });
  const map = row("map", record.mapTasks);
  return record.reduceTasks === 0 ? [map] : [map, row("reduce", record.reduceTasks)];
}

function livePhases({ map, reduce }: JobProgress): PhaseRow[] {
  const row = (name: "map" | "reduce", counts: PhaseCounts): PhaseRow => ({
    name,
    total: counts.total,
    idle: counts.idle,
    running: counts.running + counts.finished,
    done: counts.recorded,
    bytesDone: counts.bytesRecorded,
    bytesTotal: counts.bytes,
  });
  return reduce.total === 0 ? [row("map", map)] : [row("map", map), row("reduce", reduce)];
}

function taskRow(task: TaskProgressRow, { nameOf }: Surroundings): TaskRow {
  const last = task.attempts.at(-1);
  const failed = task.attempts.findLast((attempt) => attempt.failure !== undefined);
  const state =
    task.state === "recorded" ? "done" : task.state === "finished" ? "running" : task.state;
  return {
    id: `${task.phase}-${task.task}`,
    phase: task.phase,
    state,
    attempt: last?.attempt ?? 0,
    node: last === undefined ? null : { id: last.node, name: nameOf(last.node) },
    input: task.phase === "map" ? `input split ${task.task}` : `partition ${task.task}`,
    bytesDone: Math.round(task.bytes * (state === "done" ? 1 : task.share)),
    bytesTotal: task.bytes,
    ms: last?.ended === undefined ? null : last.ended - last.started,
    error: failed?.failure === undefined ? null : failed.failure.message,
  };
}
