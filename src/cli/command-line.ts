/**
 * `ringfold …`: finds the command, loads its file alone, runs it, and turns whatever happens into
 * an exit code: 0 done, 1 failed, 2 wrong use, 3 not reachable, 4 refused, 130 ended by Ctrl-C.
 */
import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { RingfoldError } from "../base/errors.ts";
import type { Build } from "./command.ts";
import { reportError } from "./report-error.ts";
import type { Terminal } from "./terminal.ts";

interface Entry {
  readonly summary: string;
  readonly group: "Nodes" | "Files" | "Jobs" | "Try";
  readonly load: () => Promise<Build>;
}

/**
 * One line per command. Only the file of the one that runs is loaded: `status` must answer in 150
 * ms.
 */
const COMMANDS: Readonly<Record<string, Entry>> = {
  up: { group: "Nodes", summary: "start a node", load: async () => (await import("./up.ts")).up },
  "join-token": {
    group: "Nodes",
    summary: "make a join line for a new node",
    load: async () => (await import("./join-token.ts")).joinToken,
  },
  status: {
    group: "Nodes",
    summary: "health in plain words",
    load: async () => (await import("./status.ts")).status,
  },
  nodes: {
    group: "Nodes",
    summary: "a table of the nodes",
    load: async () => (await import("./nodes.ts")).nodes,
  },
  leave: {
    group: "Nodes",
    summary: "the node hands over what it holds, and goes",
    load: async () => (await import("./leave.ts")).leave,
  },
  put: { group: "Files", summary: "store files", load: async () => (await import("./put.ts")).put },
  get: {
    group: "Files",
    summary: "read a file into a local one",
    load: async () => (await import("./get.ts")).get,
  },
  cat: {
    group: "Files",
    summary: "read files to standard output",
    load: async () => (await import("./cat.ts")).cat,
  },
  ls: { group: "Files", summary: "list files", load: async () => (await import("./ls.ts")).ls },
  stat: {
    group: "Files",
    summary: "one file: its blocks and who holds them",
    load: async () => (await import("./stat.ts")).stat,
  },
  rm: { group: "Files", summary: "remove files", load: async () => (await import("./rm.ts")).rm },
  run: {
    group: "Jobs",
    summary: "run a job file",
    load: async () => (await import("./run.ts")).run,
  },
  jobs: {
    group: "Jobs",
    summary: "list the jobs",
    load: async () => (await import("./jobs.ts")).jobs,
  },
  job: {
    group: "Jobs",
    summary: "one job: phases, tasks, counters",
    load: async () => (await import("./job.ts")).job,
  },
  logs: {
    group: "Jobs",
    summary: "what a job's tasks wrote",
    load: async () => (await import("./logs.ts")).logs,
  },
  cancel: {
    group: "Jobs",
    summary: "stop a job",
    load: async () => (await import("./cancel.ts")).cancel,
  },
  demo: {
    group: "Try",
    summary: "five nodes, real text, a crash, and the proof",
    load: async () => (await import("./demo-command.ts")).demo,
  },
};

/** @param args without node and script */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  const end = args.indexOf("--");
  const json = (end < 0 ? args : args.slice(0, end)).includes("--json");
  try {
    const program = programOf(terminal);
    await addCommands(program, args, terminal);
    await program.parseAsync([...args], { from: "user" });
    return 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    return await reportError(wrongUse(thrown, args), terminal, json);
  }
}

function programOf(terminal: Terminal): Command {
  const program = new Command("ringfold")
    .description("MapReduce for TypeScript on a ring of peers")
    .version(packageJson.version, "-V, --version", "print the version")
    .helpCommand("help [command]", "print help for a command")
    .configureHelp({ showGlobalOptions: false })
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 failed, 2 wrong use, 3 not reachable, 4 refused.",
    );
  return quiet(program, terminal);
}

/** Commander throws instead of ending the process, and leaves its messages to us. */
function quiet(command: Command, terminal: Terminal): Command {
  return command.exitOverride().configureOutput({
    writeOut: (text) => void terminal.out.write(text),
    writeErr: () => undefined,
    getOutHelpWidth: () => 100,
  });
}

async function addCommands(
  program: Command,
  args: readonly string[],
  terminal: Terminal,
): Promise<void> {
  const wanted = args[0] === "help" ? args[1] : args[0];
  for (const [name, { summary, group, load }] of Object.entries(COMMANDS)) {
    const command = quiet(program.command(name), terminal).summary(summary).helpGroup(`${group}:`);
    command.description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`);
    if (name === wanted) (await load())(command, terminal);
  }
  if (args.length === 0) program.action(() => program.help());
}

/** Commander's complaints in our form; its did-you-mean is kept. */
function wrongUse(thrown: unknown, args: readonly string[]): unknown {
  if (!(thrown instanceof CommanderError)) return thrown;
  const text = thrown.message
    .replace(/^error: /, "")
    .replace(/\n\(Did (.*)\)$/s, " (did $1)")
    .replace(/\n/g, " ")
    .replace(/(but got \d{2,}): .*$/s, "$1: quote a pattern, or the shell expands it");
  const command = args[0] !== undefined && Object.hasOwn(COMMANDS, args[0]) ? `${args[0]}: ` : "";
  return new RingfoldError("bad-option", `${command}${text}`, { cause: thrown });
}
