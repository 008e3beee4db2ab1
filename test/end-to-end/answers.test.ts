/** The examples on clusters of real nodes of several sizes: each gives exactly what its oracle says. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { matchingLines } from "../../examples/grep.oracle.ts";
import { circleHits } from "../../examples/pi.oracle.ts";
import { TestCluster } from "./cluster.ts";
import { runExample } from "./job-run.ts";
import { loadTexts, sortedLines } from "./texts.ts";

const { texts, wordCount, invertedIndex } = loadTexts();

describe.each([1, 3, 7])("%i real nodes", (nodes) => {
  let cluster: TestCluster;
  let input: string;

  beforeAll(async () => {
    cluster = await TestCluster.start({ nodes });
    input = await cluster.put("books", texts, { blockSize: 256 * 1024 });
  });
  afterAll(() => cluster.close());

  test.each([
    ["word-count.ts", wordCount],
    ["word-count-lines.ts", wordCount],
    ["inverted-index.ts", invertedIndex],
  ] as const)("run %s and get the independent program's answer", async (example, expected) => {
    const { lines } = await runExample(cluster.first.client, example, {
      inputs: [input],
      reducers: 3,
    });
    expect(lines).toEqual(expected);
  });

  test("find with grep.ts the lines that its oracle finds", async () => {
    const pattern = "w[ao]lf|Ring";
    const { lines } = await runExample(cluster.first.client, "grep.ts", {
      inputs: [input],
      params: { pattern },
    });
    const named = texts.map(({ name, bytes }) => ({ name: `books/${name}`, bytes }));
    expect(lines).toEqual(sortedLines(matchingLines(pattern, named)));
    expect(lines.length).toBeGreaterThan(10);
  });

  test("throw with pi.ts the points that its oracle throws", async () => {
    const { view } = await runExample(cluster.first.client, "pi.ts", {
      inputs: [],
      params: { samples: "1000" },
    });
    expect(view.result).toBe(`pi is about ${(4 * circleHits(view.id, 20, 1000)) / 20_000}`);
  });
});
