/**
 * The scheduler's driver on the leader: carries out orders, enters completions and ends in the ledger. The simulated twin of
 * the node's coordinator.
 */
import { assert, unreachable } from "../src/base/errors.ts";
import { blockIdOf } from "../src/base/hash.ts";
import type { JobId, Millis, NodeId } from "../src/base/ids.ts";
import type { Opaque } from "../src/catalog/records.ts";
import { type JobPlan, partName } from "../src/jobs/plan.ts";
import { Scheduler } from "../src/jobs/scheduler.ts";
import type { SchedulerEffect, SchedulerInput } from "../src/jobs/scheduler-events.ts";
import type { TaskRecord } from "../src/jobs/task.ts";
import { holders } from "../src/ring/holders.ts";
import type { MemberList } from "../src/ring/member.ts";
import type { Checkers } from "./checkers.ts";
import { type Flow, launch, pause } from "./flow.ts";
import type { Leader } from "./leader.ts";
import type { Report, RequestOf } from "./methods.ts";
import type { Network } from "./network.ts";
import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

const ROLL_CALL: Millis = 5000;
const ORDER_DEADLINE: Millis = 2000;

export class Coordinator {
  readonly scheduler: Scheduler;
  readonly #leader: Leader;
  readonly #node: SimNode;
  readonly #world: World;
  readonly #network: Network;
  readonly #checkers: Checkers;
  readonly #plans = new Map<JobId, JobPlan>();
  #known = new Set<NodeId>();
  #timer = 0;

  constructor(leader: Leader, node: SimNode, world: World, network: Network, checkers: Checkers) {
    this.#leader = leader;
    this.#node = node;
    this.#world = world;
    this.#network = network;
    this.#checkers = checkers;
    this.scheduler = new Scheduler((block) => {
      const { members, table } = leader.view;
      const up = (id: NodeId): boolean =>
        members.members.some((member) => member.id === id && member.state === "up");
      return holders(table, members.members, block, 3, up);
    });
  }

  submit(plan: JobPlan): boolean {
    const { id, name, output, replicas } = plan;
    const block = blockIdOf(Buffer.from(id));
    const outcome = this.#leader.propose({
      type: "job-submit",
      job: {
        id,
        name,
        bundle: block,
        plan: block,
        mapTasks: plan.maps.length,
        reduceTasks: plan.partitions,
        output,
        replicas,
        params: {},
        submittedBy: "sim",
        input: [],
      },
    });
    if (!outcome.ok) return false;
    this.#plans.set(id, plan);
    this.#feed({ type: "job-submitted", plan });
    return true;
  }

  reported(report: Report, node: NodeId): void {
    if (report.type === "done") {
      return this.#feed({ type: "task-done", node, ...report.attempt, result: report.result });
    }
    if (report.type === "failed") {
      return this.#feed({ type: "task-failed", node, ...report.attempt, failure: report.failure });
    }
    this.#feed({ type: "task-progress", node, ...report.attempt, share: report.share });
  }

  /** Everybody on the list, told anew at each change. */
  membersChanged({ epoch, members }: MemberList): void {
    for (const { id, state, slots, zone, incarnation } of members) {
      if (state === "down") this.#feed({ type: "node-down", node: id, epoch });
      else this.#feed({ type: "node-up", node: id, slots, zone, incarnation, epoch });
      if (state === "leaving") this.#feed({ type: "node-leaving", node: id });
    }
    const listed = new Set(members.map((member) => member.id));
    for (const node of this.#known) {
      if (!listed.has(node)) this.#feed({ type: "node-down", node, epoch });
    }
    this.#known = listed;
  }

  *rollCalls(): Flow<void> {
    for (;;) {
      yield* pause(this.#world, this.#node.life, ROLL_CALL);
      for (const { id, state } of this.#leader.view.members.members) {
        if (state !== "down") this.#callOn(id);
      }
    }
  }

  #callOn(node: NodeId): void {
    this.#network.ask(this.#node, node, "roll-call", null, ORDER_DEADLINE, (reply) => {
      if (reply.ok) this.#feed({ type: "node-report", node, ...reply.answer });
    });
  }

  #feed(input: SchedulerInput): void {
    const effects = this.scheduler.step(input, this.#world.now);
    this.#checkers.scheduled(input, effects, this.scheduler);
    for (const effect of effects) this.#carry(effect);
  }

  #carry(effect: SchedulerEffect): void {
    switch (effect.type) {
      case "start-task": {
        const { order, node } = effect;
        const plan = this.#plans.get(order.job);
        assert(plan !== undefined, "an order's job has a plan");
        const { job, phase, task, attempt } = order;
        this.#world.tell(
          `start ${job.slice(0, 3)} ${phase} ${task}.${attempt} on ${node.slice(0, 6)}`,
        );
        const shape = { partitions: plan.partitions, replicas: plan.replicas };
        return this.#order(node, "start-task", { order, shape });
      }
      case "stop-task": {
        const { node, job, phase, task, attempt } = effect;
        return this.#order(node, "stop-task", { job, phase, task, attempt });
      }
      case "clean-job":
        return this.#order(effect.node, "clean-job", effect.job);
      case "record":
        return launch(this.#record(effect.job, effect.tasks), this.#node.life);
      case "record-lost": {
        const tasks = effect.tasks.map(({ phase, ...key }) => ({ stage: phase, ...key }));
        this.#leader.expect({ type: "job-tasks-lost", job: effect.job, tasks });
        return;
      }
      case "end-job":
        return this.#endJob(effect);
      case "set-timer":
        return this.#setTimer(effect.at);
      case "wake-hosts":
        return;
      default:
        unreachable(effect);
    }
  }

  /** Not repeated when it fails: the roll call finds what got lost. */
  #order<M extends "start-task" | "stop-task" | "clean-job">(
    node: NodeId,
    method: M,
    body: RequestOf<M>,
  ): void {
    this.#network.ask(this.#node, node, method, body, ORDER_DEADLINE, () => {});
  }

  *#record(job: JobId, tasks: readonly TaskRecord[]): Flow<void> {
    const { recorded } = this.#leader.expect({
      type: "job-tasks-done",
      job,
      tasks: tasks.map(({ phase, task, attempt, node, result }) => ({
        stage: phase,
        task,
        attempt,
        node,
        output: result as unknown as Opaque,
        counters: result.counters,
      })),
    });
    yield* this.#leader.sync();
    const names = new Set(recorded.map((ref) => `${ref.stage}/${ref.task}`));
    const isIn = ({ phase, task }: TaskRecord): boolean => names.has(`${phase}/${task}`);
    const accepted = tasks.filter(isIn);
    const ignored = tasks.filter((task) => !isIn(task));
    this.#feed({ type: "tasks-recorded", job, accepted, ignored });
  }

  #endJob(effect: Extract<SchedulerEffect, { type: "end-job" }>): void {
    const { job, state, error, outputs } = effect;
    const plan = this.#plans.get(job);
    assert(plan !== undefined, "a job that ends has a plan");
    this.#world.tell(`job ${job.slice(0, 3)} ${state} ${error?.message ?? ""}`);
    const files = outputs.map(({ task, output }) => ({
      name: partName(plan, task),
      manifest: output.manifest,
      manifestBytes: output.manifestBytes,
      bytes: output.bytes,
      blocks: output.blocks,
      replicas: plan.replicas,
      contentType: "text/plain",
    }));
    this.#leader.expect({ type: "job-end", job, state, error, files, stats: {} });
    this.#leader.push();
  }

  #setTimer(at: Millis): void {
    this.#timer += 1;
    const mine = this.#timer;
    this.#world.after(Math.max(0, at - this.#world.now), this.#node.life, () => {
      if (mine === this.#timer) this.#feed({ type: "timer-fired" });
    });
  }
}
