/** What every command is made of: a commander command with our options, examples and errors. */
import type { Command } from "commander";
import { type Cluster, connect } from "../sdk/client.ts";
import type { Terminal } from "./terminal.ts";

/** A command's file exports one: it adds arguments, options, examples and the action. */
export type Build = (command: Command, terminal: Terminal) => void;

export interface ClientFlags {
  readonly node?: string;
  readonly json?: true;
}

/** `--json` and examples: every command has them. */
export function describeCommand(
  command: Command,
  details: { readonly json: string; readonly examples: readonly string[] },
): Command {
  command.option("--json", details.json);
  const examples = details.examples.map((one) => `  $ ringfold ${one}`).join("\n");
  return command.addHelpText("after", `\nExamples:\n${examples}`);
}

/** A command that talks to a node. */
export function clientCommand(
  command: Command,
  details: { readonly json: string; readonly examples: readonly string[] },
): Command {
  command.option(
    "--node <url>",
    "the node to talk to; else RINGFOLD_NODE, else http://127.0.0.1:7700",
  );
  return describeCommand(command, details);
}

/** Runs with a connection, which is closed whatever happens, so that the program can end. */
export async function withCluster<T>(
  flags: ClientFlags,
  terminal: Terminal,
  use: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const cluster = connect({ node: flags.node ?? (terminal.env["RINGFOLD_NODE"] || undefined) });
  try {
    return await use(cluster);
  } finally {
    cluster.close();
  }
}
