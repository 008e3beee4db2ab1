/** A job on a cluster of real nodes, with something done to the cluster at a moment of its progress. */
import { join } from "node:path";
import type { Millis } from "../../src/base/ids.ts";
import type { JobView } from "../../src/contract/job-view.ts";
import { bundleJob } from "../../src/node/hosts/bundle-job.ts";
import type { Cluster, SubmitOptions } from "../../src/sdk/client.ts";
import { ROOT } from "./readme.ts";
import { sortedLines } from "./texts.ts";

/** A job that takes longer will not end. */
const PATIENCE: Millis = 90_000;

/** Something happens as soon as this share of all tasks is done: 0 at once, 0.9 near the end. */
export interface Moment {
  readonly share: number;
  readonly act: (view: JobView) => void | Promise<void>;
}

export interface JobDone {
  readonly view: JobView;
  /** As `sortedLines`. */
  readonly lines: readonly string[];
  /** The share of the tasks that was done when the moment came; undefined when it did not. */
  readonly acted: number | undefined;
}

const bundles = new Map<string, Promise<Uint8Array>>();

/** The bytes of a job's bundle. */
function bundleOf(path: string): Promise<Uint8Array> {
  const known = bundles.get(path);
  if (known !== undefined) return known;
  const made = bundleJob(path).then(({ bytes }) => bytes);
  bundles.set(path, made);
  return made;
}

/** @param path of the job file, absolute */
async function submit(client: Cluster, path: string, options: SubmitOptions): Promise<string> {
  const bundle = await client.putBundle(await bundleOf(path));
  return (await client.submit(bundle, options)).id;
}

export const submitExample = (
  client: Cluster,
  example: string,
  options: SubmitOptions,
): Promise<string> => submit(client, join(ROOT, "examples", example), options);

/** A job that runs until it is cancelled, in most of its nodes' time. */
export const submitLong = (client: Cluster): Promise<string> =>
  submit(client, join(import.meta.dirname, "long-job.ts"), { inputs: [] });

/** Submits an example's job and follows it to its end. @throws when it does not end well */
export async function runExample(
  client: Cluster,
  example: string,
  options: SubmitOptions,
  moment?: Moment,
): Promise<JobDone> {
  return followJob(client, await submitExample(client, example, options), moment);
}

export async function followJob(client: Cluster, id: string, moment?: Moment): Promise<JobDone> {
  let acted: number | undefined;
  let doing: Promise<void> | undefined;
  let last: JobView | undefined;
  const end = performance.now() + PATIENCE;
  for await (const view of client.watch(id)) {
    last = view;
    const share = shareDone(view);
    if (view.state !== "running" || performance.now() > end) break;
    if (moment === undefined || acted !== undefined || share < moment.share) continue;
    acted = share;
    doing = (async () => moment.act(view))();
    // It is awaited when the job is over.
    doing.catch(() => {});
  }
  await doing;
  if (last?.state !== "done") throw new Error(await storyOf(client, id));
  return { view: last, lines: sortedLines(await output(client, last)), acted };
}

/** What became of a job that is not done. */
async function storyOf(client: Cluster, id: string): Promise<string> {
  const { tasks, ...view } = await client.job(id);
  const open = tasks.filter((task) => task.state !== "done");
  return `${id} is not done: ${JSON.stringify(view)}; its tasks: ${JSON.stringify(open)}`;
}

export async function output(client: Cluster, view: JobView): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of client.results(view)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function shareDone({ phases }: JobView): number {
  const sum = (of: "done" | "total"): number => phases.reduce((all, phase) => all + phase[of], 0);
  return sum("total") === 0 ? 0 : sum("done") / sum("total");
}
