/**
 * One node of three dies, hangs or leaves in the middle of a job: a sample of the moments that `faults.slow.test.ts` goes
 * through one by one. Another sample each time; RINGFOLD_TEST_SEED repeats one.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seededRandom } from "../../src/base/random.ts";
import { TestCluster } from "./cluster.ts";
import { type Fault, heal, mend, putBooks, survive, type Trial } from "./faults.ts";

const seed = process.env["RINGFOLD_TEST_SEED"] ?? String(Date.now());
const random = seededRandom(seed);

let cluster: TestCluster;
let input: string;

beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 3 });
  input = await putBooks(cluster);
});
afterAll(() => cluster.close());

function trial(fault: Fault): Trial {
  const victim = cluster.node(1 + random.below(2));
  const share = random.below(10) / 10;
  const example = random.pick(["word-count.ts", "inverted-index.ts"] as const);
  process.stderr.write(`seed ${seed}: ${fault} of ${victim.name} at ${share} of ${example}\n`);
  return { cluster, example, input, fault, victim, share };
}

describe("a job gives the exact answer, and every get the exact bytes", () => {
  test.each([["SIGSTOP"], ["leave"], ["SIGKILL"]] as const)(
    "through the %s of a node",
    async (fault) => {
      const one = trial(fault);
      await survive(one);
      await mend(one);
    },
  );

  test("through the death of a node, and all copies are back within 30 seconds", async () => {
    const one = trial("SIGKILL");
    const { at } = await survive(one);
    await heal(cluster, at);
    const { health } = await cluster.first.client.status();
    expect(health.state).toBe("healthy");
    await mend(one);
  });
});
