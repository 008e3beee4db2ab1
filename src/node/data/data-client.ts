/** Control's end of the data process: forks it, speaks to it, tells when it ends. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { RingfoldError } from "../../base/errors.ts";
import type { Millis } from "../../base/ids.ts";
import { childChannel, IpcPeer } from "../ipc.ts";
import type { DataCallbacks, DataPort, DataReady } from "./data-port.ts";
import { type DataProcessMethods, type DataStart, PORT_METHODS } from "./data-start.ts";

export interface DataProcess {
  /** Its calls fail with `data-process` once the process ended. */
  readonly port: DataPort;
  readonly ready: DataReady;
  /** Called once when the process ended, whoever ended it; at once when it ended before. */
  onExit(listener: (how: string) => void): void;
  /** Closes in order; kills it when that takes longer than `patience`. Resolves when the process is gone. */
  stop(patience?: Millis): Promise<void>;
}

/** libuv's threads write, read and sync: more of them than the default 4 keep several syncs in flight. */
const THREADS = "8";
const PATIENCE: Millis = 2000;
/**
 * Its bulk is in buffers; a large young generation would only be resident memory. The heap itself is small, so that V8 would
 * mark it whole for each 20 MiB of dead buffers: with room to grow to four times its size it does so a fifth as often
 * (measured on put and get of 256 MiB: 19 marks instead of 107, a fifth less CPU, the same peak).
 */
const MEMORY_FLAGS = ["--max-semi-space-size=4", "--heap-growing-percent=300"];

/** Without it each start would strip the types of every module anew: 20 MB and 200 ms. */
const compileCache = (): NodeJS.ProcessEnv => {
  const folder = process.env["NODE_COMPILE_CACHE"];
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder };
};

/**
 * Starts a data process.
 * @throws RingfoldError what its start threw (`port-in-use`, `disk-failed`, …), `data-process` when it died before
 */
export async function startDataProcess(
  start: DataStart,
  callbacks: DataCallbacks,
): Promise<DataProcess> {
  const child = fork(new URL("./data-main.ts", import.meta.url), [], {
    serialization: "advanced",
    env: { UV_THREADPOOL_SIZE: THREADS, ...compileCache() },
    execArgv: ["--no-warnings", ...MEMORY_FLAGS],
    // Its own group: Ctrl-C in the terminal reaches control only, which ends it in order.
    detached: true,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const exit = exitOf(child);
  const peer = new IpcPeer(childChannel(child), {
    commitFile: callbacks.commitFile.bind(callbacks),
    event: callbacks.event.bind(callbacks),
  });
  const remote = peer.remote<DataProcessMethods>(["start", ...PORT_METHODS]);
  try {
    const ready = await remote.start(start);
    return {
      port: remote,
      ready,
      onExit: (listener) => void exit.then(listener),
      stop: (patience = PATIENCE) => stop(child, remote, exit, patience),
    };
  } catch (error) {
    child.kill("SIGKILL");
    const how = await exit;
    if (!(error instanceof RingfoldError) || error.code !== "data-process") throw error;
    throw new RingfoldError("data-process", `the data process did not start: ${how}`);
  }
}

/** Resolves with how it ended: `exit code 70`, `SIGKILL`. */
async function exitOf(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
    return signal ?? `exit code ${code}`;
  } catch (error) {
    return `it could not be started: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function stop(
  child: ChildProcess,
  port: DataPort,
  exit: Promise<string>,
  patience: Millis,
): Promise<void> {
  const timer = setTimeout(() => child.kill("SIGKILL"), patience);
  await port.close().catch(() => {});
  if (child.connected) child.disconnect();
  await exit;
  clearTimeout(timer);
}
