/**
 * For tests: plans and clusters with short names, and what a scheduler says as lines that people
 * can read.
 */
import { type BlockId, fileName, type JobId, jobId, type NodeId, nodeId } from "../base/ids.ts";
import { type JobPlan, planJob } from "./plan.ts";
import { Scheduler } from "./scheduler.ts";
import type { SchedulerEffect, SchedulerInput } from "./scheduler-events.ts";
import type { AttemptKey, JobAttempt, TaskFailure, TaskRecord, TaskResult } from "./task.ts";

/** Node `a` has the id `aaaa…`. */
export const node = (letter: string): NodeId => nodeId(letter.repeat(64));
export const job = (letter: string): JobId => jobId(`j${letter.repeat(12)}`);
/** Block `a3` has an id that begins so. */
export const block = (name: string): BlockId => name.padEnd(64, "0") as BlockId;

const short = (id: string): string => (id.startsWith("j") ? id.slice(0, 2) : id.slice(0, 1));

export interface PlanShape {
  readonly id?: string;
  readonly maps?: number;
  readonly reducers?: number;
  readonly blocks?: readonly string[];
  readonly maxAttempts?: number;
}

/** A plan over blocks (default) or over a range, with `reducers` 0 for map-only. */
export function plan({
  id = "x",
  maps,
  reducers = 1,
  blocks,
  maxAttempts = 4,
}: PlanShape): JobPlan {
  const files = (blocks ?? []).map((name) => ({
    name: fileName(`in/${name}`),
    manifestBlocks: [{ id: block(name), length: 1_000_000, offset: 0 }],
  }));
  return planJob({
    id: job(id),
    name: "count",
    stage: "count",
    source: maps === undefined ? { kind: "blocks", files } : { kind: "range", count: maps },
    hasReduce: reducers > 0,
    ...(reducers > 0 ? { reducers } : {}),
    replicas: 2,
    output: fileName("out"),
    limits: { maxAttempts },
  });
}

/** What a map of a plan with so many partitions leaves. */
export const segments = (
  partitions: number,
  counters: Record<string, number> = {},
): TaskResult => ({
  output: {
    kind: "segments",
    partitions: Array.from({ length: partitions }, (_, i) => ({
      offset: i * 10,
      length: 10,
      records: 1,
      crc: 7,
    })),
  },
  records: 1,
  counters,
  ms: 5,
});

export const part = (name = "f0"): TaskResult => ({
  output: { kind: "part", manifest: block(name), manifestBytes: 40, bytes: 20, blocks: 1 },
  records: 1,
  counters: {},
  ms: 5,
});

/** `m0.1` is the first attempt of map task 0. */
export function attemptKey(text: string): AttemptKey {
  const match = /^([mr])(\d+)\.(\d+)$/.exec(text);
  const phase = match?.[1] === "r" ? "reduce" : "map";
  return { phase, task: Number(match?.[2]), attempt: Number(match?.[3]) };
}

const nameOf = (key: AttemptKey): string =>
  `${key.phase === "map" ? "m" : "r"}${key.task}.${key.attempt}`;

const taskName = (at: JobAttempt): string => `${short(at.job)} ${nameOf(at)}`;

/** One effect as a line. */
export function told(effect: SchedulerEffect): string {
  switch (effect.type) {
    case "start-task": {
      const { order } = effect;
      const from =
        order.phase === "map"
          ? order.sources.map(short).join(",")
          : order.segments.map((s) => `m${s.task}.${s.attempt}@${short(s.node)}`).join(" ");
      return `  start ${taskName(order)} on ${short(effect.node)}${from === "" ? "" : ` from ${from}`}`;
    }
    case "stop-task":
      return `  stop ${taskName(effect)} on ${short(effect.node)}`;
    case "record":
      return `  record ${short(effect.job)} ${effect.tasks.map((it) => `${nameOf(it)}@${short(it.node)}`).join(" ")}`;
    case "record-lost":
      return `  record-lost ${short(effect.job)} ${effect.tasks.map(nameOf).join(" ")}`;
    case "end-job": {
      const why = effect.error;
      const text =
        why === undefined
          ? `${effect.outputs.length} parts`
          : `${why.code} ${why.phase} ${why.task} after ${why.attempts} attempts: ${why.message}`;
      return `  end ${short(effect.job)} ${effect.state}: ${text}`;
    }
    case "clean-job":
      return `  clean ${short(effect.job)} on ${short(effect.node)}`;
    case "set-timer":
      return `  timer at ${effect.at}`;
    case "wake-hosts":
      return `  wake ${effect.nodes.map(short).join(",")} for ${short(effect.job)}`;
  }
}

/** A scheduler with a clock, driven by short sentences; keeps the whole story as text. */
export class Play {
  readonly scheduler: Scheduler;
  readonly lines: string[] = [];
  readonly effects: SchedulerEffect[] = [];
  now = 0;
  #epoch = 0;
  #partitions = new Map<JobId, number>();

  /** @param holders block name to node letters, such as `{ a3: "ab" }` */
  constructor(holders: Readonly<Record<string, string>> = {}) {
    const table = new Map(
      Object.entries(holders).map(([name, nodes]) => [block(name), nodes.split("").map(node)]),
    );
    this.scheduler = new Scheduler((id) => table.get(id) ?? []);
  }

  step(title: string, input: SchedulerInput): readonly SchedulerEffect[] {
    const effects = this.scheduler.step(input, this.now);
    this.effects.push(...effects);
    this.lines.push(title, ...effects.filter((it) => it.type !== "set-timer").map(told));
    return effects;
  }

  up(letters: string, slots = 1, incarnation = 1, running?: readonly JobAttempt[]): void {
    for (const letter of letters) {
      this.#epoch += 1;
      this.step(`up ${letter}`, {
        type: "node-up",
        node: node(letter),
        slots,
        zone: "z",
        incarnation,
        epoch: this.#epoch,
        ...(running === undefined ? {} : { running }),
      });
    }
  }

  down(letter: string): readonly SchedulerEffect[] {
    this.#epoch += 1;
    const input = { type: "node-down", node: node(letter), epoch: this.#epoch } as const;
    return this.step(`down ${letter}`, input);
  }

  submit(
    shape: PlanShape,
    restored: { readonly done?: readonly TaskRecord[]; readonly generation?: number } = {},
  ): readonly SchedulerEffect[] {
    const made = plan(shape);
    this.#partitions.set(made.id, made.partitions);
    const input = { type: "job-submitted", plan: made, ...restored } as const;
    return this.step(`submit ${short(made.id)}`, input);
  }

  /** `done("m0.1", "a")` */
  done(key: string, letter: string, id = "x"): readonly SchedulerEffect[] {
    const at = attemptKey(key);
    const partitions = this.#partitions.get(job(id)) ?? 0;
    const result = at.phase === "map" && partitions > 0 ? segments(partitions) : part();
    const input = { type: "task-done", job: job(id), node: node(letter), ...at, result } as const;
    return this.step(`done ${key} by ${letter}`, input);
  }

  failed(
    key: string,
    letter: string,
    failure: Partial<TaskFailure> = {},
    id = "x",
  ): readonly SchedulerEffect[] {
    const whole = { kind: "user", code: "job-threw", message: "boom", ...failure } as const;
    return this.step(`failed ${key} by ${letter}: ${whole.kind}`, {
      type: "task-failed",
      job: job(id),
      node: node(letter),
      ...attemptKey(key),
      failure: whole,
    });
  }

  recorded(keys: string, id = "x"): readonly SchedulerEffect[] {
    const accepted = keys.split(" ").map(attemptKey);
    const input = { type: "tasks-recorded", job: job(id), accepted, ignored: [] } as const;
    return this.step(`recorded ${keys}`, input);
  }

  /** Time passes and the timer fires. */
  wait(ms: number): readonly SchedulerEffect[] {
    this.now += ms;
    return this.step(`at ${this.now}`, { type: "timer-fired" });
  }

  get story(): string {
    return this.lines.join("\n");
  }
}
