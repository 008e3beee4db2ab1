import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { present, RingfoldError } from "../base/errors.ts";
import type { Millis } from "../base/ids.ts";
import type { Cluster, SubmitOptions } from "../sdk/client.ts";
import { type Build, clientCommand, withCluster } from "./command.ts";
import { localError } from "./local-error.ts";
import { prepareFolder } from "./part-files.ts";
import { Ended } from "./report-error.ts";
import {
  type Leftover,
  paramsOf,
  type RunFlags,
  slipOf,
  submitOptionsOf,
} from "./run-arguments.ts";
import { detached, followJob, showOutput } from "./run-follow.ts";
import { INTERRUPTED, jsonLine, line, type Terminal } from "./terminal.ts";

/** After Ctrl-C, for the id of a job that is being submitted. */
const SUBMIT_PATIENCE: Millis = 2000;

export const run: Build = (command, terminal) => {
  const examples = [
    "run word-count.ts --input 'books/*' --to out/",
    "run word-count.ts --input 'books/*' --output counts --reducers 4",
    "run grep.ts --input 'logs/**' --pattern ERROR | less",
    "run pi.ts --samples 100000",
    "run word-count.ts --local --input books/*.txt",
  ];
  const json =
    'lines: {"event":"submitted"|"progress"|…}, the last {"event":"done","job","ms","tasks","attempts","output"}';
  clientCommand(command, { json, examples })
    .description(
      "Run a job file. Without --to and --output the result comes on standard output. " +
        "Other flags are the job's own parameters; --help-job shows them.",
    )
    .argument("<job>", "the job file, such as word-count.ts")
    .option(
      "--input <globs...>",
      "files in the cluster, patterns in quotes; with --local: files of this machine",
    )
    .option("--output <name>", "keep the result in the cluster as NAME/part-00000 …")
    .option("--to <dir>", "write the result to DIR/part-00000 …")
    .option("--force", "--to may replace part files of an earlier run")
    .option("--reducers <n>", "reduce tasks, and so parts (default: from the input's size)")
    .option("--replicas <n>", "copies of the output, or all (default: 2)")
    .option(
      "--task-timeout <time>",
      "a task without progress for so long is given up (default: 10s)",
    )
    .option("--task-memory <size>", "memory of one task")
    .option("--detach", "submit, print the id, and go")
    .option("--help-job", "what the job is and which parameters it takes")
    .option(
      "--local",
      "no cluster: two nodes in this process, on this machine's files, gone afterwards",
    )
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_job: string, flags: RunFlags) => {
      const leftover = paramsOf(command.args);
      await runJob(command, flags, leftover, terminal).catch((error) => {
        throw withSlip(error, leftover, command);
      });
    });
};

async function runJob(
  command: Command,
  flags: RunFlags,
  { operands, params }: Leftover,
  terminal: Terminal,
): Promise<void> {
  const [job, extra] = operands;
  if (job === undefined || extra !== undefined) {
    const what =
      job === undefined
        ? "no job file is named"
        : `"${extra}" is one word too many; one job file is run`;
    throw new RingfoldError("bad-option", `${command.name()}: ${what}`);
  }
  const options = submitOptionsOf(flags, params);
  const path = resolve(terminal.cwd, job);
  await access(path, constants.R_OK).catch((error) => {
    throw localError(error, job);
  });
  if (flags.to !== undefined)
    await prepareFolder(resolve(terminal.cwd, flags.to), flags.force === true);
  const bundle = await bundleOf(path);
  if (flags.local === true) {
    const { runLocal } = await import("./run-local.ts");
    return runLocal({ bundle, flags, options }, terminal);
  }
  await withCluster(flags, terminal, async (cluster) => {
    if (flags.helpJob === true) return showJobHelp(cluster, job, bundle, terminal);
    const id = await submitted(cluster, bundle, options, terminal);
    if (flags.json === true) await jsonLine(terminal.out, { event: "submitted", job: id });
    if (flags.detach === true) return flags.json === true ? undefined : line(terminal.out, id);
    const view = await followJob(cluster, id, flags, terminal);
    await showOutput(cluster, view, flags, terminal);
  });
}

/** Ctrl-C while the job enters the ledger: its id is waited for, so that nobody has a job without knowing it. */
async function submitted(
  cluster: Cluster,
  bundle: Uint8Array,
  options: SubmitOptions,
  terminal: Terminal,
): Promise<string> {
  const stopped = Promise.withResolvers<void>();
  let interrupted = false;
  const release = terminal.onInterrupt(() => {
    interrupted = true;
    setTimeout(stopped.resolve, SUBMIT_PATIENCE);
  });
  try {
    const hash = await cluster.putBundle(bundle);
    if (interrupted) return neverSubmitted(terminal);
    const late = stopped.promise.then(() => undefined);
    const job = await Promise.race([cluster.submit(hash, options), late]);
    if (interrupted) detached(job?.id, terminal);
    return present(job, "a submit that was not interrupted answers").id;
  } finally {
    release();
  }
}

function neverSubmitted(terminal: Terminal): never {
  terminal.err.write("Stopped: the job was not submitted.\n");
  throw new Ended(INTERRUPTED);
}

async function bundleOf(path: string): Promise<Uint8Array> {
  const { bundleJob } = await import("../node/hosts/bundle-job.ts");
  return (await bundleJob(path)).bytes;
}

async function showJobHelp(
  cluster: Cluster,
  job: string,
  bundle: Uint8Array,
  terminal: Terminal,
): Promise<void> {
  const about = await cluster.describeJob(await cluster.putBundle(bundle));
  const params = about.params.map(({ name, type, def, help }) => {
    const flag = type === "flag" ? `--${name}` : `--${name} <${type}>`;
    return `  ${flag.padEnd(28)} ${help}${help === "" ? "" : " "}(default: ${String(def)})`;
  });
  const text = [
    `${about.name}${about.description === "" ? "" : `: ${about.description}`}`,
    `Reads ${about.source}; ringfold run ${job} takes, beside its own flags:`,
    ...(params.length === 0 ? ["  no parameters"] : params),
    ...(about.counters.length === 0 ? [] : [`Counters: ${about.counters.join(", ")}`]),
  ];
  await line(terminal.out, text.join("\n"));
}

/** A parameter that the job does not have may have been meant for us. */
function withSlip(error: unknown, { params }: Leftover, command: Command): unknown {
  if (!(error instanceof RingfoldError) || error.code !== "job-param") return error;
  const slips = Object.keys(params).flatMap((name) => slipOf(name, command) ?? []);
  if (slips.length === 0) return error;
  return new RingfoldError(
    "job-param",
    `${error.message} (did you mean --${slips.join(", --")}?)`,
    { cause: error },
  );
}
