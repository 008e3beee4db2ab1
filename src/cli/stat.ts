import type { FileStat } from "../contract/file-stat.ts";
import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { copiesText } from "./ls.ts";
import { shortId, showBytes } from "./quantity.ts";
import { printable, table } from "./table.ts";
import { jsonLine, line } from "./terminal.ts";

export const stat: Build = (command, terminal) => {
  const examples = ["stat books/a.txt", "stat books/a.txt --json"];
  clientCommand(command, {
    json: "one line: the answer of GET /api/v1/files/NAME?holders=1",
    examples,
  })
    .argument("<name>", "the file's name")
    .action((name: string, flags: ClientFlags) =>
      withCluster(flags, terminal, async (cluster) => {
        const file = await cluster.stat(name, { holders: true });
        if (flags.json === true) await jsonLine(terminal.out, file);
        else await line(terminal.out, statText(file));
      }),
    );
};

function statText(file: FileStat): string {
  const rows = (file.blockRows ?? []).map((block, i) => [
    String(i),
    shortId(block.id),
    String(block.offset),
    showBytes(block.bytes),
    block.holders.map((one) => (one.live ? one.name : `${one.name} (down)`)).join(", ") || "nobody",
  ]);
  return [
    `name      ${printable(file.name)}`,
    `version   ${file.version}, ${new Date(file.createdAt).toISOString()}`,
    `size      ${showBytes(file.bytes)} (${file.bytes} bytes)`,
    `type      ${printable(file.contentType)}${cutText(file)}`,
    `copies    ${copiesText(file)}`,
    `manifest  ${file.manifest}`,
    ...(rows.length === 0 ? [] : ["", table(["block", "id", "offset", "size", "held by"], rows)]),
  ].join("\n");
}

const CUTS = { lines: ", cut at line ends", bytes: ", cut at any byte" } as const;
const cutText = ({ cut }: FileStat): string => (cut === undefined ? "" : CUTS[cut]);
