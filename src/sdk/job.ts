/**
 * `defineJob`: what a job file exports by default. It builds a plan and runs nothing: the plan is
 * built on the submitting side, and again in every task host, from the same bundle; stages are
 * found by name. Functions are never serialised.
 */
import type { Codec, Key } from "./codecs.ts";
import type { ParamSpecs, ParamsOf } from "./params.ts";
import type { Source } from "./sources.ts";

/** What every user function gets. */
export interface TaskContext<P, C extends string> {
  readonly params: ParamsOf<P>;
  /** Name of the input file of the current record; empty in `reduce` and for generated input. */
  readonly file: string;
  readonly task: { readonly index: number; readonly stage: string };
  /**
   * Adds to a counter that the job declares. Each task counts once, however many attempts it took.
   */
  readonly count: (name: C, by?: number) => void;
  /** A float in [0, 1), seeded by job, stage and task: the same in every attempt. */
  readonly random: () => number;
  /** One line of the task's log. */
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}

/** Hands a pair to the engine. */
export type Emit<K, V> = (key: K, value: V) => void;
/** `undefined` makes an async function a compile error: nothing would wait for it. */
type Nothing = void | undefined;

/**
 * One round of map, shuffle and reduce. I: input record, K and V: shuffled pair, O: output record,
 * X: context.
 */
export interface ShuffleStage<I, K, V, O, X> {
  readonly key: Key<K>;
  readonly value: Codec<V>;
  /** Codec of what `reduce` emits. Without it `reduce` emits pairs of key and value. */
  readonly out?: Codec<O>;
  map(record: I, emit: Emit<K, V>, ctx: X): Nothing;
  /** Associative and commutative. Without `reduce` it is the final fold. */
  combine?(a: V, b: V): V;
  /** Keys come in order. `values` is a stream: read it once, or not at all. */
  reduce?(key: K, values: Iterable<V>, emit: (out: O) => void, ctx: X): Nothing;
  /** `reduce` gets a key's values in order (the value's codec must be ordered). */
  readonly sortValues?: boolean;
  /** Which reduce task (0 to n - 1) a key goes to; default by hash. */
  partition?(key: K, n: number): number;
  /** Reduce tasks; default chosen from the size of the data. */
  readonly tasks?: number;
  /**
   * One output record as text, without the line end. Default: pairs `key value`, strings as they
   * are, JSON.
   */
  format?(out: O): string;
}

/** A stage without shuffle: what `map` emits is the output. */
export interface MapOnlyStage<I, O, X> {
  readonly mapOnly: true;
  readonly out: Codec<O>;
  map(record: I, emit: (out: O) => void, ctx: X): Nothing;
  format?(out: O): string;
}

interface JobHead<I, P, C extends string> {
  readonly name: string;
  readonly description?: string;
  readonly input: Source<I>;
  readonly params?: P;
  readonly counters?: readonly C[];
}

interface JobTail<O, P> {
  /**
   * Runs once over all output records, in the order of the parts; `ringfold run` shows what it
   * returns.
   */
  result?(rows: Iterable<O>, job: { readonly params: ParamsOf<P> }): unknown;
}

declare const rowType: unique symbol;

/** A plan; opaque to its author. `ringfold` is the version of this shape. */
export interface Job<O> {
  readonly ringfold: 1;
  readonly name: string;
  readonly description: string;
  readonly input: Source<unknown>;
  readonly params: ParamSpecs;
  readonly counters: readonly string[];
  readonly stages: readonly Readonly<Record<string, unknown>>[];
  readonly result?: unknown;
  readonly [rowType]?: O;
}

type None = Readonly<Record<never, never>>;

/**
 * Defines a job of one stage.
 * @example
 * export default defineJob({
 *   name: "word-count", input: text.words(), key: t.string, value: t.u32, map: each(1), combine: fold.sum,
 * });
 */
export function defineJob<
  I,
  K,
  V,
  O = readonly [K, V],
  P extends ParamSpecs = None,
  const C extends string = never,
>(
  spec: JobHead<I, P, C> &
    ShuffleStage<I, K, V, O, TaskContext<P, C>> &
    JobTail<O, P> & { readonly mapOnly?: false },
): Job<O>;
export function defineJob<I, O, P extends ParamSpecs = None, const C extends string = never>(
  spec: JobHead<I, P, C> & MapOnlyStage<I, O, TaskContext<P, C>> & JobTail<O, P>,
): Job<O>;
export function defineJob(spec: JobHead<unknown, ParamSpecs, string> & object): Job<unknown> {
  const { name, description = "", input, params = {}, counters = [], ...rest } = spec;
  const { result, ...stage } = rest as { result?: unknown } & Record<string, unknown>;
  const stages = [{ ...stage, name: "main" }];
  const head = { ringfold: 1, name, description, input, params, counters, stages } as const;
  return result === undefined ? head : { ...head, result };
}
