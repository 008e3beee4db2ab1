/** Memory of processes as Linux tells it in /proc. */
import { readFileSync } from "node:fs";
import type { Bytes, Millis } from "../src/base/ids.ts";
import { processTree } from "../src/cli/process-tree.ts";

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

/** Of a process and all below it that live just now. */
export function treeMemory(root: number): ProcessMemory[] {
  return processTree(root).flatMap((pid) => {
    // A process may end between two reads.
    try {
      return [memoryOf(pid)];
    } catch {
      return [];
    }
  });
}

function memoryOf(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kib = (text: string, field: string): Bytes =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * KIB;
  return {
    pid,
    name: nameOf(pid),
    resident: kib(status, "VmRSS"),
    peak: kib(status, "VmHWM"),
    proportional: kib(rollup, "Pss"),
  };
}

/** What it is by the script that it runs. */
function nameOf(pid: number): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const script = words.findLast((word) => /\.(ts|mjs|js)$/.test(word)) ?? words[0] ?? "";
  const name = script.slice(script.lastIndexOf("/") + 1);
  if (name.startsWith("task-host")) return "task host";
  if (name === "data-main.ts") return "data";
  return name === "main.ts" ? "control" : name;
}

/**
 * Looks at processes and those below them again and again and keeps the peak of each process, the
 * ones that ended too.
 */
export class PeakWatch {
  private readonly peaks = new Map<number, { readonly who: string; readonly peak: Bytes }>();
  private readonly roots = new Map<number, (name: string) => string>();
  private readonly timer: NodeJS.Timeout;

  constructor() {
    this.timer = setInterval(() => this.look(), POLL_MS);
  }

  /** @param label what to call each of its processes, given its own name */
  add(root: number, label: (name: string) => string): void {
    this.roots.set(root, label);
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
    for (const [root, label] of this.roots) {
      for (const { pid, name, peak } of treeMemory(root)) {
        this.peaks.set(pid, { who: label(name), peak });
      }
    }
  }
}
