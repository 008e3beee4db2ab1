/** Memory of processes as Linux tells it in /proc. */
import { readdirSync, readFileSync } from "node:fs";
import type { Bytes, Millis } from "../src/base/ids.ts";

const KIB: Bytes = 1024;
const POLL_MS: Millis = 50;

export interface ProcessMemory {
  readonly pid: number;
  /** Which of a node's processes it is, or the program's name. */
  readonly name: string;
  readonly resident: Bytes;
  /** The most that was ever resident; the kernel keeps count. */
  readonly peak: Bytes;
  /** Shared pages counted by their share: the sum over processes is what they take together. */
  readonly proportional: Bytes;
}

/** All processes of a group that live just now. */
export function groupMemory(group: number): ProcessMemory[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    // A process may end between two reads.
    try {
      return groupOf(pid) === group ? [memoryOf(pid)] : [];
    } catch {
      return [];
    }
  });
}

/** Field 5 of stat; the name before it may hold spaces and brackets (proc(5)). */
function groupOf(pid: string): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]);
}

function memoryOf(pid: string): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kib = (text: string, field: string): Bytes =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * KIB;
  return {
    pid: Number(pid),
    name: nameOf(pid),
    resident: kib(status, "VmRSS"),
    peak: kib(status, "VmHWM"),
    proportional: kib(rollup, "Pss"),
  };
}

/** The script that it runs, without folder and ending. */
function nameOf(pid: string): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const script = words.find((word) => /\.(ts|mjs|js)$/.test(word)) ?? words[0] ?? "";
  const name = script.slice(script.lastIndexOf("/") + 1).replace(/\.(ts|mjs|js)$/, "");
  return name === "main" ? "control" : name;
}

/** Looks at process groups again and again and keeps the peak of each process, the ones that ended too. */
export class PeakWatch {
  private readonly peaks = new Map<number, { readonly who: string; readonly peak: Bytes }>();
  private readonly groups = new Map<number, string>();
  private readonly timer: NodeJS.Timeout;

  constructor() {
    this.timer = setInterval(() => this.look(), POLL_MS);
  }

  /** @param who in front of the process's own name, such as the node's */
  add(group: number, who: string): void {
    this.groups.set(group, who);
  }

  /** The highest peak of each kind of process, highest first. */
  end(): (readonly [string, Bytes])[] {
    this.look();
    clearInterval(this.timer);
    const most = new Map<string, Bytes>();
    for (const { who, peak } of this.peaks.values()) {
      most.set(who, Math.max(peak, most.get(who) ?? 0));
    }
    return [...most].sort(([, a], [, b]) => b - a);
  }

  private look(): void {
    for (const [group, who] of this.groups) {
      for (const { pid, name, peak } of groupMemory(group)) {
        this.peaks.set(pid, { who: `${who} ${name}`.trim(), peak });
      }
    }
  }
}
