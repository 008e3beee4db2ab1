/**
 * What the demo proves: the files are what they were, and both answers are what one process counts.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { RingfoldError } from "../base/errors.ts";
import type { Millis } from "../base/ids.ts";
import type { JobView } from "../contract/job-view.ts";
import type { Cluster } from "../sdk/client.ts";
import {
  countDifferences,
  countWords,
  parseCounts,
  totalWords,
  type WordCounts,
  type WordDifference,
} from "./demo-count.ts";
import { type DemoScreen, grouped } from "./demo-screen.ts";
import type { DemoText } from "./demo-text.ts";
import { counted } from "./quantity.ts";

/** What a run of the job left. */
export interface Answer {
  readonly view: Pick<JobView, "output">;
}

/** Reads every file of the cluster while copies are missing, and compares it with the original. */
export async function readEverything(
  client: Pick<Cluster, "get">,
  text: Pick<DemoText, "files">,
): Promise<Millis> {
  const began = performance.now();
  for (const { name, path } of text.files) {
    const there = createHash("sha256");
    for await (const chunk of (await client.get(name)).chunks) there.update(chunk);
    const here = createHash("sha256");
    for await (const chunk of createReadStream(path)) here.update(chunk as Buffer);
    if (there.digest("hex") === here.digest("hex")) continue;
    throw new RingfoldError("answer-differs", `${name} is not what ${path} holds`);
  }
  return performance.now() - began;
}

/**
 * Both answers against the count of one process.
 * @throws answer-differs with the first words that differ
 */
export async function prove(
  screen: DemoScreen,
  client: Pick<Cluster, "results">,
  text: Pick<DemoText, "files">,
  runs: readonly Answer[],
): Promise<WordCounts> {
  const began = performance.now();
  const expected = await countWords(text.files.map(({ path }) => path));
  const took = performance.now() - began;
  for (const { view } of runs) {
    const found = parseCounts(await outputText(client, view));
    const differences = countDifferences(expected, found);
    if (differences.length > 0) throw differs(view.output.name, differences);
  }
  screen.step("both answers equal a count made apart, in a single process", took);
  screen.note(`${grouped(totalWords(expected))} words, ${grouped(expected.size)} different`);
  return expected;
}

async function outputText(client: Pick<Cluster, "results">, view: Answer["view"]): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of client.results(view)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function differs(output: string, differences: readonly WordDifference[]): RingfoldError {
  const first = differences.slice(0, 5);
  const words = first.map((one) => `"${one.word}" ${one.found} instead of ${one.expected}`);
  const count = counted(differences.length, "word");
  return new RingfoldError(
    "answer-differs",
    `${output}: ${count} differ from the single-process count: ${words.join(", ")}`,
  );
}
