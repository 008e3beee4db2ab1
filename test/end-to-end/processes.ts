/** The processes of a node, found in /proc: control, its children, and theirs. */
import { readdirSync, readFileSync } from "node:fs";

/** Of one process: a number may be given to another one later, but not with the same start. */
export interface Process {
  readonly pid: number;
  readonly started: string;
  readonly command: string;
}

interface Row extends Process {
  readonly parent: number;
}

/** A zombie holds nothing and counts as gone. */
function all(): Row[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const row = read(Number(name));
      return row === undefined ? [] : [row];
    });
}

/** proc(5): state, parent and start are fields 3, 4 and 22; the name in field 2 may hold anything. */
function read(pid: number): Row | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z") return undefined;
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return { pid, parent: Number(fields[1]), started: fields[19] ?? "", command };
  } catch {
    return undefined;
  }
}

/** The process and all that it started, as long as it lives. */
export function treeOf(pid: number): Process[] {
  const rows = all();
  const tree = rows.filter((row) => row.pid === pid);
  for (const { pid: parent } of tree) tree.push(...rows.filter((row) => row.parent === parent));
  return tree;
}

/** Those that still live, in words. */
export function living(processes: Iterable<Process>): string[] {
  return [...processes]
    .filter(({ pid, started }) => read(pid)?.started === started)
    .map(({ pid, command }) => `${pid} ${command.slice(0, 200)}`);
}

/** Passed over by whoever has ended. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}

/**
 * To all processes of a node as at one moment: control is stopped first, so that it starts no more of them.
 * @returns whom
 */
export function signalTree(pid: number, name: "SIGKILL" | "SIGSTOP"): Process[] {
  signal(pid, "SIGSTOP");
  const tree = treeOf(pid);
  for (const one of tree) signal(one.pid, name);
  return tree;
}
