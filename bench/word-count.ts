/**
 * Word count of one large text: a node of two slots against single-thread programs tuned by hand
 * and the shell's pipeline, in turns, on the same file, all answers compared.
 */
import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RingfoldError } from "../src/base/errors.ts";
import type { Bytes, Millis } from "../src/base/ids.ts";
import type { ChildNodes } from "../src/cli/child-node.ts";
import { counted, showBytes } from "../src/cli/quantity.ts";
import { type Cluster, connect } from "../src/sdk/client.ts";
import type { Benchmark, BenchOptions, BenchPlace, BenchResult } from "./benchmark.ts";
import { writeEnglish } from "./english-text.ts";
import { outputLines, sortedLines, storeExample, timedJob } from "./job-time.ts";
import { runProgram } from "./program.ts";
import { type Contender, interleaved, median, rateOf, rounded } from "./sample.ts";

const DEFAULT_SIZE: Bytes = 256 * 1024 * 1024;
const DEFAULT_RUNS = 3;
const SLOTS = 2;
const NAME = "bench/english.txt";
const PIPELINE = `LC_ALL=C; export LC_ALL; tr -cs A-Za-z '\\n' <"$1" | sort | uniq -c >"$2"`;

export const wordCount: Benchmark = {
  about: "word count of a large text on one node with two slots, beside single-thread programs",
  run,
};

async function run(place: BenchPlace, options: BenchOptions): Promise<BenchResult> {
  const size = options.size ?? DEFAULT_SIZE;
  const runs = options.runs ?? DEFAULT_RUNS;
  const input = join(place.nodes.dir, `english-${size}.txt`);
  place.say(`making ${showBytes(size)} of text`);
  writeEnglish(input, size);
  const node = await place.nodes.start({ name: "node-1", slots: SLOTS });
  const cluster = connect({ node: node.http });
  try {
    place.say("storing it");
    await cluster.put(NAME, createReadStream(input, { highWaterMark: 1 << 20 }), {
      replicas: 1,
      cut: "lines",
      length: size,
    });
    const answers = new Answers();
    const contenders = [
      await jobContender(cluster, "built-in words and fold", "word-count.ts", runs, answers),
      await jobContender(cluster, "user's map over lines", "word-count-lines.ts", runs, answers),
      rival(place.nodes, "one thread, bytes", "bytes.ts", input, runs, answers),
      rival(place.nodes, "one thread, strings", "strings.ts", input, runs, answers),
      pipeline(place.nodes, input, answers),
    ];
    place.say(`running ${counted(contenders.length, "program")} in turns`);
    const times = await interleaved(contenders.map((one) => loud(one, place.say)));
    return resultOf(size, contenders, times, answers.words);
  } finally {
    cluster.close();
  }
}

const loud = (contender: Contender, say: (text: string) => void): Contender => ({
  ...contender,
  run: async (round) => {
    const ms = await contender.run(round);
    say(`  ${contender.name}: ${Math.round(ms)} ms`);
    return ms;
  },
});

/** The first answer stands; every other must be the same. */
class Answers {
  words = 0;
  private digest = "";

  /** @param lines `word count`, sorted @throws answer-differs */
  check(who: string, lines: readonly string[]): void {
    const digest = createHash("sha256").update(lines.join("\n")).digest("hex");
    if (this.digest === "") {
      this.digest = digest;
      this.words = lines.length;
    }
    if (digest === this.digest) return;
    const counts = `${lines.length} words instead of ${this.words}, or other counts`;
    throw new RingfoldError("answer-differs", `${who}: ${counts}`);
  }
}

async function jobContender(
  cluster: Cluster,
  name: string,
  example: string,
  runs: number,
  answers: Answers,
): Promise<Contender> {
  const bundle = await storeExample(cluster, example);
  return {
    name,
    runs,
    run: async (round) => {
      const output = `bench/${example}/${round}`;
      const { view, ms } = await timedJob(cluster, bundle, { inputs: [NAME], output, replicas: 1 });
      answers.check(name, await outputLines(cluster, view));
      return ms;
    },
  };
}

function rival(
  nodes: ChildNodes,
  name: string,
  script: string,
  input: string,
  runs: number,
  answers: Answers,
): Contender {
  const path = fileURLToPath(new URL(`word-count-rivals/${script}`, import.meta.url));
  const output = join(nodes.dir, `${script}.out`);
  return {
    name,
    runs,
    run: async () => {
      const ended = await runProgram(nodes, process.execPath, [path, input, output]);
      answers.check(name, sortedLines(readFileSync(output, "utf8")));
      // Its own time, from the first read to the last write: the start of Node is not counted, to
      // its advantage.
      return JSON.parse(ended.output).ms as Millis;
    },
  };
}

function pipeline(nodes: ChildNodes, input: string, answers: Answers): Contender {
  const name = "tr | sort | uniq -c";
  const output = join(nodes.dir, "pipeline.out");
  return {
    name,
    runs: 1,
    run: async () => {
      const env = { TMPDIR: nodes.dir };
      const { ms } = await runProgram(nodes, "sh", ["-c", PIPELINE, "sh", input, output], { env });
      const rows = readFileSync(output, "utf8").matchAll(/^ *(\d+) ([A-Za-z]+)$/gm);
      const lines = Array.from(rows, ([, count, word]) => `${word} ${count}\n`);
      answers.check(name, sortedLines(lines.join("")));
      return ms;
    },
  };
}

function resultOf(
  size: Bytes,
  contenders: readonly Contender[],
  times: readonly Millis[][],
  words: number,
): BenchResult {
  const middle = times.map((one) => median(one));
  const [builtin = 0, user = 0, bytes = 0, strings = 0, shell = 0] = middle.map((ms) =>
    rateOf(size, ms),
  );
  const ratios = [builtin / bytes, user / strings, 1, 1, shell / builtin];
  const beside = ["one thread, bytes", "one thread, strings", "", "", "built-in"];
  const rows = contenders.map(({ name, runs }, i) => [
    name,
    Math.round(middle[i] ?? 0),
    rounded(rateOf(size, middle[i] ?? 0)),
    runs,
    beside[i] === "" ? "-" : `${(ratios[i] ?? 0).toFixed(2)} × ${beside[i]}`,
  ]);
  return {
    heading: ["program", "ms", "MB/s", "runs", "beside"],
    rows,
    notes: [
      `${showBytes(size)} of generated text, ${words} different words; medians; all answers are the same.`,
      `Ours: one node, ${SLOTS} slots, from submit to the committed result as the client sees it.`,
      "One thread: own time without the start of Node. The pipeline: LC_ALL=C, its own start included.",
    ],
    figures: {
      builtinMBs: rounded(builtin),
      builtinRatio: rounded(builtin / bytes),
      userMBs: rounded(user),
      userRatio: rounded(user / strings),
      shellRatio: rounded(builtin / shell),
    },
  };
}
