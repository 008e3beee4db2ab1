/** What real nodes go through beside the faults of `faults.ts`: joins, quits, restarts, and the death of single processes. */
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JobView } from "../../src/contract/job-view.ts";
import { TestCluster, type TestNode, waitFor } from "./cluster.ts";
import { putBooks, texts } from "./faults.ts";
import { GetLoop } from "./get-loop.ts";
import { followJob, runExample, submitExample, submitLong } from "./job-run.ts";
import { living, type Process, treeOf } from "./processes.ts";

let cluster: TestCluster;
let input: string;

beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 3 });
  input = await putBooks(cluster);
});
afterAll(() => cluster.close());

const wordCount = () => ({ inputs: [input], reducers: 4 });

async function sameBytes(through: TestNode): Promise<void> {
  const { faults } = await new GetLoop("books", texts.texts, [through]).stop();
  expect(faults).toEqual([]);
}

const doneBy = (view: JobView, node: TestNode): number =>
  view.tasks.filter((task) => task.state === "done" && task.node?.id === node.node).length;

describe("a job", () => {
  test("gives work to a node that joins while it runs", async () => {
    const { client } = cluster.first;
    const id = await submitLong(client);
    const newcomer = await cluster.add();
    const view = await waitFor("a task that the newcomer has done", async () => {
      const now = await client.job(id);
      return now.state !== "running" || doneBy(now, newcomer) > 0 ? now : undefined;
    });
    expect(view.state).toBe("running");
    await client.cancel(id);
    await cluster.leave(newcomer);
  });

  test("gives the exact answer when a node joins while it runs", async () => {
    let newcomer: TestNode | undefined;
    const act = async (): Promise<void> => {
      newcomer = await cluster.add();
    };
    const { client } = cluster.first;
    const { lines } = await runExample(client, "inverted-index.ts", wordCount(), {
      share: 0.1,
      act,
    });
    expect(lines).toEqual(texts.invertedIndex);
    if (newcomer !== undefined) await cluster.leave(newcomer);
  });

  test("goes on when its submitter quits, and is followed from another node", async () => {
    const args = ["run", "examples/word-count.ts", "--input", input, "--detach"];
    const { code, output, errors } = await cluster.command(args, cluster.node(1));
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    const { lines } = await followJob(cluster.node(2).client, output.trim());
    expect(lines).toEqual(texts.wordCount);
  });

  test("goes on when the node that it was submitted to dies", async () => {
    const victim = cluster.node(1);
    const id = await submitExample(victim.client, "word-count.ts", wordCount());
    cluster.kill(victim);
    const { lines } = await followJob(cluster.node(1).client, id);
    expect(lines).toEqual(texts.wordCount);
    await cluster.restart(victim);
    await cluster.whole();
  });

  test.each([
    ["coordinator", 0, "data"],
    ["worker", 1, "data"],
    ["coordinator", 0, "host"],
    ["worker", 1, "host"],
  ] as const)(
    "outlives the kill of the %s's (node %i) %s processes, and so does the node",
    async (_who, place, kind) => {
      const node = cluster.node(place);
      const before = await node.client.status();
      let killed = 0;
      const act = async (): Promise<void> => {
        killed = await cluster.killProcesses(node, kind);
      };
      const { lines, acted } = await runExample(
        cluster.first.client,
        "inverted-index.ts",
        wordCount(),
        {
          share: 0.3,
          act,
        },
      );
      expect(acted).toBeDefined();
      expect(killed).toBeGreaterThan(0);
      expect(lines).toEqual(texts.invertedIndex);
      const after = await node.client.status();
      expect(after.startedAt).toBe(before.startedAt);
      expect(after.epoch).toBe(before.epoch);
      expect(after.nodes).toEqual({ up: 3, down: 0, leaving: 0 });
      await sameBytes(node);
    },
  );

  test("that ran when all nodes died at once is finished after their restart, and no file is lost", async () => {
    const nodes = [...cluster.nodes];
    const id = await submitExample(cluster.first.client, "inverted-index.ts", wordCount());
    await waitFor("tasks that are done", async () => {
      const { phases } = await cluster.first.client.job(id);
      return phases.some(({ done }) => done > 5);
    });
    for (const node of nodes) cluster.kill(node);
    for (const node of nodes) await cluster.gone(node);
    await cluster.restartAll(nodes);
    const { lines } = await followJob(cluster.node(1).client, id);
    expect(lines).toEqual(texts.invertedIndex);
    for (const node of cluster.nodes) await sameBytes(node);
  });
});

describe("a node", () => {
  test("that leaves hands over the only copy of a file", async () => {
    const leaver = await cluster.add();
    await cluster.whole();
    const prefix = "single";
    // Other bytes than those of the books, of which there are copies.
    const singles = texts.texts.map(({ name, bytes }) => ({
      name,
      bytes: Buffer.concat([MARK, bytes]),
    }));
    await cluster.put(prefix, singles, { replicas: 1, blockSize: 64 * 1024 });
    expect(await onlyOn(leaver, prefix)).toBeGreaterThan(0);
    await cluster.leave(leaver);
    const { faults } = await new GetLoop(prefix, singles, cluster.nodes).stop();
    expect(faults).toEqual([]);
  });

  test("that hung until after the end of a job keeps nothing of it", async () => {
    const { client } = cluster.first;
    const hung = cluster.node(1);
    const id = await submitLong(client);
    await waitFor("a task that it has done", async () => doneBy(await client.job(id), hung) > 0);
    cluster.pause(hung);
    await cluster.untilState(hung, "down");
    expect((await client.job(id)).state).toBe("running");
    await client.cancel(id);
    cluster.resume(hung);
    await cluster.whole();
    await cluster.tidy();
  });

  test("whose control process is killed leaves no other process", async () => {
    const node = await cluster.add();
    expect(cluster.killControl(node)).toBeGreaterThan(0);
    await cluster.gone(node);
    const again = await cluster.restart(node);
    await cluster.whole();
    await cluster.leave(again);
  });
});

const MARK = Buffer.from("only one copy\n");

/** Blocks that this node alone has. */
async function onlyOn(node: TestNode, prefix: string): Promise<number> {
  let only = 0;
  for (const { name } of texts.texts) {
    const { blockRows = [] } = await cluster.first.client.stat(`${prefix}/${name}`, {
      holders: true,
    });
    only += blockRows.filter(
      ({ holders }) => holders.length === 1 && holders[0]?.node === node.node,
    ).length;
  }
  return only;
}

test("a cluster leaves no process and no file when its test fails", async () => {
  let seen: { readonly dir: string; readonly processes: readonly Process[] } | undefined;
  const failing = async (): Promise<void> => {
    await using one = await TestCluster.start({ nodes: 1 });
    seen = { dir: one.temporary, processes: treeOf(one.first.pid) };
    expect(existsSync(seen.dir)).toBe(true);
    throw new Error("the test fails");
  };
  await expect(failing()).rejects.toThrow("the test fails");
  expect(seen?.processes.length).toBeGreaterThan(1);
  expect(living(seen?.processes ?? [])).toEqual([]);
  expect(existsSync(seen?.dir ?? "")).toBe(false);
});
