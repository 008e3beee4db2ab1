/**
 * Codecs: one declaration gives a TypeScript type, its bytes and its order. Here they are
 * descriptions only (the job side of the SDK holds no engine); `src/engine/codec.ts` gives them
 * bytes.
 *
 * Order of keys: `t.string` by its UTF-8 bytes (= by code point), numbers by value, bytes byte by
 * byte, tuples part by part, `t.desc` the other way round.
 */
declare const valueType: unique symbol;

/** How a value of type T travels. */
export interface Codec<T> {
  readonly kind: "string" | "u32" | "i64" | "f64" | "bytes" | "desc" | "tuple" | "json";
  readonly parts?: readonly Codec<unknown>[];
  /** Length of a fixed `bytes`. */
  readonly size?: number;
  readonly [valueType]?: T;
}

/** A codec whose bytes sort as its values do: what a key must have. */
export interface Key<T> extends Codec<T> {
  readonly ordered: true;
}

/** The TypeScript type of a codec. */
export type TypeOf<C> = C extends Codec<infer T> ? T : never;
type TupleOf<C extends readonly Codec<unknown>[]> = { readonly [I in keyof C]: TypeOf<C[I]> };

function tuple<const C extends readonly Key<unknown>[]>(...parts: C): Key<TupleOf<C>>;
function tuple<const C extends readonly Codec<unknown>[]>(...parts: C): Codec<TupleOf<C>>;
function tuple(...parts: readonly Codec<unknown>[]): Codec<unknown> {
  const ordered = parts.every((part) => "ordered" in part);
  return ordered
    ? ({ kind: "tuple", ordered: true, parts } as Key<unknown>)
    : { kind: "tuple", parts };
}

const number = (kind: "u32" | "i64" | "f64"): Key<number> => ({ kind, ordered: true });

/** The codecs. */
export const t = {
  /** Any string; lone surrogates become U+FFFD. */
  string: { kind: "string", ordered: true } as Key<string>,
  /** An integer from 0 to 4294967295. */
  u32: number("u32"),
  /** An integer that a double holds exactly: from -(2^53 - 1) to 2^53 - 1. */
  i64: number("i64"),
  /** A double, not NaN; -0 becomes 0. */
  f64: number("f64"),
  /** Bytes: any number, or exactly `size`. In text they are lower-case hex. */
  bytes: (size?: number): Key<Uint8Array> =>
    size === undefined ? { kind: "bytes", ordered: true } : { kind: "bytes", ordered: true, size },
  /** The same values in falling order. */
  desc: <T>(part: Key<T>): Key<T> => ({ kind: "desc", ordered: true, parts: [part] }),
  /** Several values in a row; ordered, and so a key, if every part is. */
  tuple,
  /** Whatever JSON holds. Not ordered: no key. */
  json: <T>(): Codec<T> => ({ kind: "json" }),
} as const;
