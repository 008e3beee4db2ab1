/**
 * Built-in folds and maps. They are plain functions with a mark: the engine recognises the mark and
 * does the same on bytes, without a string or a call per record. `text.words()` with `each(1)` and
 * `fold.sum` is the fastest word count.
 */

/** The engine reads these properties; functions are never serialised. */
export const FOLD_MARK = "ringfoldFold";
export const EACH_MARK = "ringfoldEach";

export type FoldName = "sum" | "count" | "min" | "max";
type Fold = (a: number, b: number) => number;

const marked = (name: FoldName, run: Fold): Fold =>
  Object.defineProperty(run, FOLD_MARK, { value: name });

/** Folds for numeric values, to be given as `combine`. */
export const fold = {
  sum: marked("sum", (a, b) => a + b),
  /** How many pairs a key has; what `emit` gives as the value does not matter. */
  count: marked("count", (a, b) => a + b),
  min: marked("min", (a, b) => (a < b ? a : b)),
  max: marked("max", (a, b) => (a > b ? a : b)),
} as const;

/** A map that emits every record as a key with this value: `map: each(1)`. */
export function each<V>(value: V): <K>(record: K, emit: (key: K, value: V) => void) => void {
  const run = <K>(record: K, emit: (key: K, value: V) => void): void => emit(record, value);
  return Object.defineProperty(run, EACH_MARK, { value });
}
