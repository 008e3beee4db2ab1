/** A job timed as its submitter sees it. */
import { fileURLToPath } from "node:url";
import { RingfoldError } from "../src/base/errors.ts";
import type { Millis } from "../src/base/ids.ts";
import type { JobView } from "../src/contract/job-view.ts";
import { bundleJob } from "../src/node/hosts/bundle-job.ts";
import type { Cluster, SubmitOptions } from "../src/sdk/client.ts";

export interface TimedJob {
  readonly view: JobView;
  /**
   * From the call of submit until the client knows that the result is committed. The bundle is
   * there before.
   */
  readonly ms: Millis;
}

/** Bundles an example and stores it. */
export async function storeExample(cluster: Cluster, name: string): Promise<string> {
  const path = fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
  return await cluster.putBundle((await bundleJob(path)).bytes);
}

/** @throws bug when the job does not end well */
export async function timedJob(
  cluster: Cluster,
  bundle: string,
  options: SubmitOptions,
): Promise<TimedJob> {
  const began = performance.now();
  const { id } = await cluster.submit(bundle, options);
  const view = await cluster.wait(id);
  const ms = performance.now() - began;
  if (view.state === "done") return { view, ms };
  throw new RingfoldError("bug", `job ${id} ended as ${view.state}: ${view.error?.message ?? ""}`);
}

/** The output as lines in byte order, whatever the parts. */
export async function outputLines(cluster: Cluster, view: JobView): Promise<string[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of cluster.results(view)) chunks.push(chunk);
  return sortedLines(Buffer.concat(chunks).toString());
}

export const sortedLines = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .sort();
