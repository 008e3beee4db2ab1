/**
 * What only the coordinator knows, for the public API: jobs, logs, and what all nodes told of themselves. On the leader
 * they are answered here; any other node passes them on, and checks the answers against the contract.
 */
import { z } from "zod";
import { RingfoldError } from "../../base/errors.ts";
import { type JobId, jobId, type Millis, type NodeId } from "../../base/ids.ts";
import { MAX_PAGE } from "../../catalog/queries.ts";
import type { JobRecord } from "../../catalog/records.ts";
import { type JobRow, type JobView, jobRow, jobView } from "../../contract/job-view.ts";
import { type TaskLog, taskLog } from "../../contract/task-log.ts";
import { checked } from "../../wire/cbor.ts";
import { type ControlMethods, type Vitals, vitalsSchema } from "../../wire/control.ts";
import type { Catalog } from "../catalog/catalog-port.ts";
import type { PeerAddress, Transport } from "../transport/transport.ts";
import type { Coordinator } from "./coordinator.ts";
import type { JobResults } from "./job-results.ts";
import { jobRowOf, jobViewOf, type Surroundings } from "./job-views.ts";
import { taskName } from "./task-logs.ts";
import type { TaskRunner } from "./task-runner.ts";
import type { ViewHolder } from "./view-holder.ts";
import { addressOf } from "./watch-driver.ts";

const LISTED_JOBS = 100;
const LOG_DEADLINE: Millis = 3000;
const ASK_DEADLINE: Millis = 10_000;
/** Vitals older than this say nothing of now. */
export const VITALS_LIFE: Millis = 5000;

const watchSchema = z.strictObject({
  id: z.string(),
  tasks: z.boolean(),
  after: z.number().optional(),
  wait: z.number().min(0).max(60_000),
});
const logsSchema = z.strictObject({ id: z.string(), task: z.string().optional() });
const nodeVitalsSchema = z.record(z.string(), vitalsSchema);

/** The questions, each with its argument and its answer. */
export interface Asks {
  jobs(): Promise<JobRow[]>;
  job(argument: z.output<typeof watchSchema>): Promise<JobView>;
  cancel(id: JobId): Promise<void>;
  logs(argument: z.output<typeof logsSchema>): Promise<TaskLog[]>;
  vitals(): Promise<Record<string, Vitals>>;
}

export interface LeaderParts {
  readonly self: NodeId;
  readonly catalog: Catalog;
  readonly coordinator: Coordinator;
  readonly transport: Transport<ControlMethods>;
  readonly runner: TaskRunner;
  readonly view: ViewHolder;
  readonly results: JobResults;
  /** The freshest of every live node. */
  readonly vitals: () => Record<string, Vitals>;
}

export class LeaderAsks implements Asks {
  readonly #parts: LeaderParts;

  constructor(parts: LeaderParts) {
    this.#parts = parts;
  }

  /** What arrives from another node. */
  async answer(call: string, argument: unknown): Promise<unknown> {
    switch (call) {
      case "jobs":
        return this.jobs();
      case "job":
        return this.job(checked(watchSchema, argument, "job"));
      case "cancel":
        return this.cancel(jobId(checked(z.string(), argument, "cancel")));
      case "logs":
        return this.logs(checked(logsSchema, argument, "logs"));
      case "vitals":
        return this.vitals();
      default:
        throw new RingfoldError("protocol", `the coordinator is not asked for ${call}`);
    }
  }

  async jobs(): Promise<JobRow[]> {
    const { jobs } = await this.#parts.catalog.query({ type: "jobs", limit: LISTED_JOBS });
    const { coordinator } = this.#parts;
    return Promise.all(
      jobs.map(async (job) =>
        jobRowOf(job, coordinator.progress(job.id), this.#around(job, await this.#sizes(job))),
      ),
    );
  }

  async job({ id, tasks, after, wait }: z.output<typeof watchSchema>): Promise<JobView> {
    const { coordinator } = this.#parts;
    const end = performance.now() + wait;
    for (;;) {
      const view = await this.#view(jobId(id), tasks);
      const left = end - performance.now();
      const news = after === undefined || view.revision > after || view.state !== "running";
      if (news || left <= 0) return view;
      await coordinator.changed(jobId(id), left);
    }
  }

  async cancel(id: JobId): Promise<void> {
    await this.#record(id);
    await this.#parts.coordinator.cancel(id);
  }

  async logs({ id, task }: z.output<typeof logsSchema>): Promise<TaskLog[]> {
    const { self, transport, runner, view } = this.#parts;
    const job = jobId(id);
    await this.#record(job);
    const all = await Promise.all(
      view.members.members.map(async (member) => {
        const node = { id: member.id, name: member.name };
        if (member.id === self) return runner.logs.of(job, task).map((log) => ({ ...log, node }));
        const to = addressOf(view, member.id);
        if (to === undefined || member.state === "down") return [];
        const logs = await transport
          .request(
            to,
            "task-logs",
            { job, ...(task !== undefined && { task }) },
            { deadline: LOG_DEADLINE },
          )
          .catch(() => []);
        return logs.map((log) => ({ ...log, node }));
      }),
    );
    return this.#withLost(all.flat(), job, task);
  }

  async vitals(): Promise<Record<string, Vitals>> {
    return this.#parts.vitals();
  }

  /** Failed attempts of nodes that are gone are told from what the scheduler remembers. */
  #withLost(logs: readonly TaskLog[], job: JobId, task: string | undefined): TaskLog[] {
    const known = new Set(logs.map((log) => `${log.task}/${log.attempt}`));
    const lost: TaskLog[] = [];
    for (const row of this.#parts.coordinator.progress(job)?.tasks ?? []) {
      for (const { attempt, node, state, failure, started } of row.attempts) {
        const name = taskName({ phase: row.phase, task: row.task, attempt });
        if (task !== undefined && task !== name) continue;
        if (known.has(`${name}/${attempt}`)) continue;
        if (state !== "failed" && state !== "lost" && state !== "fenced") continue;
        lost.push({
          task: name,
          attempt,
          node: { id: node, name: this.#nameOf(node) },
          state: state === "failed" ? "failed" : "lost",
          startedAt: Math.round(Date.now() - (performance.now() - started)),
          text: "",
          truncated: false,
          error: failure?.message ?? null,
        });
      }
    }
    return [...logs, ...lost].sort((a, b) => a.startedAt - b.startedAt);
  }

  async #record(id: JobId): Promise<JobRecord> {
    const { job } = await this.#parts.catalog.query({ type: "job", id });
    if (job === undefined) throw new RingfoldError("no-such-job", `there is no job ${id}`);
    return job;
  }

  async #view(id: JobId, withTasks: boolean): Promise<JobView> {
    const record = await this.#record(id);
    const sizes = await this.#sizes(record);
    const progress = this.#parts.coordinator.progress(id);
    const result = await this.#parts.results.of(record);
    return jobViewOf(record, progress, this.#around(record, sizes), result, withTasks);
  }

  /** Of the job's registered files; one that was removed since has none. */
  async #sizes({ output, files }: JobRecord): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    let after: string | undefined;
    if (files.length === 0) return sizes;
    do {
      const query = { type: "files" as const, prefix: `${output}/`, after, limit: MAX_PAGE };
      const page = await this.#parts.catalog.query(query);
      for (const file of page.files) sizes.set(file.name, file.versions[0].bytes);
      after = page.next;
    } while (after !== undefined);
    return sizes;
  }

  #around(record: JobRecord, sizes: ReadonlyMap<string, number>): Surroundings {
    const { self, coordinator } = this.#parts;
    return {
      coordinator: { id: self, name: this.#nameOf(self) },
      nameOf: (node) => this.#nameOf(node),
      sizeOf: (name) => sizes.get(name) ?? 0,
      input: coordinator.inputOf(record.id),
    };
  }

  #nameOf(node: NodeId): string {
    return this.#parts.view.member(node)?.name ?? node.slice(0, 12);
  }
}

/** The same questions, over the transport. */
export class RemoteAsks implements Asks {
  readonly #transport: Transport<ControlMethods>;
  readonly #leader: () => PeerAddress | undefined;

  constructor(transport: Transport<ControlMethods>, leader: () => PeerAddress | undefined) {
    this.#transport = transport;
    this.#leader = leader;
  }

  async jobs(): Promise<JobRow[]> {
    return checked(z.array(jobRow), await this.#ask("jobs", null), "jobs");
  }

  async job(argument: z.output<typeof watchSchema>): Promise<JobView> {
    const answer = await this.#ask("job", argument, ASK_DEADLINE + argument.wait);
    return checked(jobView, answer, "job");
  }

  async cancel(id: JobId): Promise<void> {
    await this.#ask("cancel", id);
  }

  async logs(argument: z.output<typeof logsSchema>): Promise<TaskLog[]> {
    return checked(z.array(taskLog), await this.#ask("logs", argument), "logs");
  }

  async vitals(): Promise<Record<string, Vitals>> {
    return checked(nodeVitalsSchema, await this.#ask("vitals", null, 300), "vitals");
  }

  async #ask(call: string, argument: unknown, deadline = ASK_DEADLINE): Promise<unknown> {
    const leader = this.#leader();
    if (leader === undefined) throw new RingfoldError("no-leader", "no leader is known yet");
    try {
      return await this.#transport.request(leader, "ask", { call, argument }, { deadline });
    } catch (error) {
      if (error instanceof RingfoldError && error.code === "peer-unreachable") {
        throw new RingfoldError("no-leader", "the catalog's leader does not answer", {
          cause: error,
        });
      }
      throw error;
    }
  }
}
