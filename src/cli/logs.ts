import type { TaskLog } from "../contract/task-log.ts";
import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { printable } from "./table.ts";
import { jsonLine, line } from "./terminal.ts";

interface Flags extends ClientFlags {
  readonly task?: string;
}

export const logs: Build = (command, terminal) => {
  const json = "one line per attempt, as in GET /api/v1/jobs/ID/logs";
  clientCommand(command, {
    json,
    examples: ["logs j0123456789ab", "logs j0123456789ab --task map-3"],
  })
    .argument("<id>", "the job's id")
    .option("--task <task>", "one task, such as map-3 (default: all that wrote or failed)")
    .action((id: string, flags: Flags) =>
      withCluster(flags, terminal, async (cluster) => {
        const { logs: found } = await cluster.taskLogs(id, flags.task);
        if (flags.json === true) for (const log of found) await jsonLine(terminal.out, log);
        else if (found.length > 0) await line(terminal.out, found.map(logText).join("\n\n"));
        else await line(terminal.err, "No task has written anything.");
      }),
    );
};

function logText(log: TaskLog): string {
  const head = `${log.task} attempt ${log.attempt} on ${printable(log.node.name)}: ${log.state}`;
  const lines = log.text.replace(/\n$/, "").split("\n");
  return [
    head,
    ...(log.truncated ? ["  … older lines are gone"] : []),
    ...(log.text === "" ? [] : lines.map((text) => `  ${printable(text)}`)),
    ...(log.error === null ? [] : [`  error: ${printable(log.error)}`]),
  ].join("\n");
}
