/**
 * `ringfold demo [DIR]`: five real nodes, real text, a word count, a node that is killed in the
 * middle of it, and the proof that the answer is exact and that no copy is missing afterwards.
 * Whatever happens, no process and no file stays.
 */
import { fileURLToPath } from "node:url";
import { bundleJob } from "../node/hosts/bundle-job.ts";
import type { Cluster } from "../sdk/client.ts";
import { ChildNodes } from "./child-node.ts";
import { topWords, totalWords, type WordCounts } from "./demo-count.ts";
import { countInPeace, countWithCrash } from "./demo-counting.ts";
import { type Healing, heal } from "./demo-heal.ts";
import type { JobRun } from "./demo-job.ts";
import { prove, readEverything } from "./demo-proof.ts";
import { DemoScreen } from "./demo-screen.ts";
import { COPIES, startNodes, storeText } from "./demo-start.ts";
import { type DemoText, demoText } from "./demo-text.ts";
import { untilKey } from "./demo-wait.ts";
import { counted, showMillis } from "./quantity.ts";
import { Ended, INTERRUPTED } from "./report-error.ts";
import { jsonLine, processTerminal, type Terminal } from "./terminal.ts";

const TOP = 10;
const JOB_FILE = fileURLToPath(new URL("../../examples/word-count.ts", import.meta.url));

export interface DemoOptions {
  /** Folder with text files; default: the Markdown files of the dependencies. */
  readonly dir?: string;
  /** One JSON line per step; the last, `done`, tells the figures. */
  readonly json?: boolean;
  readonly terminal?: Terminal;
}

/**
 * @throws local-file for a folder without text, answer-differs when the proof fails, what the nodes
 * answer; `Ended` after Ctrl-C
 */
export async function runDemo(options: DemoOptions = {}): Promise<void> {
  const terminal = options.terminal ?? processTerminal();
  const screen = new DemoScreen(terminal, options.json === true);
  const text = await demoText(options.dir);
  const stopped = new AbortController();
  const nodes = new ChildNodes("demo");
  const stop = (): void => {
    stopped.abort();
    void nodes.close();
  };
  const release = onStop(terminal, stop);
  try {
    const facts = await tell(screen, text, nodes, stopped.signal);
    if (options.json === true) await jsonLine(terminal.out, { event: "done", ...facts.figures });
    else if (terminal.interactive && screen.live) await showAddress(screen, terminal, facts);
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
    screen.clear();
    await nodes.close();
    screen.print("\n  Stopped. All nodes and their data are gone.");
    throw new Ended(INTERRUPTED);
  } finally {
    screen.clear();
    await nodes.close();
    release();
  }
}

/** Ctrl-C, a closed terminal window and a polite kill all end the demo in the same way. */
function onStop(terminal: Terminal, stop: () => void): () => void {
  const release = terminal.onInterrupt(stop);
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  return () => {
    release();
    for (const signal of ["SIGTERM", "SIGHUP"] as const) process.off(signal, stop);
  };
}

interface Facts {
  readonly client: Cluster;
  readonly figures: Readonly<Record<string, string | number>>;
}

async function tell(
  screen: DemoScreen,
  text: DemoText,
  children: ChildNodes,
  signal: AbortSignal,
): Promise<Facts> {
  const began = performance.now();
  screen.title("Ringfold", "five nodes on this machine, one crash, one exact answer");
  const cluster = await startNodes(screen, children, signal);
  await storeText(screen, cluster.client, text);
  const bundle = await cluster.client.putBundle((await bundleJob(JOB_FILE)).bytes);
  const calm = await countInPeace(screen, cluster, bundle);
  const run = await countWithCrash(screen, cluster, bundle);
  const { crash } = run;
  const readBack = await readEverything(cluster.client, text);
  screen.step(`every file read back, byte for byte, with ${crash.victim.name} dead`, readBack);
  const counts = await prove(screen, cluster.client, text, [calm, run]);
  const healed = await heal(screen, cluster, crash, COPIES);
  showTop(screen, counts);
  showCost(screen, calm, run, healed);
  const ms = Math.round(performance.now() - began);
  screen.print(`\n  ${screen.paint(`All of it in ${showMillis(ms)}.`, "bold")}`);
  const words = { words: totalWords(counts), distinct: counts.size };
  const { retries, attempts } = run.view;
  const times = { calmMs: Math.round(calm.ms), crashMs: Math.round(run.ms) };
  const stored = { files: text.files.length, bytes: text.bytes };
  const figures = { ms, ...stored, ...words, ...times, attempts, retries, healMs: healed.copies };
  return { client: cluster.client, figures };
}

function showTop(screen: DemoScreen, counts: WordCounts): void {
  screen.heading("Top words");
  screen.bars(topWords(counts, TOP));
}

function showCost(screen: DemoScreen, calm: JobRun, run: JobRun, healed: Healing): void {
  const { retries, attempts } = run.view;
  const [crashed, peaceful] = [showMillis(run.ms), showMillis(calm.ms)];
  screen.heading("What the crash cost");
  screen.print(`    ${counted(retries, "attempt")} run again, of ${attempts} in all`);
  screen.print(`    the job took ${crashed}; in peace, as the first and colder run, ${peaceful}`);
  screen.print(`    the cluster knew that the node was down after ${showMillis(healed.noticed)}`);
  screen.print("    no word and no file");
}

async function showAddress(screen: DemoScreen, terminal: Terminal, facts: Facts): Promise<void> {
  const { node } = facts.client;
  screen.heading("Four nodes are still up: look around");
  screen.print(`    HTTP API   ${screen.paint(`${node}/api/v1/status`, "cyan")}`);
  screen.print(`    shell      bin/ringfold nodes --node ${node}`);
  screen.print(`\n  ${screen.paint("q or Ctrl-C ends it and removes everything", "dim")}`);
  await untilKey(terminal);
}
