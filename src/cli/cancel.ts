import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { jsonLine, line } from "./terminal.ts";

export const cancel: Build = (command, terminal) => {
  const json = 'one line: {"event":"cancelled"|"over","job","state"}';
  clientCommand(command, { json, examples: ["cancel j0123456789ab"] })
    .argument("<id>", "the job's id")
    .action((id: string, flags: ClientFlags) =>
      withCluster(flags, terminal, async (cluster) => {
        const { state } = await cluster.cancel(id);
        const cancelled = state === "cancelled";
        if (flags.json === true)
          return jsonLine(terminal.out, {
            event: cancelled ? "cancelled" : "over",
            job: id,
            state,
          });
        await line(
          terminal.out,
          cancelled ? `${id} is cancelled.` : `${id} was over before: ${state}.`,
        );
      }),
    );
};
