/**
 * Real nodes as child processes, for the demo and the benchmarks: `bin/ringfold up` on loopback, on
 * free ports, with data in one temporary folder. Processes and folder are gone when the group is
 * closed, and also when this process dies in any other way: a guard, a few lines of shell, waits
 * for the end of a pipe that only this process holds.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { errorFromNote, isErrorCode, RingfoldError } from "../base/errors.ts";
import type { Millis } from "../base/ids.ts";
import { killProcess, processLives, processTree } from "./process-tree.ts";

export const RINGFOLD = fileURLToPath(new URL("../../bin/ringfold", import.meta.url));

/** A node that is not ready by then will not be. */
const READY_MS: Millis = 20_000;
/** Killed processes are gone by then, or something is wrong with the machine. */
const GONE_MS: Millis = 10_000;
/** What is kept of a child's words, for the message when it fails. */
const KEPT_CHARS = 4000;

/**
 * Reads process groups, one a line; at the end of its input kills them and removes the folder.
 * "done" calls it off.
 */
const GUARD = `
trap '' INT HUP TERM
while IFS= read -r line; do
  case $line in
    done) exit 0 ;;
    *) groups="$groups $line" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
for try in 1 2 3 4 5; do
  sleep 0.2
  rm -rf -- "$1" && exit 0
done
`;

export interface ChildNodeOptions {
  readonly name: string;
  readonly slots?: number;
  /** Join token; without it the node founds a cluster, or takes up the one that its data is of. */
  readonly join?: string;
  /** HOST:PORT for other nodes; else a free port. */
  readonly listen?: string;
  /** Beside this process's own. */
  readonly env?: NodeJS.ProcessEnv;
}

/** What `up --json` says when the node serves, with the way to end it. */
export interface ChildNode {
  readonly name: string;
  readonly http: string;
  readonly listen: string;
  /** Node id. */
  readonly node: string;
  /** Of control, the parent of the node's other processes. */
  readonly pid: number;
  /** SIGKILL to all its processes at once, as when a machine loses power. */
  kill(): void;
}

export class ChildNodes {
  /** Temporary; for files of the caller too. */
  readonly dir: string;
  private readonly guard: ChildProcess;
  private readonly groups = new Set<number>();
  private closing: Promise<void> | undefined;

  /** @param purpose a word for the folder's name */
  constructor(purpose: string) {
    this.dir = mkdtempSync(join(tmpdir(), `ringfold-${purpose}-`));
    this.guard = spawn("sh", ["-c", GUARD, "ringfold-guard", this.dir], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    // A guard that is gone is missed only when this process dies without closing.
    this.guard.on("error", ignore);
    this.guard.stdin?.on("error", ignore);
    this.guard.unref();
  }

  /** @throws the code that the node ended with, or not-reachable */
  async start(options: ChildNodeOptions): Promise<ChildNode> {
    const child = this.spawn(RINGFOLD, upArguments(this.dir, options), options.env);
    child.stdin?.on("error", ignore);
    child.stdin?.end(options.join);
    const { pid = 0 } = child;
    const ready = await readyLine(child, options.name);
    // Nobody reads on: the pipes must not fill up.
    child.stdout?.resume();
    child.stderr?.resume();
    return { ...ready, name: options.name, pid, kill: () => killTree(pid) };
  }

  /** Any other program, as a process group of its own that ends with this one; all pipes. */
  spawn(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    if (this.closing !== undefined) throw new RingfoldError("cancelled", "it is being stopped");
    const child = spawn(command, args, {
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    if (child.pid !== undefined) {
      this.groups.add(child.pid);
      this.guard.stdin?.write(`${child.pid}\n`);
    }
    return child;
  }

  /**
   * Kills what still runs, waits until it is gone, then removes the folder. May be called again.
   */
  close(): Promise<void> {
    this.closing ??= this.closeNow();
    return this.closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async closeNow(): Promise<void> {
    const killed = [...this.groups].flatMap(killTree);
    const deadline = performance.now() + GONE_MS;
    while (killed.some(processLives) && performance.now() < deadline) await delay(5);
    await rm(this.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    const { stdin } = this.guard;
    if (stdin?.writable === true) stdin.end("done\n");
  }
}

const ignore = (): void => {};

function upArguments(dir: string, options: ChildNodeOptions): string[] {
  const { name, slots, join: token, listen = "127.0.0.1:0" } = options;
  const args = ["up", "--json", "--data", join(dir, name), "--name", name];
  args.push("--listen", listen, "--http", "127.0.0.1:0");
  if (slots !== undefined) args.push("--slots", String(slots));
  // The token is a secret: it goes through standard input, where no other user can look.
  if (token !== undefined) args.push("--join", "-");
  return args;
}

/** All at once, so that none can clean up after another. @returns what was killed */
function killTree(root: number): number[] {
  return processTree(root).filter(killProcess);
}

type Ready = Pick<ChildNode, "http" | "listen" | "node">;

/** The first line of JSON that says "ready"; else the error in which the node ended. */
async function readyLine(child: ChildProcess, name: string): Promise<Ready> {
  const words: string[] = [];
  child.stderr?.on("data", (chunk: Buffer) => words.push(chunk.toString()));
  const { stdout } = child;
  if (stdout === null) throw new RingfoldError("not-reachable", `${name} did not start`);
  const lines = createInterface({ input: stdout });
  const late = setTimeout(() => lines.close(), READY_MS);
  const failed = once(child, "error").then(([error]) => words.push(String(error)));
  try {
    for await (const line of lines) {
      const ready = parseReady(line);
      if (ready !== undefined) return ready;
      words.push(`${line}\n`);
    }
    await Promise.race([failed, delay(200)]);
    throw startError(name, words.join("").slice(-KEPT_CHARS).trim());
  } finally {
    clearTimeout(late);
  }
}

function parseReady(line: string): Ready | undefined {
  const { event, http, listen, node } = parseObject(line);
  if (event !== "ready") return undefined;
  return { http: String(http), listen: String(listen), node: String(node) };
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(line)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** The node's own code and message where it gave them. */
function startError(name: string, words: string): RingfoldError {
  for (const line of words.split("\n")) {
    const { code, message } = parseObject(line);
    if (typeof code === "string" && isErrorCode(code)) {
      return errorFromNote({ code, message: `${name}: ${String(message)}` });
    }
  }
  const why = words === "" ? "it said nothing" : words;
  return new RingfoldError("not-reachable", `${name} did not start: ${why}`);
}
