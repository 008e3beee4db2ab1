/** The node's state as Prometheus text. Counters live where they are counted; this reads them when asked. */

import type * as Metrics from "prom-client";
import type { Status } from "../../contract/status.ts";
import type { Vitals } from "../../wire/control.ts";

/** @param restarts of the data process since the node started */
export async function metricsText(
  status: Status,
  vitals: Vitals,
  restarts: number,
): Promise<string> {
  const { Gauge, Registry } = await loadMetrics();
  const registry = new Registry();
  const gauge = (name: string, help: string, value: number): void =>
    new Gauge({ name: `ringfold_${name}`, help, registers: [registry] }).set(value);
  const labelled = new Gauge({
    name: "ringfold_nodes",
    help: "Members of the cluster by state",
    labelNames: ["state"],
    registers: [registry],
  });
  for (const [state, count] of Object.entries(status.nodes)) labelled.set({ state }, count);
  const memory = new Gauge({
    name: "ringfold_process_resident_bytes",
    help: "Resident memory of this node's processes",
    labelNames: ["kind", "pid"],
    registers: [registry],
  });
  for (const { kind, pid, memory: bytes } of status.processes) {
    memory.set({ kind, pid: String(pid) }, bytes);
  }
  gauge("epoch", "Membership epoch", status.epoch);
  gauge("files", "Files in the cluster", status.files.count);
  gauge("file_bytes", "Length of all files, copies not counted", status.files.bytes);
  gauge("jobs_running", "Jobs that run", status.jobs.running);
  gauge("blocks_healing", "Blocks with fewer copies than wanted", status.health.healing);
  gauge("blocks_last_copy", "Blocks with one copy left that want more", status.health.lastCopy);
  gauge("blocks_missing", "Blocks without a live copy", status.health.missing);
  gauge("node_blocks", "Blocks on this node", vitals.blocks);
  gauge("node_bytes", "Bytes of blocks on this node", vitals.bytes);
  gauge("node_free_bytes", "Free bytes on this node's disk", vitals.free);
  gauge("node_tasks_running", "Tasks that run on this node", vitals.running);
  gauge("data_process_restarts", "Restarts of this node's data process", restarts);
  return registry.metrics();
}

/** Loaded when first asked: a node that nobody scrapes does not pay for it. */
let loaded: Promise<typeof Metrics> | undefined;
const loadMetrics = (): Promise<typeof Metrics> => {
  loaded ??= import("prom-client");
  return loaded;
};
