/** Waits until the demo's cluster is whole again after the crash. */
import { setTimeout as delay } from "node:timers/promises";
import { RingfoldError } from "../base/errors.ts";
import type { Millis } from "../base/ids.ts";
import type { Cluster } from "../sdk/client.ts";
import type { Crash, DemoCluster } from "./demo-job.ts";
import type { DemoScreen } from "./demo-screen.ts";

/** The cluster promises its copies again within this. */
export const HEAL_MS: Millis = 30_000;
const LOOK_MS: Millis = 50;

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
  let noticed = 0;
  await until(
    async () => {
      const { nodes, health } = await client.status();
      if (nodes.up < whole && noticed === 0) noticed = Math.round(performance.now() - crash.at);
      screen.draw(() => [{ text: `… ${health.text}`, style: "yellow" }]);
      return nodes.up < whole && health.state === "healthy" && (await allCopies(client, copies));
    },
    HEAL_MS,
    signal,
  );
  const healed = Math.round(performance.now() - crash.at);
  screen.step(`healthy: every file has its ${copies} copies again; since the kill`, healed);
  return { noticed, copies: healed };
}

/** As the nodes that live count them, block by block. */
async function allCopies(client: Cluster, wanted: number): Promise<boolean> {
  for await (const { name } of client.allFiles()) {
    const { copies } = await client.stat(name);
    if (copies === undefined || copies.min < wanted) return false;
  }
  return true;
}

/** @throws deadline */
export async function until(
  holds: () => Promise<boolean>,
  within: Millis,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + within;
  while (!(await holds())) {
    if (performance.now() > deadline) {
      const why = `the cluster was not whole within ${Math.round(within / 1000)} s`;
      throw new RingfoldError("deadline", why);
    }
    await delay(LOOK_MS, undefined, { signal });
  }
}
