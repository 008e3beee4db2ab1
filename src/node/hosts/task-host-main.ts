/**
 * The program of a task host: the child process that runs job code. It reads orders from fd 0 and answers on fd 1, one
 * at a time, all synchronous. It is bundled into one file (`host-program.ts`), so it starts fast and may read nothing else.
 * The working directory is the host's scratch folder with `in/` and `out/`.
 */
import { pathToFileURL } from "node:url";
import { format } from "node:util";
import { type ErrorCode, isErrorCode, RingfoldError } from "../../base/errors.ts";
import { seededRandom } from "../../base/random.ts";
import { runMapTask, runsOnBytes } from "../../engine/map-task.ts";
import { type JobPlan, readJob, type StagePlan } from "../../engine/plan.ts";
import { runReduceTask } from "../../engine/reduce-task.ts";
import { runResult } from "../../engine/result-task.ts";
import type { TaskEvents } from "../../engine/task-context.ts";
import { nextOrder, tellParent } from "./child-frames.ts";
import { allowOnly, closeGlobals, missesWayOut } from "./job-guard.ts";
import { sourcePlace } from "./source-place.ts";
import type {
  DoneOf,
  InputBlock,
  JobDescription,
  MapOrder,
  ReduceOrder,
  ResultOrder,
  StageDescription,
  TaskFailed,
  TaskJob,
  TaskOrder,
} from "./task-order.ts";

const PROGRESS_MS = 100;
/** A log line longer than this is cut. */
const LOG_LINE = 1 << 14;
/** What a task prints beyond this is dropped here: a flood would only keep both processes busy. */
const LOG_TASK = 1_000_000;
const LOG_ENDS = "[this task printed more than 1 MB; the rest is left out]";

const scratch = process.cwd();
/** What `process.exit` calls; the guard takes both away from job code. */
const { reallyExit } = process as unknown as { readonly reallyExit: (code: number) => never };
const exit = reallyExit.bind(process);
const { now } = Date;
let bundle: { readonly url: string; readonly path: string; readonly plan: JobPlan } | undefined;
let lastProgress = 0;
/** Characters printed by the task that runs. */
let logged = 0;

const inside = (file: string): string => `${scratch}/in/${file}`;
const outside = (file: string): string => `${scratch}/out/${file}`;

const events: TaskEvents = {
  progress(records, bytes) {
    const time = now();
    if (time - lastProgress < PROGRESS_MS) return;
    lastProgress = time;
    tellParent({ type: "progress", records, bytes });
  },
  log(line) {
    if (logged >= LOG_TASK) return;
    const text = line.slice(0, LOG_LINE);
    logged += text.length + 1;
    tellParent({ type: "log", text });
    if (logged >= LOG_TASK) tellParent({ type: "log", text: LOG_ENDS });
  },
};

async function load(file: string): Promise<JobPlan> {
  if (bundle !== undefined) return bundle.plan;
  const path = inside(file);
  const url = pathToFileURL(path).href;
  allowOnly(url);
  try {
    const module = (await import(url)) as { readonly default?: unknown };
    bundle = { url, path, plan: readJob(module.default) };
    return bundle.plan;
  } catch (thrown) {
    throw loadFault(thrown, url, path);
  }
}

function loadFault(thrown: unknown, url: string, path: string): RingfoldError {
  if (thrown instanceof RingfoldError) return thrown;
  const guarded = (thrown as { code?: unknown } | null)?.code === "job-forbidden";
  const forbidden = guarded || (thrown instanceof Error && missesWayOut(thrown.message));
  const what = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  const stack = thrown instanceof Error ? String(thrown.stack) : "";
  const place = sourcePlace(stack, url, path) ?? "the job file";
  const message = `${place} threw while it was loaded: ${what}`;
  return new RingfoldError(forbidden ? "job-forbidden" : "job-threw", message);
}

async function answer(order: TaskOrder): Promise<DoneOf<TaskOrder>> {
  const plan = await load(order.job.bundle);
  lastProgress = now();
  logged = 0;
  switch (order.type) {
    case "describe":
      return { type: "describe-done", description: describe(plan) };
    case "map":
      return map(order, plan);
    case "reduce":
      return reduce(order, plan);
    case "result":
      return result(order, plan);
    default:
      return order satisfies never;
  }
}

const blockInputs = (blocks: readonly InputBlock[]) =>
  blocks.map((block) => ({ ...block, path: inside(block.file) }));

const jobRun = (plan: JobPlan, job: TaskJob, stage: string) =>
  ({ plan, stage, params: Object.freeze({ ...job.params }), seed: job.seed }) as const;

/** `Math.random` of job code gives the same numbers in every attempt. */
function seedMath(job: TaskJob, stage: string, phase: string, task: number): void {
  const random = seededRandom(`${job.seed}/${stage}/${phase}/${task}/Math`);
  Math.random = () => random.next();
}

function map(order: MapOrder, plan: JobPlan): DoneOf<MapOrder> {
  const { job, stage, task, partitions, sortMemory } = order;
  seedMath(job, stage, "map", task);
  const input =
    order.input.kind === "range"
      ? order.input
      : { kind: "blocks" as const, blocks: blockInputs(order.input.blocks) };
  const run = { ...jobRun(plan, job, stage), phase: "map" as const, task, input };
  const outPath = outside(order.out);
  const done = runMapTask({ ...run, partitions, sortMemory, outPath }, events);
  return { type: "map-done", ...done };
}

function reduce(order: ReduceOrder, plan: JobPlan): DoneOf<ReduceOrder> {
  const { job, stage, partition, sortMemory } = order;
  seedMath(job, stage, "reduce", partition);
  const segments = order.segments.map((one) => ({ ...one, path: inside(one.file) }));
  const run = { ...jobRun(plan, job, stage), phase: "reduce" as const, task: partition };
  const outPath = outside(order.out);
  return {
    type: "reduce-done",
    ...runReduceTask({ ...run, segments, sortMemory, outPath }, events),
  };
}

function result(order: ResultOrder, plan: JobPlan): DoneOf<ResultOrder> {
  const stage = plan.stages[0]?.name ?? "";
  seedMath(order.job, stage, "result", 0);
  const run = jobRun(plan, order.job, stage);
  return { type: "result-done", text: runResult(run, blockInputs(order.blocks), events) };
}

function describe(plan: JobPlan): JobDescription {
  const { kind, count } = plan.source;
  return {
    name: plan.name,
    description: plan.description,
    source:
      kind === "range"
        ? { kind, split: "range", count }
        : kind === "files"
          ? { kind, split: "file" }
          : { kind, split: "block" },
    params: Object.entries(plan.params).map(([name, one]) => ({ ...one, name })),
    counters: plan.counters,
    stages: plan.stages.map((stage) => describeStage(stage, kind)),
    result: plan.result !== undefined,
  };
}

function describeStage(stage: StagePlan, source: string): StageDescription {
  const { key, value, out, fold, tasks } = stage;
  return {
    name: stage.name,
    ...(key === undefined ? {} : { key: key.name }),
    ...(value === undefined ? {} : { value: value.name }),
    ...(out === undefined ? {} : { out: out.name }),
    mapOnly: stage.mapOnly,
    combine: stage.combine !== undefined,
    ...(fold === undefined ? {} : { fold }),
    reduce: stage.reduce !== undefined,
    sortValues: stage.sortValues,
    partition: stage.partition === undefined ? "hash" : "own",
    ...(tasks === undefined ? {} : { tasks }),
    onBytes: runsOnBytes(stage, source),
  };
}

const KINDS: Partial<Record<ErrorCode, TaskFailed["kind"]>> = {
  "block-corrupt": "corrupt-input",
  "segment-lost": "lost-segment",
  "disk-full": "limit",
  "disk-failed": "died",
  bug: "died",
};

function failure(thrown: unknown): TaskFailed {
  if (!(thrown instanceof RingfoldError) || !isErrorCode(thrown.code)) {
    const text = thrown instanceof Error ? String(thrown.stack) : String(thrown);
    return { type: "failed", kind: "died", code: "bug", message: text.slice(0, 4000) };
  }
  const { detail } = thrown;
  const code = forbids(thrown) ? "job-forbidden" : thrown.code;
  const kind = KINDS[code] ?? "user";
  const block = detail["block"];
  const mapTasks = detail["mapTasks"];
  return {
    type: "failed",
    kind,
    code,
    message: `${placeOf(thrown)}${thrown.message}`.slice(0, 4000),
    ...(typeof block === "string" ? { blocks: [block] } : {}),
    ...(Array.isArray(mapTasks) ? { mapTasks } : {}),
  };
}

const forbids = ({ code, cause }: RingfoldError): boolean =>
  code === "job-threw" && cause instanceof Error && missesWayOut(cause.message);

/** `job.ts:12:5: ` where the fault passed through the job's own code. */
function placeOf(error: RingfoldError): string {
  if (bundle === undefined || (error.code !== "job-threw" && error.code !== "job-codec")) return "";
  const stack = error.cause instanceof Error ? String(error.cause.stack) : "";
  const place = sourcePlace(stack, bundle.url, bundle.path);
  return place === undefined ? "" : `${place}: `;
}

async function serve(): Promise<void> {
  closeGlobals((text) => events.log(text), format);
  tellParent({ type: "ready" });
  for (let order = nextOrder(); order !== undefined; order = nextOrder()) {
    let reply: DoneOf<TaskOrder> | TaskFailed;
    try {
      reply = await answer(order);
    } catch (thrown) {
      reply = failure(thrown);
    }
    tellParent(reply);
  }
}

try {
  await serve();
} finally {
  // Reached when the parent closed the pipe or is gone: timers and promises of a job do not keep us.
  exit(0);
}
