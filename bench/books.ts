/**
 * The word count of a few books on a warm ring of three: what a small job takes when nothing has to
 * start.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bytes } from "../src/base/ids.ts";
import { startRing } from "../src/cli/child-ring.ts";
import { demoText } from "../src/cli/demo-text.ts";
import { counted, showBytes } from "../src/cli/quantity.ts";
import { upload } from "../src/cli/upload.ts";
import type { Benchmark, BenchOptions, BenchPlace, BenchResult } from "./benchmark.ts";
import { writeEnglish } from "./english-text.ts";
import { storeExample, timedJob } from "./job-time.ts";
import { interleaved, median, rounded } from "./sample.ts";

const DEFAULT_DIR = fileURLToPath(new URL("../../shared/data/books", import.meta.url));
const DEFAULT_RUNS = 10;
const WARM_UP = 3;
const NODES = 3;
const SLOTS = 2;
/** Where there are no books: as many texts of about the same size. */
const MADE_BOOKS = 8;
const MADE_BYTES: Bytes = 410_000;

export const books: Benchmark = {
  about: "word count of a folder of books on a warm ring of three nodes, from submit to result",
  run,
};

async function run(place: BenchPlace, options: BenchOptions): Promise<BenchResult> {
  const text = await demoText(await folderOf(place, options));
  const runs = options.runs ?? DEFAULT_RUNS;
  const { client } = await startRing(place.nodes, { count: NODES, slots: SLOTS });
  try {
    const silent = { grew: (): void => {}, stored: async (): Promise<void> => {} };
    await upload(client, text.files, { replicas: 2 }, silent);
    const bundle = await storeExample(client, "word-count.ts");
    const job = async (output: string): Promise<number> =>
      (await timedJob(client, bundle, { inputs: ["demo/**"], output })).ms;
    for (let i = 0; i < WARM_UP; i++)
      place.say(`warm-up: ${Math.round(await job(`warm/${i}`))} ms`);
    const run = (round: number): Promise<number> => job(`out/${round}`);
    const [times = []] = await interleaved([{ name: "books", runs, run }]);
    return resultOf(`${counted(text.files.length, "text")}, ${showBytes(text.bytes)}`, times);
  } finally {
    client.close();
  }
}

async function folderOf(place: BenchPlace, { dir }: BenchOptions): Promise<string> {
  if (dir !== undefined) return resolve(dir);
  if (existsSync(DEFAULT_DIR)) return DEFAULT_DIR;
  place.say("no folder of books is named: texts are made");
  const made = join(place.nodes.dir, "books");
  await mkdir(made);
  for (let i = 1; i <= MADE_BOOKS; i++) writeEnglish(join(made, `book-${i}.txt`), MADE_BYTES);
  return made;
}

function resultOf(what: string, times: readonly number[]): BenchResult {
  const [least, middle, most] = [Math.min(...times), median(times), Math.max(...times)];
  return {
    heading: ["input", "runs", "least ms", "median ms", "most ms"],
    rows: [[what, times.length, Math.round(least), Math.round(middle), Math.round(most)]],
    notes: [
      `${NODES} nodes of ${SLOTS} slots on this machine, after ${WARM_UP} runs to warm up.`,
      "From submit to the committed result as the client sees it; the bundle is stored before.",
    ],
    figures: { medianMs: rounded(middle), leastMs: rounded(least), mostMs: rounded(most) },
  };
}
