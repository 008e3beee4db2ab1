/**
 * `connect()`: a cluster as a program sees it, through the HTTP API of one node. Types only are
 * taken from the contract, so that a command starts in a few milliseconds; the node checks every
 * request.
 */
import type { Readable } from "node:stream";
import { RingfoldError } from "../base/errors.ts";
import { blockIdOf } from "../base/hash.ts";
import { fileName, jobId, type Millis } from "../base/ids.ts";
import type { ClusterEvent } from "../contract/event.ts";
import type { FileList, FileStat, PutQuery, Removed, StoredBlock } from "../contract/file-stat.ts";
import type { JobDescription } from "../contract/job-description.ts";
import type { JobSubmit } from "../contract/job-submit.ts";
import type { JobList, JobView } from "../contract/job-view.ts";
import type { JoinToken } from "../contract/join-token.ts";
import type { LeaveProgress, NodeList } from "../contract/node-row.ts";
import type { Status } from "../contract/status.ts";
import type { TaskLogs } from "../contract/task-log.ts";
import { readEvents } from "./client-events.ts";
import { bodyChunks, NodeHttp } from "./client-http.ts";

export const DEFAULT_NODE = "http://127.0.0.1:7700";
/** How long one look at a job waits for a change. */
const WATCH_MS = 1000;
/** A node may take so long to hand over and end. */
const SLOW_MS = 120_000;

export interface ConnectOptions {
  /** URL, or HOST:PORT; else RINGFOLD_NODE, else {@link DEFAULT_NODE}. */
  readonly node?: string | undefined;
}

export interface FileBody {
  readonly bytes: number;
  /** Throws `not-reachable` when the connection ends before the last byte. */
  readonly chunks: AsyncIterable<Buffer>;
}

export interface PutOptions extends PutQuery {
  /** Length of a stream's bytes, when known. */
  readonly length?: number;
}

export type SubmitOptions = Omit<JobSubmit, "bundle">;

export interface FileFilter {
  readonly glob?: string;
  readonly after?: string;
  readonly limit?: number;
}

/** No I/O yet: the first call finds out whether the node is there. @throws bad-option */
export function connect(options: ConnectOptions = {}): Cluster {
  const fromEnvironment = process.env["RINGFOLD_NODE"];
  return new Cluster(options.node ?? (fromEnvironment || DEFAULT_NODE));
}

/**
 * Every method throws RingfoldError: `not-reachable` without a node, else the code that the node
 * answers.
 */
export class Cluster {
  private readonly http: NodeHttp;

  constructor(node: string) {
    this.http = new NodeHttp(node);
  }

  /** The node's address, such as http://127.0.0.1:7700. */
  get node(): string {
    return this.http.base;
  }

  /** Lets the program end: closes idle connections. */
  close(): void {
    this.http.close();
  }

  status(): Promise<Status> {
    return this.read("/status");
  }

  nodes(): Promise<NodeList> {
    return this.read("/nodes");
  }

  joinToken(options: { readonly ttlMs?: Millis } = {}): Promise<JoinToken> {
    return this.write("/join-token", options);
  }

  /** One step of the polite leave; call it until it answers `left`. */
  leave(): Promise<LeaveProgress> {
    return this.write("/leave", {}, SLOW_MS);
  }

  /** One page of names in order. */
  files(filter: FileFilter = {}): Promise<FileList> {
    return this.read(`/files${queryOf({ ...filter })}`);
  }

  /** All files that match, page by page. */
  async *allFiles(glob?: string): AsyncGenerator<FileStat> {
    let after: string | null | undefined;
    while (after !== null) {
      const filter = { ...(glob === undefined ? {} : { glob }), ...(after ? { after } : {}) };
      const page: FileList = await this.files(filter);
      yield* page.files;
      after = page.next;
    }
  }

  stat(name: string, options: { readonly holders?: boolean } = {}): Promise<FileStat> {
    return this.read(`${filePath(name)}${options.holders === true ? "?holders=1" : ""}`);
  }

  remove(name: string): Promise<Removed> {
    return this.http.json({ method: "DELETE", path: `/api/v1${filePath(name)}` });
  }

  /**
   * Stores a new version of a name; answers when it is committed.
   * @param source bytes, or a stream that is read once; its own error is thrown as it is
   */
  async put(
    name: string,
    source: Uint8Array | Readable,
    options: PutOptions = {},
  ): Promise<FileStat> {
    const { length, ...query } = options;
    const path = `/api/v1${filePath(name)}/content${queryOf(query)}`;
    const contentType = "application/octet-stream";
    const to = await this.http.redirect({ method: "PUT", path, contentType });
    const known = length === undefined ? {} : { length };
    return this.http.json({
      method: "PUT",
      path: to,
      body: source,
      contentType,
      patience: SLOW_MS,
      ...known,
    });
  }

  async get(name: string): Promise<FileBody> {
    const to = await this.http.redirect({
      method: "GET",
      path: `/api/v1${filePath(name)}/content`,
    });
    const response = await this.http.open({ method: "GET", path: to });
    const bytes = Number(response.headers["content-length"] ?? Number.NaN);
    return { bytes, chunks: bodyChunks(response, `${name} from ${this.node}`) };
  }

  /**
   * Stores a job's bundle; answers its id.
   * @throws block-corrupt when what arrived is not what was sent
   */
  async putBundle(bundle: Uint8Array): Promise<string> {
    const contentType = "application/octet-stream";
    const to = await this.http.redirect({ method: "POST", path: "/api/v1/blocks", contentType });
    const stored = await this.http.json<StoredBlock>({
      method: "POST",
      path: to,
      body: bundle,
      contentType,
    });
    if (stored.id !== blockIdOf(bundle)) {
      throw new RingfoldError("block-corrupt", "the bundle arrived changed at the node");
    }
    return stored.id;
  }

  describeJob(bundle: string): Promise<JobDescription> {
    return this.write("/jobs/describe", { bundle });
  }

  /** @param bundle id that {@link putBundle} answered */
  submit(bundle: string, job: SubmitOptions): Promise<JobView> {
    return this.write("/jobs", { bundle, ...job });
  }

  jobs(): Promise<JobList> {
    return this.read("/jobs");
  }

  job(id: string): Promise<JobView> {
    return this.read(`/jobs/${jobId(id)}`);
  }

  taskLogs(id: string, task?: string): Promise<TaskLogs> {
    return this.read(`/jobs/${jobId(id)}/logs${task === undefined ? "" : queryOf({ task })}`);
  }

  cancel(id: string): Promise<JobView> {
    return this.write(`/jobs/${jobId(id)}/cancel`, {}, SLOW_MS);
  }

  /**
   * The job at each change, without its tasks' rows; the last one is its end. A look that changed
   * nothing comes too, once a second, so that a display can move on.
   */
  async *watch(id: string, signal?: AbortSignal): AsyncGenerator<JobView> {
    let after = 0;
    while (true) {
      const query = queryOf({ tasks: 0, after, waitMs: WATCH_MS });
      const path = `/api/v1/jobs/${jobId(id)}${query}`;
      const view = await this.http.json<JobView>({
        method: "GET",
        path,
        patience: WATCH_MS,
        signal,
      });
      yield view;
      if (view.state !== "running") return;
      after = view.revision;
    }
  }

  /** The job at its end, whichever it is. */
  async wait(id: string, signal?: AbortSignal): Promise<JobView> {
    let last: JobView | undefined;
    for await (const view of this.watch(id, signal)) last = view;
    return last ?? this.job(id);
  }

  /** The output's bytes, part after part in order. */
  async *results(job: Pick<JobView, "output">): AsyncGenerator<Buffer> {
    for (const { name } of job.output.files) yield* (await this.get(name)).chunks;
  }

  /** Events from now on, or after number `since`. Ends with the connection or the signal. */
  async *events(
    options: { readonly since?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ClusterEvent> {
    const path = `/api/v1/events${options.since === undefined ? "" : queryOf({ since: options.since })}`;
    const response = await this.http.open({ method: "GET", path, signal: options.signal });
    try {
      yield* readEvents(bodyChunks(response, this.node));
    } finally {
      response.destroy();
    }
  }

  private read<T>(path: string): Promise<T> {
    return this.http.json({ method: "GET", path: `/api/v1${path}` });
  }

  private write<T>(path: string, json: unknown, patience: Millis = 0): Promise<T> {
    return this.http.json({ method: "POST", path: `/api/v1${path}`, json, patience });
  }
}

/** Checked here too: URL would fold `..` away before the node could refuse it. @throws bad-name */
const filePath = (name: string): string => `/files/${encodeURIComponent(fileName(name))}`;

function queryOf(query: Readonly<Record<string, string | number | undefined>>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) params.set(key, String(value));
  }
  return params.size === 0 ? "" : `?${params.toString()}`;
}
