/** `run --local`: two nodes in this process on a temporary folder, the same code as in a cluster, nothing left behind. */
import { startLocalCluster } from "../node/local-cluster.ts";
import { type Cluster, connect, type SubmitOptions } from "../sdk/client.ts";
import { localFiles } from "./local-files.ts";
import { ByteProgress } from "./progress.ts";
import { Ended } from "./report-error.ts";
import type { RunFlags } from "./run-arguments.ts";
import { followJob, showOutput } from "./run-follow.ts";
import { INTERRUPTED, type Terminal } from "./terminal.ts";
import { upload } from "./upload.ts";

export interface LocalRun {
  readonly bundle: Uint8Array;
  readonly flags: RunFlags;
  readonly options: SubmitOptions;
}

export async function runLocal(run: LocalRun, terminal: Terminal): Promise<void> {
  const files = await localFiles(terminal.cwd, run.options.inputs, undefined);
  const interrupted = new AbortController();
  const release = terminal.onInterrupt(() => interrupted.abort(new Ended(INTERRUPTED)));
  const local = await startLocalCluster({ nodes: 2 });
  const cluster = connect({ node: local.http });
  try {
    // Ctrl-C may have come while the nodes started.
    interrupted.signal.throwIfAborted();
    const work = runOn(cluster, run, files, terminal);
    await Promise.race([work, abortion(interrupted.signal)]);
  } finally {
    cluster.close();
    await local.stop();
    release();
  }
}

async function runOn(
  cluster: Cluster,
  run: LocalRun,
  files: Parameters<typeof upload>[1],
  terminal: Terminal,
): Promise<void> {
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  const progress = new ByteProgress(terminal, "read", total);
  const told = { grew: (n: number) => progress.add(n), stored: async () => undefined };
  await upload(cluster, files, { replicas: 1 }, told).finally(() => progress.clear());
  const options = { ...run.options, inputs: files.map((file) => file.name) };
  const { id } = await cluster.submit(await cluster.putBundle(run.bundle), options);
  // Ctrl-C ends the whole cluster with the job: there is nothing to detach from.
  const alone = { ...terminal, onInterrupt: () => () => undefined };
  await showOutput(cluster, await followJob(cluster, id, run.flags, alone), run.flags, terminal);
}

function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
