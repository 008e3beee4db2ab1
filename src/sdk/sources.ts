/** Where a job's records come from. Descriptions only: the engine reads, the node cuts the work. */
declare const recordType: unique symbol;

export interface Source<T> {
  readonly kind: "lines" | "words" | "files" | "range";
  /** Map tasks of a `range`. */
  readonly count?: number;
  readonly [recordType]?: T;
}

/** A whole file as one record. */
export interface WholeFile {
  /** The file's name in the cluster. */
  readonly name: string;
  readonly text: string;
}

/** Text files. Invalid UTF-8 reads as U+FFFD; nothing throws for it. */
export const text = {
  /** One record a line, without its `\n` or `\r\n`; the last line needs none. */
  lines: (): Source<string> => ({ kind: "lines" }),
  /** One record a word: a maximal run of Unicode letters (`\p{L}`), case kept. */
  words: (): Source<string> => ({ kind: "words" }),
  /** One record a file. The file must fit a task's memory; one task reads whole files. */
  files: (): Source<WholeFile> => ({ kind: "files" }),
} as const;

/** Input that is made, not read. */
export const gen = {
  /** `count` map tasks; task i gets the one record i, from 0. */
  range: (count: number): Source<number> => ({ kind: "range", count }),
} as const;
