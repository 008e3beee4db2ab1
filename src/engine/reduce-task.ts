/**
 * A reduce task: segments of all map tasks in, text out. A stage that folds goes through the
 * combine table again, which needs no merge; one that does not merges the sorted segments as
 * streams. Either way memory is bounded.
 *
 * D1: keys reach `reduce` in order, each once, with all its values; with `sortValues` those in
 *     order. Tested.
 * D2: the order of the segments in the order does not change the output. Tested.
 */
import { closeSync, openSync } from "node:fs";
import { RingfoldError } from "../base/errors.ts";
import { ByteArena, compareBytes } from "./byte-arena.ts";
import { showValue } from "./codec.ts";
import { refuseAnswer, stageOf } from "./map-task.ts";
import { PairSink } from "./pair-sink.ts";
import type { ShufflePlan } from "./pair-store.ts";
import { MergedStream, type PairStream } from "./pair-stream.ts";
import type { UserFunction } from "./plan.ts";
import { ProgressTicker } from "./progress-ticker.ts";
import { RunReader } from "./run-file.ts";
import { type TaskEvents, type TaskRun, UserContext } from "./task-context.ts";
import { TaskPlace } from "./task-place.ts";
import { TextOutput } from "./text-output.ts";

export interface SegmentInput {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  readonly crc: number;
  readonly mapTask: number;
}

export interface ReduceTask extends TaskRun {
  readonly segments: readonly SegmentInput[];
  readonly sortMemory: number;
  readonly outPath: string;
}

export interface ReduceOutcome {
  readonly records: number;
  readonly bytes: number;
  readonly counters: Readonly<Record<string, number>>;
}

/** Segments merged as streams at once; more are folded into runs first. */
const FAN_IN = 256;

/**
 * @throws RingfoldError `job-threw`, `job-codec`, `segment-lost` (`detail.mapTasks`), `disk-full`,
 *   `disk-failed`
 */
export function runReduceTask(task: ReduceTask, events: TaskEvents): ReduceOutcome {
  const plan = stageOf(task) as ShufflePlan;
  const place = new TaskPlace(task.plan.name, plan.name);
  const counters = new Map<string, number>();
  const context = new UserContext(task, place, counters, events);
  const output = new TextOutput(task.outPath, plan, task.plan.result !== undefined);
  const inputs = new SegmentInputs(task.segments);
  const { sortMemory, outPath } = task;
  const sink = new PairSink({ plan, partitions: 1, sortMemory, spillPath: outPath });
  try {
    const pairs = sortedPairs(plan, inputs, sink, events);
    if (plan.reduce === undefined) writePairs(plan, pairs, output, place, events);
    else reducePairs(plan, plan.reduce, pairs, { output, place, context, events });
    const bytes = output.close();
    return { records: output.records, bytes, counters: Object.fromEntries(counters) };
  } catch (thrown) {
    throw place.fault("reduce", thrown);
  } finally {
    sink.close();
    inputs.close();
  }
}

/** The segments in the order of their map tasks, opened once per file, each knowing whose it is. */
class SegmentInputs {
  readonly streams: readonly PairStream[];
  private readonly files = new Map<string, number>();

  constructor(segments: readonly SegmentInput[]) {
    const sorted = segments.toSorted((a, b) => a.mapTask - b.mapTask || a.offset - b.offset);
    this.streams = sorted.filter((one) => one.length > 0).map((one) => this.open(one));
  }

  private open(segment: SegmentInput): PairStream {
    const blame = (thrown: unknown): never => {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      throw new RingfoldError("segment-lost", `output of map task ${segment.mapTask}: ${why}`, {
        detail: { mapTasks: [segment.mapTask] },
      });
    };
    try {
      const fd = this.files.get(segment.path) ?? openSync(segment.path, "r");
      this.files.set(segment.path, fd);
      return new BlamedReader(new RunReader(fd, segment), blame);
    } catch (thrown) {
      return blame(thrown);
    }
  }

  close(): void {
    for (const fd of this.files.values()) closeSync(fd);
    this.files.clear();
  }
}

/** A reader whose faults name the map task. */
class BlamedReader implements PairStream {
  keys: Uint8Array;
  keyFrom = 0;
  keyTo = 0;
  values: Uint8Array;
  valueFrom = 0;
  valueTo = 0;
  private readonly reader: RunReader;
  private readonly blame: (thrown: unknown) => never;

  constructor(reader: RunReader, blame: (thrown: unknown) => never) {
    this.reader = reader;
    this.blame = blame;
    this.keys = reader.keys;
    this.values = reader.values;
  }

  next(): boolean {
    const { reader } = this;
    try {
      if (!reader.next()) return false;
    } catch (thrown) {
      return this.blame(thrown);
    }
    this.keys = reader.keys;
    this.keyFrom = reader.keyFrom;
    this.keyTo = reader.keyTo;
    this.values = reader.values;
    this.valueFrom = reader.valueFrom;
    this.valueTo = reader.valueTo;
    return true;
  }
}

function sortedPairs(
  plan: ShufflePlan,
  inputs: SegmentInputs,
  sink: PairSink,
  events: TaskEvents,
): PairStream {
  const { streams } = inputs;
  if (plan.combine === undefined && streams.length <= FAN_IN) {
    return new MergedStream(streams, plan.sortValues);
  }
  for (const stream of streams) {
    while (stream.next()) sink.add(stream);
    events.progress(0, 0);
  }
  return sink.streams()[0] as PairStream;
}

function writePairs(
  plan: ShufflePlan,
  pairs: PairStream,
  output: TextOutput,
  place: TaskPlace,
  events: TaskEvents,
): void {
  const ticker = new ProgressTicker(() => events.progress(place.records, 0));
  while (pairs.next()) {
    const key = plan.key.read(pairs.keys, pairs.keyFrom, pairs.keyTo);
    const value = plan.value.read(pairs.values, pairs.valueFrom, pairs.valueTo);
    output.write([key, value]);
    place.records++;
    ticker.tick();
  }
}

interface Reducing {
  readonly output: TextOutput;
  readonly place: TaskPlace;
  readonly context: UserContext;
  readonly events: TaskEvents;
}

function reducePairs(
  plan: ShufflePlan,
  reduce: UserFunction,
  pairs: PairStream,
  { output, place, context, events }: Reducing,
): void {
  const emit = (row: unknown): void => output.write(row);
  const ticker = new ProgressTicker(() => events.progress(place.records, 0));
  const groups = new Groups(plan, pairs, ticker);
  let key: unknown;
  place.atKey(() => showValue(key));
  while (groups.next()) {
    key = groups.key;
    place.records++;
    ticker.tick();
    const answer = reduce(key, groups.values(), emit, context);
    if (answer !== undefined) refuseAnswer("reduce", answer);
  }
  place.atKey(undefined);
}

/** Cuts a sorted stream into keys with their values, without holding a key's values. */
class Groups {
  key: unknown;
  private readonly plan: ShufflePlan;
  private readonly pairs: PairStream;
  private readonly ticker: ProgressTicker;
  private readonly current = new ByteArena(256);
  private waiting: boolean | undefined;
  private group = 0;

  constructor(plan: ShufflePlan, pairs: PairStream, ticker: ProgressTicker) {
    this.plan = plan;
    this.pairs = pairs;
    this.ticker = ticker;
  }

  /** Moves to the next key, past values that nobody read. */
  next(): boolean {
    const { pairs, current } = this;
    while (this.waiting === true && this.sameKey()) this.advance();
    this.waiting ??= pairs.next();
    if (!this.waiting) return false;
    this.group++;
    current.length = 0;
    current.pushBytes(pairs.keys.subarray(pairs.keyFrom, pairs.keyTo));
    this.key = this.plan.key.read(pairs.keys, pairs.keyFrom, pairs.keyTo);
    return true;
  }

  /**
   * The values of the current key.
   * @throws RingfoldError `job-codec` when read a second time, or too late
   */
  values(): Iterable<unknown> {
    const mine = this.group;
    let begun = false;
    const begin = (): Iterator<unknown> => {
      if (begun || mine !== this.group) {
        throw new RingfoldError("job-codec", "the values of a key can be read once, in its reduce");
      }
      begun = true;
      return { next: () => this.nextValue(mine) };
    };
    return { [Symbol.iterator]: begin };
  }

  private nextValue(group: number): IteratorResult<unknown> {
    if (group !== this.group || this.waiting !== true || !this.sameKey()) {
      return { done: true, value: undefined };
    }
    const { pairs } = this;
    const value = this.plan.value.read(pairs.values, pairs.valueFrom, pairs.valueTo);
    this.advance();
    return { done: false, value };
  }

  private advance(): void {
    this.waiting = this.pairs.next();
    this.ticker.tick();
  }

  private sameKey(): boolean {
    const { pairs, current } = this;
    const { keys, keyFrom, keyTo } = pairs;
    if (keyTo - keyFrom !== current.length) return false;
    return compareBytes(keys, keyFrom, keyTo, current.bytes, 0, current.length) === 0;
  }
}
