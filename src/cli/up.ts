import { text } from "node:stream/consumers";
import { Option } from "commander";
import type { RawNodeOptions, RunningNode } from "../node/node-options.ts";
import { type Build, describeCommand } from "./command.ts";
import { Ended } from "./report-error.ts";
import { INTERRUPTED, jsonLine, line, type Terminal } from "./terminal.ts";

interface Flags extends RawNodeOptions {
  readonly json?: true;
}

/** A stop that takes longer is cut short: what it would still do, the next start does. */
const STOP_MS = 10_000;

export const up: Build = (command, terminal) => {
  const examples = [
    "up",
    "up --data ./b --listen 127.0.0.1:0 --http 127.0.0.1:0 --join TOKEN",
    "up --zone rack-2 --weight 2 --slots 4",
    "up --json",
  ];
  const json = 'lines; the first {"event":"ready","http","listen","node","cluster","pid"}';
  describeCommand(command, { json, examples })
    .description("Start a node. The first one founds a cluster; the others join it with a token.")
    .addOption(
      flag("--data <dir>", "its folder (default: ~/.local/share/ringfold)", "RINGFOLD_DATA"),
    )
    .addOption(
      flag(
        "--listen <host:port>",
        "for other nodes; port 0 takes a free one (default: 127.0.0.1:7701)",
        "RINGFOLD_LISTEN",
      ),
    )
    .addOption(
      flag(
        "--http <host:port>",
        "for commands and the page; loopback only (default: 127.0.0.1:7700)",
        "RINGFOLD_HTTP",
      ),
    )
    .addOption(
      flag(
        "--join <token>",
        "join a cluster; - reads the token from standard input",
        "RINGFOLD_JOIN",
      ),
    )
    .addOption(flag("--name <name>", "for people (default: the machine's name)", "RINGFOLD_NAME"))
    .addOption(
      flag("--zone <zone>", "copies go to different zones (default: default)", "RINGFOLD_ZONE"),
    )
    .addOption(
      flag(
        "--weight <number>",
        "share of data and work; 0 stores nothing (default: 1)",
        "RINGFOLD_WEIGHT",
      ),
    )
    .addOption(
      flag("--slots <n>", "tasks at once (default: the processor's cores)", "RINGFOLD_SLOTS"),
    )
    .addOption(
      flag(
        "--processes <1|3>",
        "1: all in one process, for tests (default: 3)",
        "RINGFOLD_PROCESSES",
      ),
    )
    .action(async (flags: Flags) => {
      const join = flags.join === "-" ? (await text(terminal.input)).trim() : flags.join;
      await runNode({ ...flags, join }, terminal);
    });
};

const flag = (flags: string, help: string, variable: string): Option =>
  new Option(flags, help).env(variable);

async function runNode(flags: Flags, terminal: Terminal): Promise<void> {
  const { nodeOptions } = await import("../node/node-options.ts");
  const options = nodeOptions(flags);
  const { startNode } = await import("../node/main.ts");
  const stopping = stopSignal(terminal);
  const node = await startNode(options);
  if (flags.json === true) await jsonLine(terminal.out, readyEvent(node));
  else await line(terminal.out, welcome(node));
  const signal = await Promise.race([stopping, node.ended]);
  if (signal === undefined) return;
  if (flags.json !== true)
    await line(terminal.err, "Stopping; the node stays a member. Ctrl-C again ends it at once.");
  await stopWithin(node, terminal);
  if (signal === "SIGINT" && !terminal.interactive) throw new Ended(INTERRUPTED);
}

/** The next Ctrl-C, SIGTERM or SIGHUP. */
function stopSignal(terminal: Terminal): Promise<"SIGINT" | "SIGTERM"> {
  const { promise, resolve } = Promise.withResolvers<"SIGINT" | "SIGTERM">();
  terminal.onInterrupt(() => resolve("SIGINT"));
  for (const name of ["SIGTERM", "SIGHUP"] as const) process.once(name, () => resolve("SIGTERM"));
  return promise;
}

/** In order if that is quick; not at all if Ctrl-C comes again. */
async function stopWithin(node: RunningNode, terminal: Terminal): Promise<void> {
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, STOP_MS);
  const release = terminal.onInterrupt(resolve);
  await Promise.race([node.stop(), enough]);
  clearTimeout(timer);
  release();
}

const readyEvent = ({ http, listen, node, cluster }: RunningNode) => ({
  event: "ready",
  http,
  listen,
  node,
  cluster,
  pid: process.pid,
});

function welcome(node: RunningNode): string {
  return [
    `Node ${node.name} is up in cluster ${node.cluster.slice(0, 8)}.`,
    `  HTTP API           ${node.http}`,
    `  other nodes        ${node.listen}`,
    ...(node.joinCommand === undefined
      ? []
      : ["", "To add a node, within the hour:", `  ${node.joinCommand}`]),
    "",
    "Ctrl-C stops it; its data stays. `ringfold leave` takes it out of the cluster.",
  ].join("\n");
}
