/** Memory of this node's processes. */
import { readFile } from "node:fs/promises";
import type { Bytes } from "../../base/ids.ts";

export interface ProcessMemory {
  readonly kind: "control" | "data" | "host";
  readonly pid: number;
  /** Resident bytes; 0 where the system does not tell. */
  readonly memory: Bytes;
}

export async function nodeProcesses(
  dataPid: number,
  hostPids: readonly number[],
): Promise<ProcessMemory[]> {
  const own: ProcessMemory = {
    kind: "control",
    pid: process.pid,
    memory: process.memoryUsage.rss(),
  };
  const others = [
    ...(dataPid === process.pid ? [] : [{ kind: "data" as const, pid: dataPid }]),
    ...hostPids.map((pid) => ({ kind: "host" as const, pid })),
  ];
  const read = others.map(async (one) => ({ ...one, memory: await residentBytes(one.pid) }));
  return [own, ...(await Promise.all(read))];
}

/** From /proc, on Linux; 0 elsewhere and for a process that has just ended. */
async function residentBytes(pid: number): Promise<Bytes> {
  try {
    const text = await readFile(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
