/**
 * One run of the word count in the demo: watched, and with a node that is killed in the middle when
 * asked.
 */
import type { Millis } from "../base/ids.ts";
import type { JobView, TaskRow } from "../contract/job-view.ts";
import type { ChildNode } from "./child-node.ts";
import { type ChildRing, until } from "./child-ring.ts";
import { bar, type DemoScreen, type LiveLine } from "./demo-screen.ts";

/**
 * The kill comes when this share of the maps is done: what is behind must be kept, what is ahead
 * done by fewer.
 */
const KILL_AT = 0.3;
const LOOK_MS: Millis = 40;
/** Neighbours notice a closed connection at once, silence after seconds. */
const NOTICE_MS: Millis = 30_000;
const BAR_CELLS = 48;

export interface DemoCluster extends ChildRing {
  readonly signal: AbortSignal;
}

export interface Crash {
  readonly victim: ChildNode;
  readonly mapsDone: number;
  readonly mapsTotal: number;
  /** Names of the tasks that died with it. */
  readonly tasks: readonly string[];
  /** The job was over before the node was dead: nothing is shown by it. */
  readonly late: boolean;
  /** Of `performance.now()`. */
  readonly at: Millis;
  /** From the kill until the cluster said that the node is down. */
  readonly noticed: Promise<Millis>;
}

export interface JobRun {
  readonly view: JobView;
  /** From submit to the committed result, as the client sees it. */
  readonly ms: Millis;
  readonly crash?: Crash;
}

export interface JobRequest {
  readonly bundle: string;
  readonly output: string;
  readonly kill: boolean;
}

/** @throws what ended the watching; a job that failed is told in the view */
export async function runDemoJob(
  cluster: DemoCluster,
  screen: DemoScreen,
  request: JobRequest,
): Promise<JobRun> {
  const { bundle, output } = request;
  const started = performance.now();
  const { id } = await cluster.client.submit(bundle, { inputs: ["demo/**"], output, replicas: 2 });
  const state: { crash?: Crash; over: boolean } = { over: false };
  const showing = show(cluster, screen, id, state);
  try {
    for await (const view of cluster.client.watch(id, cluster.signal)) {
      if (view.state !== "running") return runOf(view, performance.now() - started, state.crash);
      if (!request.kill || state.crash !== undefined) continue;
      const crash = await killInTheMiddle(cluster, id);
      if (crash !== undefined) state.crash = crash;
    }
    const view = await cluster.client.job(id);
    return runOf(view, performance.now() - started, state.crash);
  } finally {
    state.over = true;
    await showing;
  }
}

const runOf = (view: JobView, ms: Millis, crash: Crash | undefined): JobRun =>
  crash === undefined ? { view, ms } : { view, ms, crash };

/**
 * Kills a node that runs a map just now, once enough maps are done; undefined when it is not the
 * moment.
 */
async function killInTheMiddle(cluster: DemoCluster, id: string): Promise<Crash | undefined> {
  const view = await cluster.client.job(id);
  const maps = view.phases.find(({ name }) => name === "map");
  if (view.state !== "running" || maps === undefined || maps.total === 0) return undefined;
  const early = maps.done < Math.floor(maps.total * KILL_AT);
  if (early || maps.done === maps.total) return undefined;
  const victim = cluster.nodes.slice(1).find((node) => runs(view.tasks, node).length > 0);
  if (victim === undefined) return undefined;
  victim.kill();
  const at = performance.now();
  const noticed = untilNoticed(cluster, at);
  // Whoever waits for it hears of its failure; nobody may, when the demo is stopped.
  noticed.catch(() => undefined);
  // The proof that it was in the middle: the job still runs now that the node is dead.
  const after = await cluster.client.job(id);
  const tasks = runs(view.tasks, victim).map((task) => task.id);
  const late = after.state !== "running";
  return { victim, mapsDone: maps.done, mapsTotal: maps.total, tasks, late, at, noticed };
}

async function untilNoticed({ client, nodes, signal }: DemoCluster, at: Millis): Promise<Millis> {
  const noticed = async (): Promise<boolean> => (await client.status()).nodes.up < nodes.length;
  await until(noticed, "a node that is down", NOTICE_MS, signal);
  return performance.now() - at;
}

const runs = (tasks: readonly TaskRow[], node: ChildNode): TaskRow[] =>
  tasks.filter((task) => task.state === "running" && task.node?.id === node.node);

async function show(
  cluster: DemoCluster,
  screen: DemoScreen,
  id: string,
  state: { readonly crash?: Crash; readonly over: boolean },
): Promise<void> {
  while (screen.live && !state.over && !cluster.signal.aborted) {
    const view = await cluster.client.job(id).catch(() => undefined);
    if (view !== undefined && !state.over) screen.draw(() => linesOf(view, cluster, state.crash));
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  screen.clear();
}

function linesOf(view: JobView, cluster: DemoCluster, crash: Crash | undefined): LiveLine[] {
  const phases = view.phases.map(({ name, done, total }): LiveLine => {
    const share = total === 0 ? 0 : done / total;
    return { text: `  ${name.padEnd(8)}${bar(share, BAR_CELLS)}  ${done} of ${total}` };
  });
  const nodes = cluster.nodes.map((node): LiveLine => {
    if (node === crash?.victim) return { text: `  ${node.name}  ✗ killed`, style: "red" };
    const done = view.tasks.filter((one) => one.state === "done" && one.node?.id === node.node);
    const busy = runs(view.tasks, node).map((task) => task.id);
    return { text: `  ${node.name}  ${"●".repeat(done.length)} ${busy.join(" ")}`, style: "dim" };
  });
  return [...phases, ...nodes];
}
