/** A job in words and tables: for `run`'s progress, `job` and `jobs`. */
import type { JobRow, JobView, PhaseRow } from "../contract/job-view.ts";
import { counted, showBytes, showMillis } from "./quantity.ts";
import { printable, table } from "./table.ts";

/** `map 12/64, 4 running`. */
const phaseText = ({ name, done, total, running }: PhaseRow): string =>
  `${name} ${done}/${total}${running > 0 ? ` (${running} running)` : ""}`;

/** One line for a job that runs. */
export function progressText(view: Pick<JobView, "name" | "phases" | "ms" | "waitingFor">): string {
  const map = view.phases.find((phase) => phase.name === "map");
  const share =
    map !== undefined && map.bytesTotal > 0 ? map.bytesDone / map.bytesTotal : undefined;
  const rate = map !== undefined && view.ms > 0 ? (map.bytesDone / view.ms) * 1000 : 0;
  const parts = [
    `${printable(view.name)}: ${view.phases.map(phaseText).join(", ")}`,
    ...(share === undefined ? [] : [`${Math.floor(share * 100)} % of the input`]),
    ...(rate > 0 ? [`${showBytes(rate)}/s`] : []),
    showMillis(view.ms),
    ...(view.waitingFor === null ? [] : [`waiting: ${printable(view.waitingFor)}`]),
  ];
  return parts.join(", ");
}

export function jobTable(rows: readonly JobRow[]): string {
  const heading = ["id", "name", "state", "submitted", "took", "input", "tasks", "retries"];
  const cells = rows.map((row) => [
    row.id,
    row.name,
    row.state,
    new Date(row.submittedAt).toISOString().slice(0, 19).replace("T", " "),
    showMillis(row.ms),
    showBytes(row.inputs.bytes),
    `${sum(row.phases, "done")}/${sum(row.phases, "total")}`,
    row.retries,
  ]);
  return table(heading, cells);
}

export const sum = (phases: readonly PhaseRow[], key: "done" | "total"): number =>
  phases.reduce((total, phase) => total + phase[key], 0);

/** All that is known of one job. */
export function jobText(view: JobView): string {
  const head = [
    `${view.id}  ${printable(view.name)}  ${view.state}${view.error === null ? "" : ` (${view.error.code})`}`,
    `input    ${counted(view.inputs.files, "file")}, ${showBytes(view.inputs.bytes)}`,
    `output   ${printable(view.output.name)}${filesText(view)}`,
    `time     ${showMillis(view.ms)}, attempts ${view.attempts}, retries ${view.retries}`,
    ...(view.coordinator === null ? [] : [`led by   ${printable(view.coordinator.name)}`]),
    ...(view.waitingFor === null ? [] : [`waiting  ${printable(view.waitingFor)}`]),
    ...(view.error === null
      ? []
      : ["", printable(view.error.message), `→ fix: ${printable(view.error.fix)}`]),
  ];
  return [...head, "", phaseTable(view), ...counterLines(view), ...taskLines(view)].join("\n");
}

function filesText({ output }: JobView): string {
  if (output.files.length === 0) return "";
  const bytes = output.files.reduce((total, file) => total + file.bytes, 0);
  return `, ${counted(output.files.length, "file")}, ${showBytes(bytes)}`;
}

function phaseTable({ phases }: JobView): string {
  const rows = phases.map((p) => [
    p.name,
    p.total,
    p.idle,
    p.running,
    p.done,
    showBytes(p.bytesDone),
  ]);
  return table(["phase", "tasks", "idle", "running", "done", "read"], rows);
}

function counterLines({ counters }: JobView): string[] {
  const entries = Object.entries(counters).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? [] : ["", table(["counter", "value"], entries)];
}

function taskLines({ tasks }: JobView): string[] {
  if (tasks.length === 0) return [];
  const rows = tasks.map((task) => [
    task.id,
    task.state,
    task.attempt,
    task.node?.name ?? "-",
    task.ms === null ? "-" : showMillis(task.ms),
    task.input,
    task.error ?? "",
  ]);
  return ["", table(["task", "state", "attempt", "node", "took", "input", "error"], rows)];
}
