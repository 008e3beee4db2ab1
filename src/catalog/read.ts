/**
 * The reading side of the catalog: queries over the same store, answered between two commands.
 *
 * C40 The pages of a list give each record exactly once and end, as long as nothing changes in
 *     between. Tested.
 * C41 A query reads at most {@link MAX_SCANNED} keys, so that it never holds the log up; only `job`
 *     without a limit reads all of a job's tasks. By the loop; tested.
 */
import { present, unreachable } from "../base/errors.ts";
import type { JobId } from "../base/ids.ts";
import { type Glob, parseGlob } from "./glob.ts";
import { recordsOf } from "./handler.ts";
import {
  type AnswerOf,
  MAX_PAGE,
  type Query,
  type QueryAnswers,
  type QueryOf,
  type QueryType,
  type WantedManifest,
} from "./queries.ts";
import type { FileRecord, JobRecord } from "./records.ts";
import type { CatalogStore } from "./store.ts";

/**
 * Most keys that one query looks at. A page may be short, even empty, and still name a next one.
 */
export const MAX_SCANNED = 10_000;

/**
 * Answers a query.
 * @throws RingfoldError `bad-glob`
 */
export function answer<T extends QueryType>(store: CatalogStore, query: QueryOf<T>): AnswerOf<T>;
export function answer(store: CatalogStore, query: Query): QueryAnswers[QueryType] {
  switch (query.type) {
    case "state":
      return stateOf(store);
    case "file":
      return { file: store.get("file", query.name) };
    case "files":
      return filesPage(store, query);
    case "wanted":
      return wantedPage(store, query);
    case "jobs":
      return jobsPage(store, query);
    case "job":
      return jobWithTasks(store, query);
    case "running-jobs":
      return { jobs: runningJobs(store) };
    default:
      return unreachable(query);
  }
}

function stateOf(store: CatalogStore): AnswerOf<"state"> {
  const cluster = store.get("cluster", "cluster");
  const byPosition = (a: { position: string }, b: { position: string }): number =>
    a.position < b.position ? -1 : 1;
  return {
    ringId: cluster?.ringId,
    epoch: cluster?.epoch ?? 0,
    filesVersion: cluster?.filesVersion ?? 0,
    members: recordsOf(store, "member").sort(byPosition),
    table: store.get("table", "current"),
  };
}

const pageSize = (limit: number): number => Math.max(1, Math.min(limit, MAX_PAGE));

const fileAt = (store: CatalogStore, name: string): FileRecord =>
  present(store.get("file", name), "S1: a listed key has a record");

function filesPage(store: CatalogStore, query: QueryOf<"files">): AnswerOf<"files"> {
  const glob = query.glob === undefined ? undefined : parseGlob(query.glob);
  const prefix = commonPrefix(query.prefix ?? "", glob?.prefix ?? "");
  if (prefix === undefined) return { files: [] };
  const keys = store.keys("file", { prefix, after: query.after, limit: MAX_SCANNED });
  const { found, next } = pageOf(keys, glob, pageSize(query.limit));
  return { files: found.map((name) => fileAt(store, name)), next };
}

/** The longer of two prefixes, where one begins with the other. */
function commonPrefix(a: string, b: string): string | undefined {
  if (a.startsWith(b)) return a;
  return b.startsWith(a) ? b : undefined;
}

/**
 * The keys of a page out of at most {@link MAX_SCANNED} candidates, and where the next page begins.
 */
function pageOf(keys: readonly string[], glob: Glob | undefined, size: number) {
  const found: string[] = [];
  for (const key of keys) {
    if (glob !== undefined && !glob.matches(key)) continue;
    if (found.length === size) return { found, next: found.at(-1) };
    found.push(key);
  }
  return { found, next: keys.length < MAX_SCANNED ? undefined : keys.at(-1) };
}

function wantedPage(store: CatalogStore, query: QueryOf<"wanted">): AnswerOf<"wanted"> {
  const size = pageSize(query.limit);
  const names = store.keys("file", { after: query.after, limit: size });
  const manifests = names.flatMap((name) => manifestsOf(fileAt(store, name)));
  const filesVersion = store.get("cluster", "cluster")?.filesVersion ?? 0;
  return { filesVersion, manifests, next: names.length < size ? undefined : names.at(-1) };
}

const manifestsOf = ({ name, versions }: FileRecord): WantedManifest[] =>
  versions.map(({ version, manifest, manifestBytes, replicas }) => ({
    name,
    version,
    manifest,
    manifestBytes,
    replicas,
  }));

const jobAt = (store: CatalogStore, id: JobId): JobRecord =>
  present(store.get("job", id), "C33: a remembered job has a record");

function jobsPage(store: CatalogStore, query: QueryOf<"jobs">): AnswerOf<"jobs"> {
  const limit = pageSize(query.limit);
  const keys = store.keys("job-order", { after: query.after, limit, reverse: true });
  const jobs = keys.map((key) =>
    jobAt(store, present(store.get("job-order", key), "S1: a listed key has a record").job),
  );
  return { jobs, next: keys.length < limit ? undefined : keys.at(-1) };
}

function jobWithTasks(store: CatalogStore, { id, after, limit }: QueryOf<"job">): AnswerOf<"job"> {
  const size = limit === undefined ? undefined : pageSize(limit);
  const keys = store.keys("task", { prefix: `${id}/`, after, limit: size });
  const tasks = keys.map((key) => present(store.get("task", key), "S1: a listed key has a record"));
  const next = size === undefined || keys.length < size ? undefined : keys.at(-1);
  return { job: store.get("job", id), tasks, next };
}

const runningJobs = (store: CatalogStore): JobRecord[] =>
  recordsOf(store, "job-running")
    .map(({ job }) => jobAt(store, job))
    .sort((a, b) => a.order - b.order);
