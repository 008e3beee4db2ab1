/**
 * A cluster of real nodes for tests: started, killed, paused, taken up again, and at the end proven to be gone. Nothing
 * here sleeps: whatever is waited for is looked at until it holds, and the failure says what was seen instead.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import type { Millis } from "../../src/base/ids.ts";
import { type ChildNode, ChildNodes, RINGFOLD } from "../../src/cli/child-node.ts";
import type { NodeRow } from "../../src/contract/node-row.ts";
import type { Status } from "../../src/contract/status.ts";
import { type Cluster, connect, type PutOptions } from "../../src/sdk/client.ts";
import { living, type Process, signal, signalTree, treeOf } from "./processes.ts";
import { ROOT } from "./readme.ts";
import type { Text } from "./texts.ts";

type NodeProcess = Status["processes"][number];

const LOOK: Millis = 25;
/** Far beyond what anything takes, on a machine that does other things too. */
const PATIENCE: Millis = 60_000;

export interface TestNode extends ChildNode {
  readonly client: Cluster;
  readonly slots: number;
}

export interface ClusterOptions {
  readonly nodes: number;
  readonly slots?: number;
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Waits until `look` gives a value other than undefined and false. @throws what was seen last */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  within: Millis = PATIENCE,
): Promise<T> {
  const end = performance.now() + within;
  let seen: unknown = "nothing";
  do {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      seen = found;
    } catch (error) {
      seen = error;
    }
    await delay(LOOK);
  } while (performance.now() < end);
  const why = seen instanceof Error ? seen.message : String(seen);
  throw new Error(`waited ${Math.round(within / 1000)} s for ${what}: ${why}`, { cause: seen });
}

export class TestCluster {
  /** Whatever the nodes and commands call temporary is in here. */
  readonly temporary: string;
  readonly #children: ChildNodes;
  readonly #nodes: TestNode[] = [];
  readonly #all = new Set<TestNode>();
  readonly #processes = new Map<string, Process[]>();
  readonly #slots: number;
  #started = 0;

  private constructor(slots: number) {
    this.#children = new ChildNodes("test");
    this.temporary = join(this.#children.dir, "tmp");
    mkdirSync(this.temporary);
    this.#slots = slots;
  }

  /** Nodes that know each other; the first founded the cluster and coordinates. */
  static async start({ nodes, slots = 1 }: ClusterOptions): Promise<TestCluster> {
    const cluster = new TestCluster(slots);
    try {
      await cluster.add();
      await Promise.all(Array.from({ length: nodes - 1 }, () => cluster.add()));
      await cluster.whole();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** Those that run, the coordinator first. */
  get nodes(): readonly TestNode[] {
    return this.#nodes;
  }

  get first(): TestNode {
    return this.node(0);
  }

  /** Of a node that lives, by its place. */
  node(place: number): TestNode {
    const node = this.#nodes[place];
    if (node === undefined) throw new Error(`there is no node ${place}`);
    return node;
  }

  /** One more node. */
  async add(): Promise<TestNode> {
    const name = `node-${++this.#started}`;
    const join =
      this.#nodes.length === 0 ? {} : { join: (await this.first.client.joinToken()).token };
    return this.#run({ name, ...join });
  }

  /** A node that was killed or stopped, on the same data and, where others must find it, the same port. */
  async restart(node: TestNode): Promise<TestNode> {
    this.#forget(node);
    return this.#run({ name: node.name, listen: node.listen });
  }

  /** All of them, which were killed at once: others find each by its port. */
  async restartAll(nodes: readonly TestNode[]): Promise<void> {
    await Promise.all(nodes.map((node) => this.restart(node)));
    await this.whole();
  }

  async #run(options: { name: string; join?: string; listen?: string }): Promise<TestNode> {
    const slots = this.#slots;
    const child = await this.#children.start({
      ...options,
      slots,
      env: { TMPDIR: this.temporary },
    });
    const node = { ...child, slots, client: connect({ node: child.http }) };
    this.#all.add(node);
    this.#nodes.push(node);
    this.#nodes.sort((a, b) => numberOf(a) - numberOf(b));
    return node;
  }

  /** SIGKILL to all its processes. */
  kill(node: TestNode): void {
    this.#forget(node);
    this.#seen(node, signalTree(node.pid, "SIGKILL"));
  }

  /** SIGKILL to some of its processes; answers how many. */
  async killProcesses(node: TestNode, kind: NodeProcess["kind"]): Promise<number> {
    const { processes } = await node.client.status();
    const pids = processes.filter((one) => one.kind === kind).map(({ pid }) => pid);
    for (const pid of pids) signal(pid, "SIGKILL");
    return pids.length;
  }

  /** SIGSTOP to all its processes, as when a machine hangs. */
  pause(node: TestNode): void {
    this.#seen(node, signalTree(node.pid, "SIGSTOP"));
  }

  resume(node: TestNode): void {
    for (const { pid } of treeOf(node.pid)) signal(pid, "SIGCONT");
  }

  /** The polite leave, to its end. */
  async leave(node: TestNode): Promise<void> {
    this.#seen(node, treeOf(node.pid));
    const { code, errors } = await this.command(["leave"], node);
    if (code !== 0) throw new Error(`leave ended with ${code}: ${errors}`);
    this.#forget(node);
    await this.gone(node);
  }

  /** Until no process of the node is left. */
  async gone(node: TestNode): Promise<void> {
    await waitFor(`the end of all processes of ${node.name}`, async () => {
      const left = living(this.#seen(node, treeOf(node.pid)));
      if (left.length > 0) throw new Error(left.join("; "));
      return true;
    });
  }

  /** Remembers processes of a node: once control has ended, the others cannot be found any more. */
  #seen(node: TestNode, processes: readonly Process[]): Process[] {
    const known = this.#processes.get(node.node) ?? [];
    const both = [...known, ...processes];
    this.#processes.set(node.node, both);
    return both;
  }

  /** Until all nodes that run are up and know each other, and nobody else is on the list. */
  async whole(): Promise<void> {
    const names = this.#nodes.map(({ name }) => name).join(", ");
    const wanted = this.#nodes.map(({ name }) => `${name}:up`).sort();
    await waitFor(`nodes ${names} that know each other`, async () => {
      const lists = await Promise.all(this.#nodes.map(({ client }) => client.nodes()));
      const seen = lists.map(
        ({ epoch, nodes }) => `${epoch} ${nodes.map(stateOf).sort().join(" ")}`,
      );
      const [one = ""] = seen;
      if (new Set(seen).size === 1 && one.endsWith(` ${wanted.join(" ")}`)) return true;
      throw new Error(seen.join(" | "));
    });
  }

  /** Until the coordinator's list says so. */
  async untilState(node: TestNode, state: NodeRow["state"] | "away"): Promise<void> {
    await waitFor(`${node.name} to be ${state}`, async () => {
      const { nodes } = await this.first.client.nodes();
      const row = nodes.find(({ id }) => id === node.node);
      return (row?.state ?? "away") === state;
    });
  }

  /** Until every file has as many copies of each block as it wants, or as there are nodes, on nodes that live. */
  async copies(within?: Millis): Promise<void> {
    await waitFor(
      "all copies of all files",
      async () => {
        const { health } = await this.first.client.status();
        if (health.state !== "healthy") throw new Error(health.text);
        for await (const { name } of this.first.client.allFiles()) {
          const { copies, replicas } = await this.first.client.stat(name);
          const most = this.#nodes.length;
          const wanted = replicas === "all" ? most : Math.min(replicas, most);
          if (copies === undefined || copies.min < wanted) {
            throw new Error(`${name}: ${copies?.min} of ${wanted} copies`);
          }
        }
        return true;
      },
      within,
    );
  }

  /** Until no node keeps anything of jobs, which are over. */
  async tidy(): Promise<void> {
    await waitFor("the end of all that jobs left on their nodes", async () => {
      const left = this.#nodes.flatMap(({ name }) => {
        const jobs = readdirSync(join(this.#children.dir, name, "shuffle"));
        return jobs.map((job) => `${name}: ${job}`);
      });
      if (left.length > 0) throw new Error(left.join(", "));
      return true;
    });
  }

  /** Stores texts under a prefix; answers what {@link Cluster.files} finds them by. */
  async put(prefix: string, texts: readonly Text[], options: PutOptions = {}): Promise<string> {
    for (const { name, bytes } of texts) {
      await this.first.client.put(`${prefix}/${name}`, bytes, options);
    }
    return `${prefix}/*`;
  }

  /** SIGKILL to control alone: its children have to see it themselves. Answers how many there were. */
  killControl(node: TestNode): number {
    this.#forget(node);
    const tree = treeOf(node.pid);
    this.#seen(node, tree);
    signal(node.pid, "SIGKILL");
    return tree.length - 1;
  }

  /** `ringfold …` against a node. */
  async command(args: readonly string[], node: TestNode = this.first): Promise<Ended> {
    const env = { ...process.env, RINGFOLD_NODE: node.http, TMPDIR: this.temporary };
    const child = spawn(RINGFOLD, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
    const closed = once(child, "close");
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const [code] = await closed;
    return { code, output, errors };
  }

  /** What the nodes wrote in their logs, for the message of a test that failed. */
  logs(): string {
    return readdirSync(this.#children.dir)
      .flatMap((name) => {
        try {
          return [
            `${name}:\n${readFileSync(join(this.#children.dir, name, "log/node.log"), "utf8")}`,
          ];
        } catch {
          return [];
        }
      })
      .join("\n");
  }

  /** Stops all nodes in order, and proves that no process and no file is left. May be called again. */
  async close(): Promise<void> {
    const left: string[] = [];
    try {
      for (const node of this.#nodes) this.resume(node);
      for (const node of this.#nodes) this.#seen(node, treeOf(node.pid));
      for (const { pid } of this.#nodes) signal(pid, "SIGTERM");
      await Promise.all([...this.#all].map((node) => this.gone(node)));
    } catch (error) {
      left.push(String(error));
    }
    for (const { client } of this.#all) client.close();
    this.#nodes.length = 0;
    if (process.env["RINGFOLD_TEST_LOGS"] !== undefined) process.stderr.write(this.logs());
    if (existsSync(this.temporary)) left.push(...readdirSync(this.temporary));
    await this.#children.close();
    if (existsSync(this.#children.dir)) left.push(this.#children.dir);
    if (left.length > 0) throw new Error(`these are left: ${left.join("; ")}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #forget(node: TestNode): void {
    const at = this.#nodes.indexOf(node);
    if (at >= 0) this.#nodes.splice(at, 1);
  }
}

const numberOf = ({ name }: TestNode): number => Number(name.slice("node-".length));
const stateOf = ({ name, state }: NodeRow): string => `${name}:${state}`;
