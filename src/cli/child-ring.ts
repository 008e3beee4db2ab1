/** A ring of child nodes on this machine, for the demo and the benchmarks. */
import { setTimeout as delay } from "node:timers/promises";
import { RingfoldError } from "../base/errors.ts";
import type { Millis } from "../base/ids.ts";
import { type Cluster, connect } from "../sdk/client.ts";
import type { ChildNode, ChildNodes } from "./child-node.ts";

const WHOLE_MS: Millis = 30_000;
const LOOK_MS: Millis = 50;

export interface ChildRing {
  /** Talks to the first node. */
  readonly client: Cluster;
  /** The first founded the cluster and is the coordinator. */
  readonly nodes: readonly ChildNode[];
}

/** Nodes `node-1` … that all know each other. @throws what a node ends with, deadline */
export async function startRing(
  children: ChildNodes,
  options: { readonly count: number; readonly slots: number; readonly signal?: AbortSignal },
): Promise<ChildRing> {
  const { count, slots, signal } = options;
  const first = await children.start({ name: "node-1", slots });
  const client = connect({ node: first.http });
  const joins: Promise<ChildNode>[] = [];
  // A token serves once.
  for (let i = 2; i <= count; i++) {
    const { token } = await client.joinToken();
    joins.push(children.start({ name: `node-${i}`, slots, join: token }));
  }
  const nodes = [first, ...(await Promise.all(joins))];
  const whole = async (): Promise<boolean> => {
    const epochs = await Promise.all(nodes.map(({ http }) => epochOf(http)));
    return (await client.status()).nodes.up === count && new Set(epochs).size === 1;
  };
  await until(whole, `${count} nodes that know each other`, WHOLE_MS, signal);
  return { client, nodes };
}

async function epochOf(http: string): Promise<number> {
  const cluster = connect({ node: http });
  try {
    return (await cluster.status()).epoch;
  } finally {
    cluster.close();
  }
}

/** Looks again and again. @throws deadline, or the signal's reason */
export async function until(
  holds: () => Promise<boolean>,
  what: string,
  within: Millis,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + within;
  while (!(await holds())) {
    if (performance.now() > deadline) {
      const seconds = Math.round(within / 1000);
      throw new RingfoldError("deadline", `there were not ${what} within ${seconds} s`);
    }
    await delay(LOOK_MS, undefined, signal === undefined ? {} : { signal });
  }
}
