import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { namesOf } from "./file-names.ts";
import { jsonLine, line } from "./terminal.ts";

export const rm: Build = (command, terminal) => {
  clientCommand(command, {
    json: "one line per file: name, version",
    examples: ["rm books/a.txt", "rm 'old/**'"],
  })
    .argument("<names...>", "names or quoted patterns")
    .action((patterns: string[], flags: ClientFlags) =>
      withCluster(flags, terminal, async (cluster) => {
        for (const name of await namesOf(cluster, patterns)) {
          const removed = await cluster.remove(name);
          if (flags.json === true) await jsonLine(terminal.out, removed);
          else await line(terminal.out, `removed ${removed.name}`);
        }
      }),
    );
};
