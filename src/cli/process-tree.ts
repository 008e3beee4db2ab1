/** Processes and their children, as the operating system tells them. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const hasProc = process.platform === "linux";

/**
 * A process and all below it that live just now, itself first, if it does. Of groups and sessions
 * it does not matter.
 */
export function processTree(root: number): number[] {
  const children = Map.groupBy(hasProc ? fromProc() : fromPs(), ({ parent }) => parent);
  const tree = [root];
  // Grows while it is walked.
  for (const pid of tree) for (const child of children.get(pid) ?? []) tree.push(child.pid);
  return tree;
}

interface Row {
  readonly pid: number;
  readonly parent: number;
}

function fromProc(): Row[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((name) => {
    // A process may end between two reads.
    try {
      return [{ pid: Number(name), parent: parentOf(name) }];
    } catch {
      return [];
    }
  });
}

const parentOf = (pid: string): number => Number(statOf(pid)[1]);

/**
 * State, parent and so on: field 3 and what follows. The name before may hold spaces and brackets
 * (proc(5)).
 */
function statOf(pid: string | number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function fromPs(): Row[] {
  const { stdout } = spawnSync("ps", ["-axo", "pid=,ppid="], { encoding: "utf8" });
  return stdout.split("\n").flatMap((line) => {
    const [pid = 0, parent = 0] = line.trim().split(/\s+/).map(Number);
    return pid > 0 ? [{ pid, parent }] : [];
  });
}

/** SIGKILL. @returns whether there was such a process */
export function killProcess(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}

/** A zombie does not: it holds nothing, and in a container nobody may ever collect it. */
export function processLives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !hasProc || statOf(pid)[0] !== "Z";
  } catch {
    return false;
  }
}
