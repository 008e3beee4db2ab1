/** Every fault at each of ten moments of a job, on three real nodes and on seven; and the pause of 30 seconds itself. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster } from "./cluster.ts";
import { type Fault, heal, mend, putBooks, survive, type Trial, texts } from "./faults.ts";
import { GetLoop } from "./get-loop.ts";
import { runExample } from "./job-run.ts";

const MOMENTS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
const PAUSE = 30_000;

const each: (readonly [number, Fault, Trial["example"]])[] = [3, 7].flatMap((nodes) =>
  (["SIGKILL", "SIGSTOP", "leave"] as const).flatMap((fault) =>
    (["word-count.ts", "inverted-index.ts"] as const).map(
      (example) => [nodes, fault, example] as const,
    ),
  ),
);

describe.each(each)("of %i nodes one meets %s during %s", (nodes, fault, example) => {
  let cluster: TestCluster;
  let input: string;

  beforeAll(async () => {
    cluster = await TestCluster.start({ nodes });
    input = await putBooks(cluster);
  });
  afterAll(() => cluster.close());

  test.each(MOMENTS)("with %d of the tasks done, and nothing is lost", async (share) => {
    // Each node but the coordinator in its turn.
    const victim = cluster.node(1 + ((share * 10) % (nodes - 1)));
    const trial: Trial = { cluster, example, input, fault, victim, share };
    const times = [performance.now()];
    const { at } = await survive(trial);
    times.push(performance.now());
    if (fault === "SIGKILL") await heal(cluster, at);
    times.push(performance.now());
    await mend(trial);
    times.push(performance.now());
    const took = times.slice(1).map((end, n) => Math.round(end - (times[n] ?? 0)));
    process.stderr.write(`${fault} at ${share}: job, copies, mending took ${took.join(", ")} ms\n`);
  });
});

test("a node that was stopped for 30 seconds in the middle of a job works on as before", async () => {
  await using cluster = await TestCluster.start({ nodes: 3 });
  const input = await putBooks(cluster);
  const [victim, example] = [cluster.node(1), "inverted-index.ts"] as const;
  await survive({ cluster, example, input, fault: "SIGSTOP", victim, share: 0.5 });
  const gets = new GetLoop("books", texts.texts, [cluster.node(0), cluster.node(2)]);
  // The length of the pause is what is tested here.
  await delay(PAUSE);
  cluster.resume(victim);
  await cluster.whole();
  expect((await gets.stop()).faults).toEqual([]);
  await cluster.copies();
  const { lines, view } = await runExample(victim.client, example, {
    inputs: [input],
    reducers: 8,
  });
  expect(lines).toEqual(texts.invertedIndex);
  const { tasks } = await victim.client.job(view.id);
  expect(tasks.some(({ node }) => node?.id === victim.node)).toBe(true);
});
