/** What can happen to a node in the middle of a job, and what must hold nevertheless. */
import { expect } from "vitest";
import type { Millis } from "../../src/base/ids.ts";
import type { TestCluster, TestNode } from "./cluster.ts";
import { GetLoop } from "./get-loop.ts";
import { type JobDone, runExample } from "./job-run.ts";
import { loadTexts, type Texts } from "./texts.ts";

/** After a crash every file has all its copies again within this. */
export const HEAL: Millis = 30_000;
const REDUCERS = 8;

export type Fault = "SIGKILL" | "SIGSTOP" | "leave";

export interface Trial {
  readonly cluster: TestCluster;
  readonly example: "word-count.ts" | "inverted-index.ts";
  readonly input: string;
  readonly fault: Fault;
  /** Any but the coordinator. */
  readonly victim: TestNode;
  /** Of the tasks that are done when it happens. */
  readonly share: number;
}

export const texts: Texts = loadTexts();

/** Small blocks, so that there are many tasks and so many moments. */
export function putBooks(cluster: TestCluster): Promise<string> {
  return cluster.put("books", texts.texts, { blockSize: 64 * 1024, replicas: 2 });
}

/** The job gives the exact answer, and every `get` meanwhile the exact bytes. */
export async function survive(trial: Trial): Promise<JobDone & { readonly at: Millis }> {
  const { cluster, example, input, victim, share } = trial;
  const others = cluster.nodes.filter((node) => node !== victim);
  const gets = new GetLoop("books", texts.texts, others.slice(0, 2));
  let at: Millis = 0;
  const act = (): Promise<void> | void => {
    at = performance.now();
    return strike(trial);
  };
  const options = { inputs: [input], reducers: REDUCERS };
  const running = runExample(cluster.first.client, example, options, { share, act });
  // Whatever becomes of the job, the loop ends before the cluster does.
  await Promise.allSettled([running]);
  const { faults } = await gets.stop();
  expect(faults).toEqual([]);
  const done = await running;
  expect(done.acted, "the moment came while the job ran").toBeDefined();
  expect(done.lines).toEqual(example === "word-count.ts" ? texts.wordCount : texts.invertedIndex);
  return { ...done, at };
}

function strike({ cluster, fault, victim }: Trial): Promise<void> | void {
  switch (fault) {
    case "SIGKILL":
      return cluster.kill(victim);
    case "SIGSTOP":
      return cluster.pause(victim);
    case "leave":
      return cluster.leave(victim);
  }
}

/** All copies are there again in time, and no `get` fails until then. @param since when the node died */
export async function heal(cluster: TestCluster, since: Millis): Promise<void> {
  const gets = new GetLoop("books", texts.texts, cluster.nodes.slice(0, 2));
  try {
    await cluster.copies(HEAL - (performance.now() - since));
  } finally {
    expect((await gets.stop()).faults).toEqual([]);
  }
}

/** As many nodes as before, with all copies: ready for the next trial. */
export async function mend({ cluster, fault, victim }: Trial): Promise<void> {
  if (fault === "SIGKILL") await cluster.restart(victim);
  if (fault === "SIGSTOP") {
    await cluster.untilState(victim, "down");
    cluster.resume(victim);
  }
  if (fault === "leave") await cluster.add();
  await cluster.whole();
  await cluster.copies();
  await cluster.tidy();
  const { faults } = await new GetLoop("books", texts.texts, cluster.nodes).stop();
  expect(faults).toEqual([]);
}
