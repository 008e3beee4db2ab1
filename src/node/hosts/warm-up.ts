/**
 * Runs two small jobs once, so that the first task of a host that was started ahead finds compiled code: built-in words on
 * bytes, and a function over lines. A cold host takes 60 to 80 ms of processor time for its first half megabyte of text.
 */
import { rmSync, writeFileSync } from "node:fs";
import { sha256Hex } from "../../base/hash.ts";
import { seededRandom } from "../../base/random.ts";
import { runMapTask } from "../../engine/map-task.ts";
import { type JobPlan, readJob } from "../../engine/plan.ts";
import { runReduceTask } from "../../engine/reduce-task.ts";
import { t } from "../../sdk/codecs.ts";
import { each, fold } from "../../sdk/folds.ts";
import { defineJob } from "../../sdk/job.ts";
import { text } from "../../sdk/sources.ts";

/** Argument of a host that is started ahead. */
export const WARM = "--warm";

const WORDS = 6000;
const WORDS_A_LINE = 12;
const SORT_MEMORY = 1 << 22;
const SEGMENTS = 3;

const jobs = () => [
  defineJob({
    name: "warm-up",
    input: text.words(),
    key: t.string,
    value: t.u32,
    map: each(1),
    combine: fold.sum,
  }),
  defineJob({
    name: "warm-up",
    input: text.lines(),
    key: t.string,
    value: t.u32,
    map(line, emit) {
      for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
    },
    combine: (a, b) => a + b,
  }),
];

/** @param folder writable; it is left as it was */
export function warmUp(folder: string): void {
  const bytes = Buffer.from(sampleText());
  const path = `${folder}/warm-up`;
  try {
    writeFileSync(path, bytes);
    for (const job of jobs()) run(readJob(job), path, bytes);
  } finally {
    for (const end of ["", ".map", ".reduce"]) rmSync(path + end, { force: true });
  }
}

function run(plan: JobPlan, path: string, bytes: Buffer): void {
  const stage = plan.stages[0]?.name ?? "";
  const shared = { plan, stage, params: {}, seed: "", task: 0, sortMemory: SORT_MEMORY };
  const events = { progress: () => undefined, log: () => undefined };
  const id = sha256Hex(bytes);
  const block = { path, id, bytes: bytes.length, fileName: "", index: 0, offset: 0 };
  const input = { kind: "blocks" as const, blocks: [block] };
  const outPath = `${path}.map`;
  const map = { ...shared, phase: "map" as const, input, partitions: 1, outPath };
  const [segment] = runMapTask(map, events).partitions;
  if (segment === undefined) return;
  const segments = Array.from({ length: SEGMENTS }, (_, mapTask) => ({
    ...segment,
    path: outPath,
    mapTask,
  }));
  const reduce = { ...shared, phase: "reduce" as const, segments, outPath: `${path}.reduce` };
  runReduceTask(reduce, events);
}

/** Lines of made-up words, some of them not ASCII, as many different ones as a short chapter has. */
function sampleText(): string {
  const random = seededRandom("warm-up");
  const letters = "etaoinshrdlucmfwypvbgé";
  const words: string[] = [];
  for (let i = 0; i < WORDS; i++) {
    const length = 1 + random.below(4) + random.below(4);
    const word = Array.from({ length }, () => letters[random.below(random.below(22) + 1)]);
    words.push(word.join("") + (i % WORDS_A_LINE === 0 ? ".\n" : " "));
  }
  return words.join("");
}
