/**
 * A task host's process seen from its parent: started with the permission model, an empty environment, and pipes only.
 * It ends with its parent, even when the parent is killed while job code loops: Linux does it where util-linux is
 * installed (`setpriv --pdeathsig`), a waiting shell everywhere else.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

export type HostChild = ChildProcessByStdio<Writable, Readable, Readable>;

export interface HostPaths {
  readonly root: string;
  readonly in: string;
  readonly out: string;
}

export async function makeScratch(root: string): Promise<HostPaths> {
  const paths = { root, in: join(root, "in"), out: join(root, "out") };
  await rm(root, { recursive: true, force: true });
  await mkdir(paths.in, { recursive: true, mode: 0o700 });
  await mkdir(paths.out, { recursive: true, mode: 0o700 });
  return paths;
}

const MiB = 1 << 20;

/**
 * @param memory limit of resident memory in bytes; the JavaScript heap gets three quarters of it
 */
export function startChild(program: string, paths: HostPaths, memory: number): HostChild {
  const node = [
    process.execPath,
    `--max-old-space-size=${Math.max(32, Math.floor((memory * 0.75) / MiB))}`,
    "--max-semi-space-size=16",
    "--no-warnings",
    "--permission",
    `--allow-fs-read=${program}`,
    `--allow-fs-read=${paths.in}`,
    `--allow-fs-read=${paths.out}`,
    `--allow-fs-write=${paths.out}`,
    program,
  ];
  const [command, ...args] = [...deathSignal(), ...node] as [string, ...string[]];
  const child = spawn(command, args, { cwd: paths.root, env: {}, stdio: ["pipe", "pipe", "pipe"] });
  if (deathSignal().length === 0 && child.pid !== undefined) {
    const reaper = startReaper(child.pid);
    child.once("exit", () => reaper.kill("SIGKILL"));
  }
  return child;
}

/** A shell that kills a process when our end of its pipe closes: when we are gone, however we went. */
export function startReaper(pid: number): ChildProcessByStdio<Writable, null, null> {
  const script = `read line; kill -9 ${pid}`;
  const reaper = spawn("/bin/sh", ["-c", script], { env: {}, stdio: ["pipe", "ignore", "ignore"] });
  reaper.on("error", () => undefined);
  reaper.unref();
  return reaper;
}

let prefix: readonly string[] | undefined;

function deathSignal(): readonly string[] {
  if (prefix !== undefined) return prefix;
  const setpriv = ["/usr/bin/setpriv", "--pdeathsig", "KILL"];
  const works =
    process.platform === "linux" &&
    spawnSync(setpriv[0] as string, [...setpriv.slice(1), "/bin/true"]).status === 0;
  prefix = works ? setpriv : [];
  return prefix;
}

const PAGE = 4096;

/** Resident memory in bytes; 0 where it cannot be told. */
export async function residentBytes(pid: number): Promise<number> {
  try {
    const statm = await readFile(`/proc/${pid}/statm`, "utf8");
    return Number(statm.split(" ")[1]) * PAGE;
  } catch {
    return 0;
  }
}

/** Ends the process at once; resolves when it is gone. */
export async function endChild(child: HostChild): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}
