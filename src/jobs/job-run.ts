/**
 * One job while it runs: its tasks, which of them may start, which map outputs lie where, and what
 * waits for the ledger. Private state of the scheduler core; it decides nothing about nodes.
 *
 * G1  A task's state and the counts of its phase change together, here only. By
 *     {@link JobRun.setState}, tested.
 * G2  Reduce tasks may start only while every map is recorded. By {@link JobRun.runnable}, tested.
 * G3  At most one `record` of a job is with the ledger at a time. Asserted.
 */
import { assert, present } from "../base/errors.ts";
import type { BlockId, Bytes, Millis, NodeId } from "../base/ids.ts";
import type { TaskState } from "./job-progress.ts";
import type { JobPlan, MapTaskSpec } from "./plan.ts";
import type { JobStats, PartOutput } from "./scheduler-events.ts";
import type { Phase, SegmentRef, TaskOutput, TaskRecord } from "./task.ts";
import { TaskQueue } from "./task-queue.ts";
import { newTask, type TaskRun } from "./task-run.ts";

/** Who holds a block now, first holder first. A snapshot: asked anew each time. */
export type Holders = (block: BlockId) => readonly NodeId[];

export interface PhaseRun {
  readonly tasks: readonly TaskRun[];
  readonly queue: TaskQueue;
  readonly counts: Record<TaskState, number>;
  bytesRecorded: Bytes;
}

const newPhase = (tasks: readonly TaskRun[]): PhaseRun => ({
  tasks,
  queue: new TaskQueue(),
  counts: { idle: tasks.length, running: 0, finished: 0, recorded: 0 },
  bytesRecorded: 0,
});

/** A node counts as holder of several pieces when it has this share of what the best one has. */
const HOLDER_SHARE = 0.75;

export class JobRun {
  readonly plan: JobPlan;
  readonly generation: number;
  readonly submitted: Millis;
  readonly map: PhaseRun;
  readonly reduce: PhaseRun;
  /** Nodes that were given anything of this job. */
  readonly touched = new Set<NodeId>();
  /** Completions that wait for the ledger's answer to the batch before. */
  pending: TaskRecord[] = [];
  recording = false;
  revision = 1;
  attempts = 0;
  retries = 0;
  localMaps = 0;
  readonly #holders: Holders;
  /** Map tasks with segments, by the node that has them. */
  readonly #outputs = new Map<NodeId, Set<TaskRun>>();

  constructor(plan: JobPlan, generation: number, now: Millis, holders: Holders) {
    this.plan = plan;
    this.generation = generation;
    this.submitted = now;
    this.#holders = holders;
    this.map = newPhase(plan.maps.map((spec, i) => newTask("map", i, spec.bytes)));
    this.reduce = newPhase(
      Array.from({ length: plan.partitions }, (_, i) => newTask("reduce", i, 0)),
    );
  }

  phase(phase: Phase): PhaseRun {
    return phase === "map" ? this.map : this.reduce;
  }

  task(phase: Phase, number: number): TaskRun | undefined {
    return this.phase(phase).tasks[number];
  }

  queueOf(task: TaskRun): TaskQueue {
    return this.phase(task.phase).queue;
  }

  spec(task: TaskRun): MapTaskSpec {
    return present(this.plan.maps[task.number], "G1: every map task is in the plan");
  }

  get running(): number {
    return this.map.counts.running + this.reduce.counts.running;
  }

  get mapsRecorded(): boolean {
    return this.map.counts.recorded === this.map.tasks.length;
  }

  /** Tasks that may start now (G2). */
  get runnable(): number {
    return this.map.queue.size + (this.mapsRecorded ? this.reduce.queue.size : 0);
  }

  /** The phase whose tasks are the output. */
  get lastPhase(): PhaseRun {
    return this.plan.partitions === 0 ? this.map : this.reduce;
  }

  /**
   * Every part is recorded. The maps are too then: their outputs are taken back only while a reduce
   * waits for them (J11).
   */
  get complete(): boolean {
    const complete = this.lastPhase.counts.recorded === this.lastPhase.tasks.length;
    assert(!complete || this.mapsRecorded, "J11: a complete job counts every map");
    return complete;
  }

  /** Whether map outputs may still be fetched. */
  get needsSegments(): boolean {
    const { idle, running } = this.reduce.counts;
    return idle + running > 0;
  }

  setState(task: TaskRun, state: TaskState): void {
    const phase = this.phase(task.phase);
    phase.counts[task.state] -= 1;
    phase.counts[state] += 1;
    if (task.state === "recorded") phase.bytesRecorded -= task.bytes;
    if (state === "recorded") phase.bytesRecorded += task.bytes;
    task.state = state;
    this.revision += 1;
  }

  /** Lets an idle task start as soon as a slot is free. */
  enqueue(task: TaskRun): void {
    if (task.phase === "reduce") this.reduce.queue.add(task, []);
    else this.map.queue.add(task, holdersOf(this.spec(task), this.#holders));
  }

  /** Where the first block of a map's input is, the given node first when it is one of them. */
  sources(task: TaskRun, worker: NodeId): readonly NodeId[] {
    const { input } = this.spec(task);
    const first = input.kind === "blocks" ? input.pieces[0] : undefined;
    if (first === undefined) return [];
    const nodes = this.#holders(first.block);
    return nodes.includes(worker) ? [worker, ...nodes.filter((node) => node !== worker)] : nodes;
  }

  /** Enters a completion that the ledger has. */
  setRecorded(task: TaskRun, record: TaskRecord, step: number): void {
    task.record = record;
    task.recordedAt = step;
    task.share = 1;
    this.setState(task, "recorded");
    this.#hold(task, record);
  }

  /** Enters a completion that the ledger has yet to accept. */
  setFinished(task: TaskRun, record: TaskRecord): void {
    task.record = record;
    this.pending.push(record);
    this.setState(task, "finished");
    this.#hold(task, record);
  }

  /** Map tasks whose segments lie on a node, recorded or not, in their order. */
  outputsOn(node: NodeId): readonly TaskRun[] {
    return [...(this.#outputs.get(node) ?? [])].sort((a, b) => a.number - b.number);
  }

  /** Forgets a completion whose output is gone. */
  forget(task: TaskRun): TaskRecord {
    const record = present(task.record, "G1: a finished task has its record");
    delete task.record;
    task.share = 0;
    this.#outputs.get(record.node)?.delete(task);
    this.pending = this.pending.filter((waiting) => waiting !== record);
    this.setState(task, "idle");
    return record;
  }

  /** Nodes with segments, by id. */
  outputNodes(): readonly NodeId[] {
    return [...this.#outputs.keys()].sort();
  }

  /** Takes the waiting completions, to be given to the ledger (G3). */
  takePending(): readonly TaskRecord[] {
    assert(!this.recording, "G3: one record at a time");
    const batch = this.pending;
    this.pending = [];
    this.recording = batch.length > 0;
    return batch;
  }

  /** What reduce task `partition` has to fetch, in the order of map tasks. */
  segments(partition: number): readonly SegmentRef[] {
    assert(this.mapsRecorded, "G2: a reduce starts when every map is recorded");
    return this.map.tasks.flatMap((task) => {
      const { node, attempt, result } = present(task.record, "G1: recorded tasks have records");
      const index = segmentOf(result.output, partition);
      if (index.length === 0) return [];
      const { offset, length, crc } = index;
      return [{ task: task.number, attempt, node, offset, length, crc }];
    });
  }

  /** The parts in order, once complete. */
  outputs(): readonly PartOutput[] {
    return this.lastPhase.tasks.map((task) => {
      const output = present(task.record, "G1: recorded tasks have records").result.output;
      assert(output.kind === "part", "J7: outputs are parts");
      return { task: task.number, output };
    });
  }

  stats(now: Millis): JobStats {
    return {
      maps: this.map.tasks.length,
      reduces: this.reduce.tasks.length,
      attempts: this.attempts,
      retries: this.retries,
      localMaps: this.localMaps,
      ms: now - this.submitted,
      counters: this.counters(),
    };
  }

  /** Sums over recorded tasks, names in order. */
  counters(): Readonly<Record<string, number>> {
    const sums = new Map<string, number>();
    for (const task of [...this.map.tasks, ...this.reduce.tasks]) {
      if (task.state !== "recorded") continue;
      const counters = task.record?.result.counters ?? {};
      for (const [name, value] of Object.entries(counters)) {
        sums.set(name, (sums.get(name) ?? 0) + value);
      }
    }
    return Object.fromEntries([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #hold(task: TaskRun, record: TaskRecord): void {
    if (record.result.output.kind !== "segments") return;
    const known = this.#outputs.get(record.node);
    if (known === undefined) this.#outputs.set(record.node, new Set([task]));
    else known.add(task);
  }
}

function segmentOf(output: TaskOutput, partition: number) {
  assert(output.kind === "segments", "J7: a map before a reduce leaves segments");
  return present(output.partitions[partition], "J7: one entry for each partition");
}

/** Whether a result is of the kind that the plan asks for (J7). */
export function outputFits(plan: JobPlan, phase: Phase, output: TaskOutput): boolean {
  if (phase === "reduce" || plan.partitions === 0) return output.kind === "part";
  return output.kind === "segments" && output.partitions.length === plan.partitions;
}

/** The nodes that hold most of an input, best first. */
function holdersOf(spec: MapTaskSpec, holders: Holders): readonly NodeId[] {
  if (spec.input.kind === "range") return [];
  const [first, ...rest] = spec.input.pieces;
  if (first === undefined) return [];
  if (rest.length === 0) return holders(first.block);
  const bytes = new Map<NodeId, Bytes>();
  for (const piece of spec.input.pieces) {
    for (const node of holders(piece.block)) bytes.set(node, (bytes.get(node) ?? 0) + piece.length);
  }
  const best = Math.max(0, ...bytes.values());
  return [...bytes]
    .filter(([, held]) => held >= best * HOLDER_SHARE)
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .map(([node]) => node);
}
