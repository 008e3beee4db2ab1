import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { jobText } from "./job-text.ts";
import { jsonLine, line } from "./terminal.ts";

export const job: Build = (command, terminal) => {
  const json = "one line: the answer of GET /api/v1/jobs/ID";
  clientCommand(command, { json, examples: ["job j0123456789ab", "job j0123456789ab --json"] })
    .argument("<id>", "the job's id")
    .action((id: string, flags: ClientFlags) =>
      withCluster(flags, terminal, async (cluster) => {
        const view = await cluster.job(id);
        if (flags.json === true) await jsonLine(terminal.out, view);
        else await line(terminal.out, jobText(view));
      }),
    );
};
