/**
 * Drives the scheduler on the catalog's leader: takes jobs from the ledger, feeds what nodes report, carries out orders,
 * and enters completions and ends in the ledger, in their order for each job.
 */
import { errorNote, RingfoldError, unreachable } from "../../base/errors.ts";
import type { JobId, Millis, NodeId } from "../../base/ids.ts";
import type { JobFile } from "../../catalog/commands.ts";
import type { JobRecord } from "../../catalog/records.ts";
import type { JobProgress } from "../../jobs/job-progress.ts";
import { type JobPlan, partName } from "../../jobs/plan.ts";
import { Scheduler } from "../../jobs/scheduler.ts";
import type {
  JobStats,
  PartOutput,
  SchedulerEffect,
  SchedulerInput,
} from "../../jobs/scheduler-events.ts";
import type { TaskRecord } from "../../jobs/task.ts";
import { holders } from "../../ring/holders.ts";
import type { TaskReport } from "../../wire/control.ts";
import { decodePlan, type JobInfo } from "../../wire/jobs.ts";
import type { Catalog } from "../catalog/catalog-port.ts";
import type { DataPort } from "../data/data-port.ts";
import { JobLedger } from "./job-ledger.ts";
import { type CourierParts, OrderCourier } from "./order-courier.ts";

/** How often workers are asked what they run: finds orders and reports that got lost. */
const ROLL_CALL: Millis = 5000;

export interface CoordinatorParts extends CourierParts {
  readonly incarnation: number;
  readonly catalog: Catalog;
  readonly data: DataPort;
  /** Something happened that people want to hear of. */
  readonly tell: (
    kind: "job-done" | "job-failed" | "job-cancelled" | "task-retried" | "job-submitted",
    subject: string,
    text: string,
  ) => void;
}

/** A job that runs, with what its orders need. */
interface Running {
  readonly record: JobRecord;
  readonly plan: JobPlan;
  readonly info: JobInfo;
}

export class Coordinator {
  readonly #parts: CoordinatorParts;
  readonly #scheduler: Scheduler;
  readonly #courier: OrderCourier;
  readonly #ledger: JobLedger;
  readonly #running = new Map<JobId, Running>();
  readonly #loading = new Map<JobId, Promise<void>>();
  /** Jobs that an earlier start of this node coordinated: its attempt numbers are not given out again. */
  #resumed: ReadonlySet<JobId> = new Set();
  readonly #watchers = new Map<JobId, Set<() => void>>();
  /** On the member list when it was last looked at. */
  #known = new Set<NodeId>();
  #timer: NodeJS.Timeout | undefined;
  #rollCall: NodeJS.Timeout | undefined;
  #stops: (() => void)[] = [];

  constructor(parts: CoordinatorParts) {
    this.#parts = parts;
    this.#courier = new OrderCourier(parts);
    this.#ledger = new JobLedger(parts);
    this.#scheduler = new Scheduler((block) => {
      const view = parts.view.current;
      if (view === undefined) return [];
      const live = (id: NodeId): boolean => parts.view.member(id)?.state === "up";
      return holders(view.table, view.members.members, block, 3, live);
    });
  }

  /** Takes up what the ledger says is running, then everything new. */
  async start(): Promise<void> {
    const { catalog, view } = this.#parts;
    const { jobs } = await this.#parts.catalog.query({ type: "running-jobs" });
    this.#resumed = new Set(jobs.map((job) => job.id));
    await this.#takeUp();
    this.#stops = [
      view.subscribe(() => this.#membersChanged()),
      catalog.onChange((changed) => {
        if (changed.has("jobs")) void this.#takeUp();
      }),
    ];
    this.#membersChanged();
    this.#rollCall = setInterval(() => this.#callTheRoll(), ROLL_CALL);
  }

  close(): void {
    for (const stop of this.#stops) stop();
    clearTimeout(this.#timer);
    clearInterval(this.#rollCall);
    this.#ledger.close();
  }

  progress(job: JobId): JobProgress | undefined {
    return this.#scheduler.view(job);
  }

  /** How much a running job reads. */
  inputOf(job: JobId): { readonly files: number; readonly bytes: number } | undefined {
    const plan = this.#running.get(job)?.plan;
    return plan === undefined ? undefined : inputOf(plan);
  }

  get running(): readonly JobId[] {
    return this.#scheduler.jobs();
  }

  needs(node: NodeId): { readonly running: number; readonly outputs: number } {
    return this.#scheduler.needs(node);
  }

  report(node: NodeId, report: TaskReport): void {
    switch (report.type) {
      case "done":
        return this.#feed({ type: "task-done", node, ...report.attempt, result: report.result });
      case "failed":
        this.#parts.log.info({ node, ...report.attempt, failure: report.failure }, "task failed");
        return this.#feed({
          type: "task-failed",
          node,
          ...report.attempt,
          failure: report.failure,
        });
      case "progress":
        return this.#feed({ type: "task-progress", node, ...report.attempt, share: report.share });
      default:
        unreachable(report);
    }
  }

  /** Returns when the ledger holds the end of the job. @throws RingfoldError `no-such-job` */
  async cancel(job: JobId): Promise<void> {
    await this.#loading.get(job);
    const running = this.#running.get(job);
    if (running === undefined) return;
    this.#feed({ type: "cancel", job });
    await this.#ledger.settled(job);
  }

  /** Resolves at the job's next change, or when the time is over. */
  changed(job: JobId, patience: Millis): Promise<void> {
    return new Promise((resolve) => {
      const watchers = this.#watchers.get(job) ?? new Set();
      this.#watchers.set(job, watchers);
      const finish = (): void => {
        clearTimeout(timer);
        watchers.delete(finish);
        resolve();
      };
      const timer = setTimeout(finish, patience);
      watchers.add(finish);
    });
  }

  async #takeUp(): Promise<void> {
    const { jobs } = await this.#parts.catalog.query({ type: "running-jobs" });
    const fresh = jobs.filter((job) => !this.#running.has(job.id) && !this.#loading.has(job.id));
    await Promise.all(
      fresh.map((record) => {
        const loading = this.#load(record).finally(() => this.#loading.delete(record.id));
        this.#loading.set(record.id, loading);
        return loading;
      }),
    );
  }

  async #load(record: JobRecord): Promise<void> {
    const { data, log } = this.#parts;
    try {
      const plan = decodePlan(await data.getSmall(record.plan));
      const done = await this.#ledger.tasks(record.id);
      this.#running.set(record.id, { record, plan, info: infoOf(record, plan) });
      const again = this.#resumed.has(record.id);
      const { incarnation: generation } = this.#parts;
      this.#feed({ type: "job-submitted", plan, done, ...(again && { generation }) });
      this.#parts.tell("job-submitted", record.id, `${record.name} was submitted`);
    } catch (error) {
      log.error({ job: record.id, error: errorNote(error) }, "the job could not be taken up");
      if (error instanceof RingfoldError && error.retry !== "never") return;
      await this.#refuse(record, error);
    }
  }

  /** A job whose plan cannot be read will never run: it ends here, with the reason. */
  async #refuse(record: JobRecord, error: unknown): Promise<void> {
    const ending = { state: "failed" as const, error: errorNote(error), files: [], stats: {} };
    await this.#ledger.end(record.id, ending);
  }

  #membersChanged(): void {
    const { epoch, members } = this.#parts.view.members;
    for (const { id, state, slots, zone, incarnation } of members) {
      if (state === "down") this.#feed({ type: "node-down", node: id, epoch });
      else {
        this.#feed({ type: "node-up", node: id, slots, zone, incarnation, epoch });
        if (state === "leaving") this.#feed({ type: "node-leaving", node: id });
      }
    }
    const listed = new Set(members.map((member) => member.id));
    for (const node of this.#known) {
      if (!listed.has(node)) this.#feed({ type: "node-down", node, epoch });
    }
    this.#known = listed;
  }

  #feed(input: SchedulerInput): void {
    const effects = this.#scheduler.step(input, performance.now());
    for (const effect of effects) this.#carry(effect);
    this.#wake("job" in input ? input.job : undefined);
  }

  #wake(job: JobId | undefined): void {
    const sets = job === undefined ? [...this.#watchers.values()] : [this.#watchers.get(job)];
    for (const set of sets) for (const finish of Array.from(set ?? [])) finish();
  }

  #carry(effect: SchedulerEffect): void {
    switch (effect.type) {
      case "start-task":
        return this.#startTask(effect);
      case "stop-task": {
        const { node, job, phase, task, attempt } = effect;
        return this.#courier.stop(node, { job, phase, task, attempt });
      }
      case "record":
        return this.#enter(effect.job, this.#record(effect.job, effect.tasks));
      case "record-lost":
        return this.#enter(effect.job, this.#ledger.lost(effect.job, effect.tasks));
      case "end-job":
        return this.#enter(effect.job, this.#endJob(effect));
      case "clean-job":
        return this.#courier.clean(effect.node, effect.job);
      case "set-timer":
        return this.#setTimer(effect.at);
      case "wake-hosts":
        for (const node of effect.nodes) this.#courier.wake(node, effect.job);
        return;
      default:
        unreachable(effect);
    }
  }

  #setTimer(at: Millis): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#feed({ type: "timer-fired" }),
      Math.max(0, at - performance.now()),
    );
  }

  #startTask({ node, order }: Extract<SchedulerEffect, { type: "start-task" }>): void {
    const info = this.#running.get(order.job)?.info;
    if (info === undefined) return;
    if (order.attempt > 1 && order.attempt % 1000 !== 1) {
      this.#parts.tell(
        "task-retried",
        order.job,
        `${order.phase}-${order.task}, attempt ${order.attempt}`,
      );
    }
    this.#courier.start(node, order, info);
  }

  /** Also while no job runs: a node that was away at the end of one has not heard that it may clean up. */
  #callTheRoll(): void {
    // A job whose plan could not be read just then is tried again.
    void this.#takeUp().catch(() => {});
    this.#courier.rollCall((node, roll) => this.#feed({ type: "node-report", node, ...roll }));
  }

  async #record(job: JobId, tasks: readonly TaskRecord[]): Promise<void> {
    this.#feed({ type: "tasks-recorded", job, ...(await this.#ledger.record(job, tasks)) });
  }

  async #endJob(effect: Extract<SchedulerEffect, { type: "end-job" }>): Promise<void> {
    const { job, state, error, outputs, stats } = effect;
    const running = this.#running.get(job);
    if (running === undefined) return;
    const ended = await this.#ledger.end(job, {
      state,
      ...(error && { error: { code: error.code, message: faultText(error) } }),
      files: state === "done" ? filesOf(running.plan, outputs) : [],
      stats: numbersOf(stats, running.plan),
    });
    this.#running.delete(job);
    this.#wake(job);
    const { name } = running.record;
    this.#parts.tell(`job-${ended.state}`, job, `${name}: ${ended.error?.message ?? ended.state}`);
  }

  #enter(job: JobId, work: Promise<void>): void {
    work.catch((error: unknown) =>
      this.#parts.log.error({ job, error: errorNote(error) }, "the ledger refused"),
    );
  }
}

const faultText = (error: {
  readonly phase: string;
  readonly task: number;
  readonly message: string;
  readonly attempts: number;
}): string => `${error.phase}-${error.task} failed ${error.attempts} times: ${error.message}`;

const infoOf = (record: JobRecord, plan: JobPlan): JobInfo => ({
  name: record.name,
  stage: plan.stage,
  bundle: record.bundle,
  params: record.params,
  seed: record.id,
  limits: plan.limits,
  replicas: plan.replicas,
  partitions: plan.partitions,
});

const filesOf = (plan: JobPlan, outputs: readonly PartOutput[]): JobFile[] =>
  outputs.map(({ task, output }) => ({
    name: partName(plan, task),
    manifest: output.manifest,
    manifestBytes: output.manifestBytes,
    bytes: output.bytes,
    blocks: output.blocks,
    replicas: plan.replicas,
    contentType: "text/plain; charset=utf-8",
  }));

function inputOf({ maps }: JobPlan): { readonly files: number; readonly bytes: number } {
  const pieces = maps.flatMap(({ input }) => (input.kind === "blocks" ? input.pieces : []));
  return {
    files: new Set(pieces.map((piece) => piece.file)).size,
    bytes: maps.reduce((sum, map) => sum + map.bytes, 0),
  };
}

const numbersOf = (
  { maps, reduces, attempts, retries, localMaps, ms }: JobStats,
  plan: JobPlan,
) => ({
  inputFiles: inputOf(plan).files,
  inputBytes: inputOf(plan).bytes,
  maps,
  reduces,
  attempts,
  retries,
  localMaps,
  ms: Math.round(ms),
});
