import type { Status } from "../contract/status.ts";
import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { counted, shortId, showBytes } from "./quantity.ts";
import { printable } from "./table.ts";
import { jsonLine, line } from "./terminal.ts";

export const status: Build = (command, terminal) => {
  const examples = ["status", "status --json", "status --node http://127.0.0.1:7710"];
  clientCommand(command, { json: "one line: the answer of GET /api/v1/status", examples }).action(
    (flags: ClientFlags) =>
      withCluster(flags, terminal, async (cluster) => {
        const answer = await cluster.status();
        if (flags.json === true) await jsonLine(terminal.out, answer);
        else await line(terminal.out, statusText(answer, cluster.node));
      }),
  );
};

/** Health first; then what there is. */
export function statusText(answer: Status, node: string): string {
  const { nodes, files, jobs, leader } = answer;
  const others = [
    ...(nodes.leaving > 0 ? [`${nodes.leaving} leaving`] : []),
    ...(nodes.down > 0 ? [`${nodes.down} down`] : []),
  ];
  const memory = answer.processes.reduce((sum, one) => sum + one.memory, 0);
  const self = `${printable(answer.node.name)} (${shortId(answer.node.id)}) at ${node}`;
  return [
    answer.health.text,
    "",
    `nodes    ${[`${nodes.up} up`, ...others].join(", ")}`,
    `files    ${counted(files.count, "file")}, ${showBytes(files.bytes)}, ${counted(answer.blocks, "block")}`,
    `jobs     ${jobs.running === 0 ? "none running" : `${jobs.running} running`}`,
    `leader   ${leader === null ? "none known: decisions wait" : printable(leader.name)}`,
    `cluster  ${shortId(answer.cluster)}, epoch ${answer.epoch}`,
    `answered by ${self}, version ${printable(answer.version)}, ${showBytes(memory)} of memory`,
  ].join("\n");
}
