/** Folds the words of a text into a store without a string or a call per word: in the kernel where it runs. */
import { present } from "../base/errors.ts";
import type { NumberStore } from "./pair-store.ts";
import type { StagePlan } from "./plan.ts";
import { type WordKernel, wordKernel } from "./word-kernel.ts";
import { foldWords } from "./word-scanner.ts";

export class WordFolder {
  private readonly store: NumberStore;
  /** What one word adds. */
  private readonly weight: number;
  private readonly sums: boolean;
  private readonly kernel: WordKernel | undefined;

  /** @param stage whose map is `each(v)` and whose fold is built-in */
  constructor(store: NumberStore, stage: StagePlan) {
    this.store = store;
    this.weight = store.constant(present(stage.each, "the map is each(v)").value);
    this.sums = stage.fold === "sum" || stage.fold === "count";
    // n times a fraction is not what adding it n times gives: fractions are added one by one.
    this.kernel = Number.isSafeInteger(this.weight) || !this.sums ? wordKernel() : undefined;
  }

  /** Words between `from` and `to`, which must not cut one. @returns how many there were */
  fold(bytes: Buffer, from: number, to: number): number {
    const { kernel, store, weight } = this;
    if (kernel === undefined) return foldWords(bytes, from, to, store.table, weight);
    return kernel.fold(from, to, bytes, this.end, store.table, weight);
  }

  /** Hands over what the kernel still holds. */
  readonly end = (): void => {
    const { store, weight, sums } = this;
    this.kernel?.drain((bytes, from, to, count) => {
      store.table.addBytes(bytes, from, to, sums ? count * weight : weight);
    });
  };
}
