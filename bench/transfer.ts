/**
 * Put and get of one large file between two nodes with two copies, as a user does it, beside `cp`
 * and a sync.
 */
import { createHash } from "node:crypto";
import { closeSync, createReadStream, fsyncSync, openSync, writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { RingfoldError } from "../src/base/errors.ts";
import type { Bytes } from "../src/base/ids.ts";
import { seededRandom } from "../src/base/random.ts";
import { type ChildNode, type ChildNodes, RINGFOLD } from "../src/cli/child-node.ts";
import { startRing } from "../src/cli/child-ring.ts";
import { showBytes } from "../src/cli/quantity.ts";
import type { Benchmark, BenchOptions, BenchPlace, BenchResult } from "./benchmark.ts";
import { PeakWatch } from "./process-memory.ts";
import { runProgram } from "./program.ts";
import { type Contender, interleaved, median, rateOf, rounded } from "./sample.ts";

const DEFAULT_SIZE: Bytes = 1024 * 1024 * 1024;
const DEFAULT_RUNS = 3;
const CHUNK: Bytes = 1024 * 1024;
const STAMP_EVERY: Bytes = 64 * 1024;
const COPY = 'cp "$1" "$2" && sync "$2"';

export const transfer: Benchmark = {
  about: "put and get of a large file between two nodes with two copies, and the memory it takes",
  run,
};

async function run(place: BenchPlace, options: BenchOptions): Promise<BenchResult> {
  const { nodes } = place;
  const size = options.size ?? DEFAULT_SIZE;
  const source = join(nodes.dir, "source");
  place.say(`making a file of ${showBytes(size)}`);
  writeRandom(source, size);
  const ring = await startRing(nodes, { count: 2, slots: 1 });
  const watch = new PeakWatch();
  for (const node of ring.nodes) watch.add(node.pid, (name) => `${node.name} ${name}`);
  place.say("putting, getting and copying it in turns");
  const runs = options.runs ?? DEFAULT_RUNS;
  const contenders = contendersOf(nodes, ring.nodes, source, size, watch, runs);
  const times = await interleaved(contenders).finally(() => ring.client.close());
  const peaks = watch.end();
  return resultOf(size, contenders, times.map(median), peaks);
}

/** Bytes that do not compress. */
function writeRandom(path: string, size: Bytes): void {
  const random = seededRandom("transfer");
  const words = Uint32Array.from({ length: CHUNK / 4 }, () => random.below(2 ** 32));
  const chunk = Buffer.from(words.buffer);
  const file = openSync(path, "w", 0o600);
  try {
    for (let at = 0; at < size; at += CHUNK) writeSync(file, chunk, 0, Math.min(CHUNK, size - at));
  } finally {
    closeSync(file);
  }
}

/** Makes every block another one: a block that is there already would not travel again. */
function stamp(path: string, size: Bytes, round: number): void {
  const file = openSync(path, "r+");
  const mark = Buffer.alloc(16);
  try {
    for (let at = 0; at + mark.length <= size; at += STAMP_EVERY) {
      mark.writeDoubleLE(at, 0);
      mark.writeDoubleLE(round, 8);
      writeSync(file, mark, 0, mark.length, at);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function contendersOf(
  nodes: ChildNodes,
  [first, second]: readonly ChildNode[],
  source: string,
  size: Bytes,
  watch: PeakWatch,
  runs: number,
): Contender[] {
  const cli = (args: readonly string[], node: ChildNode | undefined): Promise<{ ms: number }> =>
    runProgram(nodes, RINGFOLD, [...args, "--node", node?.http ?? ""], {
      started: (pid) => watch.add(pid, () => "client"),
    });
  const back = join(nodes.dir, "back");
  const copy = join(nodes.dir, "copy");
  const put = async (round: number): Promise<number> => {
    stamp(source, size, round);
    const { ms } = await cli(["put", source, "--as", `f/${round}`, "--replicas", "2"], first);
    return ms;
  };
  const get = async (round: number): Promise<number> => {
    const { ms } = await cli(["get", `f/${round}`, back], second);
    await sameBytes(source, back);
    await rm(back);
    return ms;
  };
  const cp = async (): Promise<number> => {
    const { ms } = await runProgram(nodes, "sh", ["-c", COPY, "sh", source, copy]);
    await rm(copy);
    return ms;
  };
  return [
    { name: "ringfold put, R = 2", runs, run: put },
    { name: "ringfold get", runs, run: get },
    { name: "cp and sync", runs, run: cp },
  ];
}

async function sameBytes(one: string, other: string): Promise<void> {
  if ((await digestOf(one)) === (await digestOf(other))) return;
  throw new RingfoldError("answer-differs", `${other} is not what ${one} holds`);
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: CHUNK }), hash);
  return hash.digest("hex");
}

function resultOf(
  size: Bytes,
  contenders: readonly Contender[],
  middle: readonly number[],
  peaks: readonly (readonly [string, Bytes])[],
): BenchResult {
  const [put = 0, get = 0, copy = 0] = middle.map((ms) => rateOf(size, ms));
  const rows = contenders.map(({ name, runs }, i) => [
    name,
    Math.round(middle[i] ?? 0),
    rounded(rateOf(size, middle[i] ?? 0)),
    runs,
  ]);
  const memory = peaks.map(([who, peak]) => `  ${who}: ${showBytes(peak)}`);
  return {
    heading: ["what", "ms", "MB/s", "runs"],
    rows,
    notes: [
      `${showBytes(size)} that do not compress; medians; what came back is what was put.`,
      "The command's own start is counted. put ends when both copies of every block are synced.",
      "Peak of resident memory of each process:",
      ...memory,
    ],
    figures: {
      putMBs: rounded(put),
      getMBs: rounded(get),
      copyMBs: rounded(copy),
      peakMB: rounded((peaks[0]?.[1] ?? 0) / 1e6),
    },
  };
}
