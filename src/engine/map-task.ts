/**
 * A map task: records in, sorted pairs by partition out (or text, when the stage is map-only).
 *
 * X1: a failed task leaves its spills removed and throws; its output file is without meaning. Tested.
 * X2: the same input, parameters and seed give the same bytes, attempt after attempt. Tested.
 */
import { assert, present, RingfoldError } from "../base/errors.ts";
import { BlockReader } from "./block-reader.ts";
import { decode, eachLine } from "./line-reader.ts";
import { PairSink } from "./pair-sink.ts";
import { NumberStore, type ShufflePlan } from "./pair-store.ts";
import type { StagePlan } from "./plan.ts";
import { ProgressTicker } from "./progress-ticker.ts";
import type { SegmentIndex } from "./run-file.ts";
import { type TaskEvents, type TaskRun, UserContext } from "./task-context.ts";
import { type BlockInput, TaskPlace } from "./task-place.ts";
import { TextOutput } from "./text-output.ts";
import { WordFolder } from "./word-folder.ts";
import { eachWord } from "./word-scanner.ts";

export type MapTaskInput =
  | { readonly kind: "blocks"; readonly blocks: readonly BlockInput[] }
  | { readonly kind: "range"; readonly index: number };

export interface MapTask extends TaskRun {
  readonly input: MapTaskInput;
  readonly partitions: number;
  /** Bytes. */
  readonly sortMemory: number;
  readonly outPath: string;
}

export interface MapOutcome {
  readonly records: number;
  readonly pairs: number;
  readonly bytes: number;
  readonly partitions: readonly SegmentIndex[];
  readonly counters: Readonly<Record<string, number>>;
}

/** Bytes of words folded between two looks at the clock and the memory. */
const WORDS_PIECE = 1 << 20;

export function stageOf(run: TaskRun): StagePlan {
  const stage = run.plan.stages.find((one) => one.name === run.stage);
  return present(stage, `the job has the stage ${run.stage}`);
}

/** @throws RingfoldError `job-threw`, `job-codec`, `block-corrupt`, `disk-full`, `disk-failed` */
export function runMapTask(task: MapTask, events: TaskEvents): MapOutcome {
  const stage = stageOf(task);
  const place = new TaskPlace(task.plan.name, stage.name);
  const counters = new Map<string, number>();
  const context = new UserContext(task, place, counters, events);
  const run = { task, stage, place, context, events };
  try {
    const written = stage.mapOnly ? mapToText(run) : mapToPairs(run);
    return { ...written, records: place.records, counters: Object.fromEntries(counters) };
  } catch (thrown) {
    throw place.fault("map", thrown);
  }
}

interface Run {
  readonly task: MapTask;
  readonly stage: StagePlan;
  readonly place: TaskPlace;
  readonly context: UserContext;
  readonly events: TaskEvents;
}

type Written = Pick<MapOutcome, "pairs" | "bytes" | "partitions">;

function mapToText(run: Run): Written {
  const output = new TextOutput(run.task.outPath, run.stage, run.task.plan.result !== undefined);
  const emit = (row: unknown): void => output.write(row);
  readRecords(run, callMap(run, emit));
  return { bytes: output.close(), pairs: output.records, partitions: [] };
}

function mapToPairs(run: Run): Written {
  const { task, stage } = run;
  assert(task.partitions > 0, "a stage with a shuffle has partitions");
  const plan = stage as ShufflePlan;
  const { partitions, sortMemory, outPath } = task;
  const sink = new PairSink({ plan, partitions, sortMemory, spillPath: outPath });
  try {
    if (!foldOnBytes(run, sink)) {
      const emit = (key: unknown, value: unknown): void => sink.emit(key, value);
      readRecords(run, callMap(run, emit));
    }
    const { bytes, segments } = sink.writeTo(outPath);
    const pairs = segments.reduce((sum, segment) => sum + segment.records, 0);
    return { bytes, pairs, partitions: segments };
  } finally {
    sink.close();
  }
}

/** One call of the job's `map` per record. */
function callMap(run: Run, emit: unknown): (record: unknown) => void {
  const { stage, place, context, events } = run;
  const { map } = stage;
  const ticker = new ProgressTicker(() => events.progress(place.records, place.bytes));
  return (record) => {
    place.records++;
    ticker.tick();
    const answer = map(record, emit, context);
    if (answer !== undefined) refuseAnswer("map", answer);
  };
}

/** Nothing waits for a promise, so an async function would lose what it emits. */
export function refuseAnswer(name: string, answer: unknown): void {
  if (typeof (answer as { then?: unknown } | null)?.then !== "function") return;
  throw new RingfoldError("job-codec", `${name} must not be async: it returned a promise`);
}

/** `text.words()` with `each(v)` and a built-in fold: no string, no call, no object per record. */
function foldOnBytes(run: Run, sink: PairSink): boolean {
  const { task, stage, place, events } = run;
  const { store } = sink;
  if (!runsOnBytes(stage, task.plan.source.kind) || !(store instanceof NumberStore)) return false;
  const folder = new WordFolder(store, stage);
  forEachBlock(run, "word", (bytes) => {
    let from = 0;
    while (from < bytes.length) {
      const to = cutAtLineEnd(bytes, from + WORDS_PIECE);
      place.records += folder.fold(bytes, from, to);
      sink.checkMemory();
      events.progress(place.records, place.bytes + to);
      from = to;
    }
  });
  folder.end();
  sink.checkMemory();
  return true;
}

/** Whether a stage of this source needs no string per record. */
export function runsOnBytes(stage: StagePlan, source: string): boolean {
  return (
    source === "words" &&
    stage.each !== undefined &&
    stage.fold !== undefined &&
    stage.key?.kind === "string"
  );
}

/** The end of the line that contains `at`: a word never spans lines. */
function cutAtLineEnd(bytes: Buffer, at: number): number {
  if (at >= bytes.length) return bytes.length;
  const end = bytes.indexOf(10, at);
  return end === -1 ? bytes.length : end + 1;
}

function readRecords(run: Run, each: (record: unknown) => void): void {
  const { task, place } = run;
  const { input } = task;
  if (input.kind === "range") {
    each(input.index);
    return;
  }
  const { kind } = task.plan.source;
  if (kind === "files") {
    readFiles(run, input.blocks, each);
    return;
  }
  const unit = kind === "words" ? "word" : "line";
  assert(kind === "words" || kind === "lines", "blocks are read as words, lines or files");
  forEachBlock(run, unit, (bytes) => {
    if (kind === "words") eachWord(bytes, 0, bytes.length, each);
    else eachLine(bytes, each);
  });
  run.events.progress(place.records, place.bytes);
}

function forEachBlock(run: Run, unit: "line" | "word", each: (bytes: Buffer) => void): void {
  const { place, task, events } = run;
  if (task.input.kind !== "blocks") return;
  const reader = new BlockReader();
  for (const block of task.input.blocks) {
    const bytes = reader.read(block);
    place.enter(block, unit);
    each(bytes);
    place.bytes += block.bytes;
    events.progress(place.records, place.bytes);
  }
}

/** Neighbouring blocks of one name are one file. */
function readFiles(run: Run, blocks: readonly BlockInput[], each: (record: unknown) => void): void {
  const { place, events } = run;
  const reader = new BlockReader();
  let parts: string[] = [];
  blocks.forEach((block, i) => {
    // A block ends at a line end, so no character is cut by decoding it alone.
    const bytes = reader.read(block);
    parts.push(decode(bytes, 0, bytes.length));
    place.bytes += block.bytes;
    events.progress(place.records, place.bytes);
    if (blocks[i + 1]?.fileName === block.fileName) return;
    place.enter(block, "record");
    each({ name: block.fileName, text: parts.join("") });
    parts = [];
  });
}
