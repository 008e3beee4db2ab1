import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { namesOf } from "./file-names.ts";
import { jsonLine, write } from "./terminal.ts";

export const cat: Build = (command, terminal) => {
  const json = "no content: one line per file with name, bytes";
  clientCommand(command, { json, examples: ["cat books/a.txt", "cat 'out/part-*' | head"] })
    .argument("<names...>", "names or quoted patterns")
    .action((patterns: string[], flags: ClientFlags) =>
      withCluster(flags, terminal, async (cluster) => {
        for (const name of await namesOf(cluster, patterns)) {
          const { bytes, chunks } = await cluster.get(name);
          for await (const chunk of chunks)
            if (flags.json !== true) await write(terminal.out, chunk);
          if (flags.json === true) await jsonLine(terminal.out, { name, bytes });
        }
      }),
    );
};
