import type { NodeRow } from "../contract/node-row.ts";
import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { shortId, showBytes, showMillis } from "./quantity.ts";
import { table } from "./table.ts";
import { jsonLine, line } from "./terminal.ts";

const HEADING = [
  "name",
  "id",
  "state",
  "since",
  "zone",
  "weight",
  "blocks",
  "used",
  "free",
  "tasks",
  "memory",
  "http",
];

export const nodes: Build = (command, terminal) => {
  clientCommand(command, {
    json: "one line per node, as in GET /api/v1/nodes",
    examples: ["nodes", "nodes --json"],
  }).action((flags: ClientFlags) =>
    withCluster(flags, terminal, async (cluster) => {
      const { nodes: rows } = await cluster.nodes();
      if (flags.json === true) for (const row of rows) await jsonLine(terminal.out, row);
      else
        await line(
          terminal.out,
          table(
            HEADING,
            rows.map((row) => cells(row, Date.now())),
          ),
        );
    }),
  );
};

function cells(row: NodeRow, now: number): string[] {
  const marks = `${row.self ? " (this)" : ""}${row.leader ? " (leader)" : ""}`;
  return [
    `${row.name}${marks}`,
    shortId(row.id),
    row.state,
    showMillis(Math.max(0, now - row.since)),
    row.zone,
    String(row.weight),
    String(row.blocks),
    showBytes(row.usedBytes),
    row.freeBytes === null ? "-" : showBytes(row.freeBytes),
    `${row.runningTasks}/${row.slots}`,
    row.memory === null ? "-" : showBytes(row.memory),
    row.addresses.http,
  ];
}
