import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { download } from "./download.ts";
import { orInterrupted } from "./interrupt.ts";
import { ByteProgress } from "./progress.ts";
import { showBytes } from "./quantity.ts";
import { jsonLine, line, type Terminal, write } from "./terminal.ts";

export const get: Build = (command, terminal) => {
  const examples = ["get books/a.txt", "get books/a.txt ./copy.txt", "get books/a.txt - | wc"];
  clientCommand(command, { json: "one line: name, path, bytes", examples })
    .argument("<name>", "the file's name")
    .argument(
      "[file]",
      "local file or folder, - for standard output (default: the name's last part, here)",
    )
    .action((name: string, file: string | undefined, flags: ClientFlags) =>
      withCluster(flags, terminal, async (cluster) => {
        if (file === "-") {
          for await (const chunk of (await cluster.get(name)).chunks)
            await write(terminal.out, chunk);
          return;
        }
        const path = await targetOf(terminal, name, file);
        const progress = new ByteProgress(
          terminal,
          `get ${name}`,
          (await cluster.stat(name)).bytes,
        );
        const work = download(cluster, { name, path }, (n) => progress.add(n));
        const words = (): string => `Stopped: ${path} is as it was.`;
        const bytes = await orInterrupted(work, terminal, progress, words).finally(() =>
          progress.clear(),
        );
        if (flags.json === true) await jsonLine(terminal.out, { name, path, bytes });
        else await line(terminal.out, `${name} → ${file ?? basename(path)}, ${showBytes(bytes)}`);
      }),
    );
};

/** A folder takes the file under its last name. */
async function targetOf(
  terminal: Terminal,
  name: string,
  file: string | undefined,
): Promise<string> {
  const path = resolve(terminal.cwd, file ?? basename(name));
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() === true ? join(path, basename(name)) : path;
}
