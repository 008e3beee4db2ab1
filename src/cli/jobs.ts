import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { jobTable } from "./job-text.ts";
import { jsonLine, line } from "./terminal.ts";

export const jobs: Build = (command, terminal) => {
  const json = "one line per job, newest first, as in GET /api/v1/jobs";
  clientCommand(command, { json, examples: ["jobs", "jobs --json"] }).action((flags: ClientFlags) =>
    withCluster(flags, terminal, async (cluster) => {
      const { jobs: rows } = await cluster.jobs();
      if (flags.json === true) for (const row of rows) await jsonLine(terminal.out, row);
      else if (rows.length > 0) await line(terminal.out, jobTable(rows));
      else await line(terminal.err, "No jobs yet.");
    }),
  );
};
