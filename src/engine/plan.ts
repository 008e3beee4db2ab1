/**
 * What the engine needs of a job: the shape that `defineJob` (src/sdk/job.ts) builds, checked at
 * the door, because it comes out of a bundle that anybody may have written.
 */
import { RingfoldError } from "../base/errors.ts";
import { type ByteCodec, byteCodec, type CodecSpec, showValue } from "./codec.ts";
import type { FoldName } from "./fold-table.ts";

export type UserFunction = (...args: readonly unknown[]) => unknown;

export type SourceKind = "lines" | "words" | "files" | "range";

/** One stage, ready to run. */
export interface StagePlan {
  readonly name: string;
  readonly mapOnly: boolean;
  /** Absent in a map-only stage. */
  readonly key?: ByteCodec;
  readonly value?: ByteCodec;
  /** Absent: the output records are pairs of key and value. */
  readonly out?: ByteCodec;
  readonly map: UserFunction;
  /** `map` is `each(value)`: every record is emitted as a key with this value. */
  readonly each?: { readonly value: unknown };
  readonly combine?: UserFunction;
  readonly fold?: FoldName;
  readonly reduce?: UserFunction;
  readonly sortValues: boolean;
  readonly partition?: UserFunction;
  readonly tasks?: number;
  readonly format?: UserFunction;
}

export interface ParamPlan {
  readonly type: "int" | "number" | "string" | "flag";
  readonly def: string | number | boolean;
  readonly help: string;
}

export interface JobPlan {
  readonly name: string;
  readonly description: string;
  readonly source: { readonly kind: SourceKind; readonly count: number };
  readonly params: Readonly<Record<string, ParamPlan>>;
  readonly counters: readonly string[];
  readonly stages: readonly StagePlan[];
  readonly result?: UserFunction;
}

type Fields = Readonly<Record<string, unknown>>;

function wrong(what: string, value: unknown): never {
  throw new RingfoldError("job-file", `${what}, not ${showValue(value)}`);
}

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null;

function fieldsOf(value: unknown, what: string): Fields {
  return isFields(value) ? value : wrong(`${what} must be an object`, value);
}

function textOf(value: unknown, what: string): string {
  return typeof value === "string" ? value : wrong(`${what} must be a string`, value);
}

function functionOf(value: unknown, what: string): UserFunction {
  return typeof value === "function"
    ? (value as UserFunction)
    : wrong(`${what} must be a function`, value);
}

const optional = <K extends string, T>(name: K, value: T | undefined): { readonly [N in K]?: T } =>
  (value === undefined ? {} : { [name]: value }) as { readonly [N in K]?: T };

/**
 * The plan of a bundle's default export.
 * @throws RingfoldError `job-file`, naming what is wrong
 */
export function readJob(exported: unknown): JobPlan {
  if (exported === undefined) {
    throw new RingfoldError("job-file", "the job file has no default export");
  }
  if (!isFields(exported) || exported["ringfold"] !== 1) {
    wrong("the default export must be what defineJob({…}) returns", exported);
  }
  const name = textOf(exported["name"], "the job's name");
  if (!/^[\w.-]{1,64}$/.test(name)) {
    wrong("the job's name must be 1 to 64 letters, digits, dots and dashes", name);
  }
  const source = readSource(exported["input"]);
  const stages = exported["stages"];
  if (!Array.isArray(stages) || stages.length !== 1) wrong("a job has one stage", stages);
  const counters: unknown = exported["counters"] ?? [];
  if (!Array.isArray(counters)) wrong("counters must be a list of names", counters);
  const result = exported["result"];
  const plan: JobPlan = {
    name,
    description: textOf(exported["description"] ?? "", "the job's description"),
    source,
    params: readParams(exported["params"] ?? {}),
    counters: counters.map((one) => textOf(one, "a counter's name")),
    stages: stages.map((stage) => readStage(stage, source.kind)),
    ...optional("result", result === undefined ? result : functionOf(result, "result")),
  };
  if (plan.result !== undefined) checkReadable(plan);
  return plan;
}

function readSource(value: unknown): JobPlan["source"] {
  const { kind, count = 0 } = fieldsOf(value, "input (text.lines(), gen.range(n), …)");
  if (kind === "range") {
    if (!Number.isSafeInteger(count) || (count as number) < 1 || (count as number) > 1_000_000) {
      wrong("gen.range(n) wants 1 to 1000000 tasks", count);
    }
    return { kind, count: count as number };
  }
  if (kind === "lines" || kind === "words" || kind === "files") return { kind, count: 0 };
  return wrong("input must be a source such as text.lines()", value);
}

function readParams(value: unknown): Record<string, ParamPlan> {
  const plans = Object.entries(fieldsOf(value, "params")).map(([name, one]) => {
    const { type, def, help = "" } = fieldsOf(one, `parameter ${name}`);
    const fits =
      ((type === "int" || type === "number") && typeof def === "number") ||
      (type === "string" && typeof def === "string") ||
      (type === "flag" && typeof def === "boolean");
    if (!fits) wrong(`parameter ${name} must be param.int(…), param.string(…) or another`, one);
    if (!/^[a-z][\w-]*$/i.test(name)) wrong("a parameter's name must be a word", name);
    return [name, { type, def, help: textOf(help, "help") } as ParamPlan] as const;
  });
  return Object.fromEntries(plans);
}

function readStage(value: unknown, source: SourceKind): StagePlan {
  const stage = fieldsOf(value, "a stage");
  const mapOnly = stage["mapOnly"] === true;
  const map = functionOf(stage["map"], "map");
  const out = stage["out"] === undefined ? undefined : readCodec(stage["out"], "out");
  const format = optionalFunction(stage, "format");
  const head = { name: textOf(stage["name"], "a stage's name"), mapOnly, map, ...format };
  if (mapOnly) {
    if (out === undefined) wrong("a map-only job must have an out codec", stage["out"]);
    return { ...head, out, sortValues: false };
  }
  const key = readCodec(stage["key"], "key");
  if (!key.ordered) wrong("key must be an ordered codec", stage["key"]);
  const valueCodec = readCodec(stage["value"], "value");
  const sortValues = stage["sortValues"] === true;
  if (sortValues && !valueCodec.ordered) {
    wrong("sortValues wants an ordered value codec", stage["value"]);
  }
  const plan: StagePlan = {
    ...head,
    key,
    value: valueCodec,
    ...optional("out", out),
    ...readEach(map, source),
    ...readCombine(stage, valueCodec),
    ...optionalFunction(stage, "reduce"),
    sortValues,
    ...optionalFunction(stage, "partition"),
    ...optional("tasks", readTasks(stage["tasks"])),
  };
  if (out !== undefined && plan.reduce === undefined) {
    wrong("out is what reduce emits, so it wants a reduce", stage["reduce"]);
  }
  return plan;
}

function optionalFunction<K extends string>(
  stage: Fields,
  name: K,
): { readonly [N in K]?: UserFunction } {
  const value = stage[name];
  return optional(name, value === undefined ? undefined : functionOf(value, name));
}

function readEach(map: UserFunction, source: SourceKind): Pick<StagePlan, "each"> {
  const value: unknown = (map as unknown as Fields)["ringfoldEach"];
  return value === undefined || source === "range" || source === "files" ? {} : { each: { value } };
}

function readCombine(stage: Fields, value: ByteCodec): Pick<StagePlan, "combine" | "fold"> {
  if (stage["combine"] === undefined) return {};
  const combine = functionOf(stage["combine"], "combine");
  const mark: unknown = (combine as unknown as Fields)["ringfoldFold"];
  if (mark !== "sum" && mark !== "count" && mark !== "min" && mark !== "max") return { combine };
  if (!isNumeric(value)) wrong(`fold.${mark} wants a numeric value codec`, stage["value"]);
  return { combine, fold: mark };
}

/** Values that a double holds: folded in the combine table without an object each. */
export const isNumeric = (codec: ByteCodec): boolean =>
  codec.kind === "u32" || codec.kind === "i64" || codec.kind === "f64";

function readTasks(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const fits = Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 4096;
  return fits ? (value as number) : wrong("tasks must be 1 to 4096", value);
}

function readCodec(value: unknown, what: string, depth = 0): ByteCodec {
  checkCodec(value, what, depth);
  return byteCodec(value as CodecSpec);
}

const KINDS = ["string", "u32", "i64", "f64", "bytes", "desc", "tuple", "json"];

function checkCodec(value: unknown, what: string, depth: number): void {
  const spec = fieldsOf(value, `${what} must be a codec such as t.string: it`);
  if (!KINDS.includes(String(spec["kind"])) || depth > 8) wrong(`${what} must be a codec`, value);
  const { parts, size } = spec;
  if (size !== undefined && (!Number.isSafeInteger(size) || (size as number) < 1)) {
    wrong("t.bytes(size) wants a size above 0", size);
  }
  if (spec["kind"] !== "tuple" && spec["kind"] !== "desc") return;
  if (!Array.isArray(parts) || parts.length === 0) wrong(`${what}'s parts must be codecs`, parts);
  for (const part of parts) checkCodec(part, what, depth + 1);
}

/**
 * `result` gets its rows from the committed text, so that text must be readable without doubt: one
 * value, or a pair whose value is a number. (A string key may then hold spaces, but no line end:
 * checked when it is written.)
 */
function checkReadable(plan: JobPlan): void {
  for (const stage of plan.stages) {
    if (stage.format !== undefined) wrong("a job with a result has no format", "one");
    const scalar = (codec: ByteCodec | undefined): boolean =>
      codec !== undefined && (isNumeric(codec) || codec.kind === "string" || codec.kind === "json");
    const pair = stage.out === undefined && scalar(stage.key);
    const fits = pair ? stage.value !== undefined && isNumeric(stage.value) : scalar(stage.out);
    if (!fits) {
      const have = stage.out?.name ?? `pairs of ${stage.key?.name} and ${stage.value?.name}`;
      wrong("a job with a result wants a numeric value codec, or out: t.json()", have);
    }
  }
}
