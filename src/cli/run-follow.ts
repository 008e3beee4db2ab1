/** A submitted job to its end: progress, Ctrl-C, and its output to where it was asked for. */

import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { errorFromNote, isErrorCode, RingfoldError } from "../base/errors.ts";
import type { JobView } from "../contract/job-view.ts";
import type { Cluster } from "../sdk/client.ts";
import { progressText, sum } from "./job-text.ts";
import { writeParts } from "./part-files.ts";
import { ProgressLine } from "./progress.ts";
import { counted, showMillis } from "./quantity.ts";
import { Ended } from "./report-error.ts";
import type { RunFlags } from "./run-arguments.ts";
import { INTERRUPTED, jsonLine, line, type Terminal, write } from "./terminal.ts";

/** At most so many progress lines a second for programs. */
const JSON_PROGRESS_MS = 200;

/**
 * @returns the job that is done
 * @throws what the job failed with, with its id in the detail; Ended after Ctrl-C
 */
export async function followJob(
  cluster: Cluster,
  id: string,
  flags: RunFlags,
  terminal: Terminal,
): Promise<JobView> {
  const stop = new AbortController();
  const progress = new ProgressLine(terminal);
  const release = terminal.onInterrupt(interruptHandler(cluster, id, terminal, progress, stop));
  try {
    return finished(await lastView(cluster, id, flags, terminal, progress, stop.signal));
  } catch (error) {
    if (stop.signal.aborted && stop.signal.reason instanceof Ended) throw stop.signal.reason;
    throw stillRunning(error, id);
  } finally {
    release();
    progress.clear();
  }
}

async function lastView(
  cluster: Cluster,
  id: string,
  flags: RunFlags,
  terminal: Terminal,
  progress: ProgressLine,
  signal: AbortSignal,
): Promise<JobView> {
  let told = performance.now();
  let last: JobView | undefined;
  for await (const view of cluster.watch(id, signal)) {
    last = view;
    if (flags.json !== true) progress.update(() => progressText(view));
    else if (performance.now() - told >= JSON_PROGRESS_MS && view.state === "running") {
      told = performance.now();
      await jsonLine(terminal.out, {
        event: "progress",
        job: id,
        ms: view.ms,
        phases: view.phases,
      });
    }
  }
  return last ?? (await cluster.job(id));
}

function finished(view: JobView): JobView {
  const detail = { job: view.id };
  if (view.state === "cancelled")
    throw new RingfoldError("cancelled", `job ${view.id} was cancelled`, { detail });
  if (view.error === null) return view;
  const { code, message } = view.error;
  const known = isErrorCode(code) ? code : "protocol";
  throw new RingfoldError(known, `job ${view.id}: ${message}`, { detail });
}

/** The way to the node broke, not the job. */
function stillRunning(error: unknown, id: string): unknown {
  if (!(error instanceof RingfoldError) || error.code !== "not-reachable") return error;
  const message = `${error.message}; the job goes on: ringfold job ${id}`;
  return errorFromNote({ code: error.code, message });
}

/** Ctrl-C asks a person; it never cancels a script's job by itself. */
function interruptHandler(
  cluster: Cluster,
  id: string,
  terminal: Terminal,
  progress: ProgressLine,
  stop: AbortController,
): () => void {
  let asking = false;
  return () => {
    progress.hold();
    if (!terminal.interactive || asking) return detach(id, terminal, stop);
    asking = true;
    ask(terminal, `cancel the job ${id}? [y/N] `, () => detach(id, terminal, stop))
      .then(async (yes) => {
        asking = false;
        progress.resume();
        if (yes) await cluster.cancel(id);
      })
      .catch((error) => stop.abort(error));
  };
}

function detach(id: string, terminal: Terminal, stop: AbortController): void {
  terminal.err.write(goesOn(id));
  stop.abort(new Ended(INTERRUPTED));
}

const goesOn = (id: string): string =>
  `The job ${id} goes on. See it: ringfold job ${id}. Stop it: ringfold cancel ${id}.\n`;

/** Ctrl-C before the job's id was shown. @param id undefined while the node has not answered */
export function detached(id: string | undefined, terminal: Terminal): never {
  const unsure = "Stopped while the job was submitted: it may still begin. See: ringfold jobs.\n";
  terminal.err.write(id === undefined ? unsure : goesOn(id));
  throw new Ended(INTERRUPTED);
}

/** False for anything but a yes; `again`: Ctrl-C instead of an answer. */
async function ask(terminal: Terminal, question: string, again: () => void): Promise<boolean> {
  const reader = createInterface({
    input: terminal.input,
    output: terminal.err,
    terminal: terminal.screen,
  });
  const { promise, resolve: answer } = Promise.withResolvers<string>();
  reader.on("SIGINT", () => {
    terminal.err.write("\n");
    answer("");
    again();
  });
  reader.on("close", () => answer(""));
  reader.question(question, answer);
  const text = await promise;
  reader.close();
  return /^\s*y(es)?\s*$/i.test(text);
}

/**
 * Parts to a folder, or bytes to standard output, or nothing when they stay in the cluster; then
 * how it went.
 */
export async function showOutput(
  cluster: Cluster,
  view: JobView,
  flags: RunFlags,
  terminal: Terminal,
): Promise<void> {
  const json = flags.json === true;
  if (flags.to !== undefined)
    await writeParts(cluster, view, resolve(terminal.cwd, flags.to), terminal);
  else if (flags.output === undefined && !json && view.result === null) {
    for await (const chunk of cluster.results(view)) await write(terminal.out, chunk);
  }
  const output = flags.to ?? view.output.name;
  const tasks = sum(view.phases, "total");
  const { id, ms, attempts, counters, result } = view;
  if (json) {
    return jsonLine(terminal.out, {
      event: "done",
      job: id,
      ms,
      tasks,
      attempts,
      output,
      counters,
      result,
    });
  }
  if (result !== null) await line(terminal.out, result);
  const retried = view.retries === 0 ? "" : `, ${view.retries} retried`;
  await line(
    terminal.err,
    `${view.name}: ${counted(tasks, "task")} in ${showMillis(ms)}${retried}; output: ${output} (${id})`,
  );
}
