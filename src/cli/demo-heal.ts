/** Waits until the demo's cluster is whole again after the crash. */
import type { Millis } from "../base/ids.ts";
import type { Cluster } from "../sdk/client.ts";
import { until } from "./child-ring.ts";
import type { Crash, DemoCluster } from "./demo-job.ts";
import type { DemoScreen } from "./demo-screen.ts";

/** The cluster promises its copies again within this. */
const HEAL_MS: Millis = 30_000;

export interface Healing {
  /** From the kill until the cluster said that the node is down. */
  readonly noticed: Millis;
  /** From the kill until every file had all its copies on live nodes. */
  readonly copies: Millis;
}

/** @param copies wanted of each file */
export async function heal(
  screen: DemoScreen,
  cluster: DemoCluster,
  crash: Crash,
  copies: number,
): Promise<Healing> {
  const whole = cluster.nodes.length;
  const { client, signal } = cluster;
  await until(
    async () => {
      const { nodes, health } = await client.status();
      screen.draw(() => [{ text: `… ${health.text}`, style: "yellow" }]);
      return nodes.up < whole && health.state === "healthy" && (await allCopies(client, copies));
    },
    "all copies again",
    HEAL_MS,
    signal,
  );
  const healed = Math.round(performance.now() - crash.at);
  screen.step(`healthy: every file has its ${copies} copies again; since the kill`, healed);
  return { noticed: Math.round(await crash.noticed), copies: healed };
}

/** As the nodes that live count them, block by block. */
async function allCopies(client: Cluster, wanted: number): Promise<boolean> {
  for await (const { name } of client.allFiles()) {
    const { copies } = await client.stat(name);
    if (copies === undefined || copies.min < wanted) return false;
  }
  return true;
}
