import type { FileStat } from "../contract/file-stat.ts";
import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { showBytes } from "./quantity.ts";
import { table } from "./table.ts";
import { jsonLine, line } from "./terminal.ts";

export const ls: Build = (command, terminal) => {
  const examples = ["ls", "ls 'books/*'", "ls '**/*.md' --json"];
  clientCommand(command, { json: "one line per file, as in GET /api/v1/files", examples })
    .argument("[glob]", "* within a folder, ** over folders, ? one character; quote it")
    .action((glob: string | undefined, flags: ClientFlags) =>
      withCluster(flags, terminal, async (cluster) => {
        const rows: string[][] = [];
        for await (const file of cluster.allFiles(glob)) {
          if (flags.json === true) await jsonLine(terminal.out, file);
          else rows.push(cells(file));
        }
        if (rows.length > 0)
          await line(terminal.out, table(["name", "size", "blocks", "replicas", "version"], rows));
        else if (flags.json !== true)
          await line(
            terminal.err,
            glob === undefined ? "No files yet." : `No file matches ${glob}.`,
          );
      }),
    );
};

const cells = (file: FileStat): string[] => [
  file.name,
  showBytes(file.bytes),
  String(file.blocks),
  copiesText(file),
  String(file.version),
];

/** Copies of the block that has fewest, and how many were asked for: `2`, `1 of 2`; the wish alone where none counted. */
export function copiesText({ copies, replicas, blocks }: FileStat): string {
  if (blocks === 0) return "-";
  if (copies === undefined) return String(replicas);
  if (replicas === "all") return `${copies.min} (all)`;
  return copies.min < replicas ? `${copies.min} of ${replicas}` : String(copies.min);
}
