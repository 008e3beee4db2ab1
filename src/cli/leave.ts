import { RingfoldError } from "../base/errors.ts";
import type { LeaveProgress } from "../contract/node-row.ts";
import type { Cluster } from "../sdk/client.ts";
import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { ProgressLine } from "./progress.ts";
import { counted } from "./quantity.ts";
import { jsonLine, line, type Terminal } from "./terminal.ts";

export const leave: Build = (command, terminal) => {
  const examples = ["leave", "leave --node http://127.0.0.1:7710"];
  clientCommand(command, { json: 'one line at the end: {"event":"left"}', examples })
    .description(
      "The node hands over all that it holds, leaves the cluster, and ends. Takes as long as the data takes.",
    )
    .action((flags: ClientFlags) =>
      withCluster(flags, terminal, async (cluster) => {
        await leaveToTheEnd(cluster, terminal);
        if (flags.json === true) await jsonLine(terminal.out, { event: "left" });
        else
          await line(
            terminal.out,
            `The node at ${cluster.node} has handed over its data and left.`,
          );
      }),
    );
};

async function leaveToTheEnd(cluster: Cluster, terminal: Terminal): Promise<void> {
  const progress = new ProgressLine(terminal);
  let last: LeaveProgress | undefined;
  try {
    while (last?.state !== "left") {
      last = await step(cluster, last);
      const { blocksLeft } = last;
      progress.update(() => `handing over, ${counted(blocksLeft, "block")} left`);
    }
  } finally {
    progress.clear();
  }
}

async function step(cluster: Cluster, last: LeaveProgress | undefined): Promise<LeaveProgress> {
  try {
    return await cluster.leave();
  } catch (error) {
    const gone =
      error instanceof RingfoldError && error.code === "not-reachable" && last !== undefined;
    if (!gone) throw error;
    const left = counted(last.blocksLeft, "block");
    throw new RingfoldError(
      "not-reachable",
      `the node ended with ${left} not handed over; the others repair them`,
      { cause: error },
    );
  }
}
