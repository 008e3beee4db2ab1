/** A cluster in this process, on a temporary folder: the same nodes, for `run --local` and for tests of jobs. */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../sdk/client.ts";
import { startNode } from "./main.ts";
import { nodeOptions, type RunningNode } from "./node-options.ts";

export interface LocalCluster {
  /** Of the first node. */
  readonly http: string;
  readonly nodes: readonly RunningNode[];
  /** Stops all nodes and removes the folder. */
  stop(): Promise<void>;
}

/** @param nodes how many; they share the machine's processors as slots */
export async function startLocalCluster({ nodes }: { nodes: number }): Promise<LocalCluster> {
  const folder = mkdtempSync(join(tmpdir(), "ringfold-local-"));
  const running: RunningNode[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(running.toReversed().map((node) => node.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const slots = String(Math.max(1, Math.floor(availableParallelism() / nodes)));
    const start = async (index: number, token?: string): Promise<RunningNode> => {
      const node = await startNode(
        nodeOptions({
          data: join(folder, `node-${index}`),
          listen: "127.0.0.1:0",
          http: "127.0.0.1:0",
          name: `local-${index}`,
          slots,
          processes: "1",
          join: token,
        }),
      );
      running.push(node);
      return node;
    };
    const first = await start(1);
    const cluster = connect({ node: first.http });
    const { token } = await cluster.joinToken();
    cluster.close();
    for (let index = 2; index <= nodes; index++) await start(index, token);
    return { http: first.http, nodes: running, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
