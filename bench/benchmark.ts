/**
 * What every benchmark is: it gets a place that vanishes afterwards, and gives back a table and
 * figures.
 */
import type { Bytes } from "../src/base/ids.ts";
import type { ChildNodes } from "../src/cli/child-node.ts";

export interface BenchOptions {
  /** Size of the input; each benchmark has its own default. */
  readonly size?: Bytes;
  readonly runs?: number;
  /** Folder of texts. */
  readonly dir?: string;
}

export interface BenchPlace {
  /** Processes of the benchmark and its temporary folder; both vanish afterwards. */
  readonly nodes: ChildNodes;
  /** Says what goes on, for people. */
  readonly say: (text: string) => void;
}

export interface BenchResult {
  readonly heading: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  /** What the figures are, in sentences. */
  readonly notes: readonly string[];
  /** The last line of `--json`. */
  readonly figures: Readonly<Record<string, number>>;
}

export interface Benchmark {
  readonly about: string;
  run(place: BenchPlace, options: BenchOptions): Promise<BenchResult>;
}
