/**
 * A whole cluster in one object, for tests of what stands in front of one: the gateway, the client, the command line. Files
 * are buffers; a job copies its input to its output in steps, one for each time it is watched, or does what the test says.
 * The data port is a real HTTP server, so that redirects and bodies are real.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { matchesGlob } from "node:path/posix";
import { present, RingfoldError } from "../../base/errors.ts";
import { blockIdOf, sha256Hex } from "../../base/hash.ts";
import type { BlockId, FileName, JobId } from "../../base/ids.ts";
import type { ClusterEvent } from "../../contract/event.ts";
import type { FileList, FileQuery, FileStat, PutQuery, Removed } from "../../contract/file-stat.ts";
import { healthOf } from "../../contract/health.ts";
import type { JobDescription } from "../../contract/job-description.ts";
import type { JobList, JobState, JobView } from "../../contract/job-view.ts";
import type { JoinToken } from "../../contract/join-token.ts";
import type { LeaveProgress, NodeList } from "../../contract/node-row.ts";
import type { Readiness, Status } from "../../contract/status.ts";
import type { TaskLogs } from "../../contract/task-log.ts";
import type { BodyTarget, ControlApi, JobWatch, Submission } from "./control-api.ts";

const NODE = { id: sha256Hex("node 1"), name: "one" };
const SINCE = 1_700_000_000_000;

interface StoredFile {
  readonly bytes: Buffer;
  readonly stat: FileStat;
}

interface FakeJob {
  view: JobView;
  readonly submission: Submission;
  /** Watches until it ends. */
  steps: number;
}

export class MemoryCluster implements ControlApi {
  readonly stored = new Map<string, StoredFile>();
  readonly blocks = new Map<string, Buffer>();
  readonly happened: ClusterEvent[] = [];
  /** How the next job ends; `running`: never by itself. */
  nextJob: JobState = "done";
  ready: Readiness = { ready: true, why: "" };
  /** Thrown by the next call of status. */
  fault: unknown;
  private readonly ledger = new Map<string, FakeJob>();
  private readonly data: Server;

  private constructor(data: Server) {
    this.data = data;
  }

  static async start(): Promise<MemoryCluster> {
    const server = createServer();
    const cluster = new MemoryCluster(server);
    server.on("request", (request, response) => void cluster.serveBody(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return cluster;
  }

  async stop(): Promise<void> {
    this.data.closeAllConnections();
    this.data.close();
    await once(this.data, "close");
  }

  addFile(name: string, text: string | Buffer, query: PutQuery = {}): FileStat {
    const bytes = Buffer.from(text);
    const version = (this.stored.get(name)?.stat.version ?? 0) + 1;
    if (query.expected !== undefined && query.expected !== version - 1) {
      throw new RingfoldError("version-conflict", `${name} has version ${version - 1}`);
    }
    const stat: FileStat = {
      name,
      version,
      bytes: bytes.length,
      blocks: bytes.length === 0 ? 0 : 1,
      cut: query.cut ?? "lines",
      replicas: query.replicas ?? 2,
      copies: { min: 2, max: 2 },
      manifest: sha256Hex(bytes),
      createdAt: SINCE,
      contentType: query.contentType ?? "text/plain",
    };
    this.stored.set(name, { bytes, stat });
    return stat;
  }

  async status(): Promise<Status> {
    const fault = this.fault;
    this.fault = undefined;
    if (fault !== undefined) throw fault;
    const bytes = [...this.stored.values()].reduce((sum, file) => sum + file.stat.bytes, 0);
    return {
      version: "0.1.0",
      cluster: "0123456789abcdef0123456789abcdef",
      node: NODE,
      health: healthOf({ total: this.stored.size, healing: 0, lastCopy: 0, missing: 0 }),
      nodes: { up: 1, down: 0, leaving: 0 },
      files: { count: this.stored.size, bytes },
      blocks: this.stored.size,
      jobs: {
        running: [...this.ledger.values()].filter((job) => job.view.state === "running").length,
      },
      epoch: 3,
      leader: NODE,
      startedAt: SINCE,
      processes: [{ kind: "control", pid: 1, memory: 80e6 }],
    };
  }

  readiness(): Readiness {
    return this.ready;
  }

  async nodes(): Promise<NodeList> {
    const place = { zone: "a", weight: 1, slots: 2, state: "up" as const, since: SINCE };
    const addresses = { control: "127.0.0.1:7701", bulk: "127.0.0.1:7702", http: "127.0.0.1:7700" };
    const load = { blocks: 0, usedBytes: 0, freeBytes: 5e9, runningTasks: 0, memory: 80e6 };
    return {
      epoch: 3,
      nodes: [{ ...NODE, ...place, addresses, ...load, self: true, leader: true }],
    };
  }

  async joinToken({ ttl }: { readonly ttl?: number }): Promise<JoinToken> {
    return {
      token: "rf1.abc",
      expiresAt: SINCE + (ttl ?? 3_600_000),
      command: "ringfold up --join rf1.abc",
    };
  }

  async leave(): Promise<LeaveProgress> {
    return { state: "left", blocksLeft: 0 };
  }

  async files({ glob, after, limit }: FileQuery): Promise<FileList> {
    const names = [...this.stored.keys()].sort();
    const wanted = names.filter(
      (n) => (glob === undefined || matchesGlob(n, glob)) && n > (after ?? ""),
    );
    const page = wanted.slice(0, limit ?? 1000);
    const files = page.map((name) => present(this.stored.get(name), "a listed name is there").stat);
    return { files, next: page.length < wanted.length ? (page.at(-1) ?? null) : null };
  }

  async stat(name: FileName, { holders }: { readonly holders: boolean }): Promise<FileStat> {
    const { stat } = this.file(name);
    if (!holders) return stat;
    const rows = stat.blocks === 0 ? [] : [{ id: stat.manifest, offset: 0, bytes: stat.bytes }];
    const holder = { node: NODE.id, name: NODE.name, live: true };
    return { ...stat, blockRows: rows.map((row) => ({ ...row, holders: [holder] })) };
  }

  async remove(name: FileName): Promise<Removed> {
    const { stat } = this.file(name);
    this.stored.delete(name);
    return { name, version: stat.version };
  }

  async submitJob(submission: Submission): Promise<JobView> {
    const id = `j${String(this.ledger.size + 1).padStart(12, "0")}`;
    const inputs = await this.inputsOf(submission);
    const job: FakeJob = { view: newView(id, submission, inputs), submission, steps: 2 };
    this.ledger.set(id, job);
    return job.view;
  }

  async describeJob(bundle: BlockId): Promise<JobDescription> {
    await this.inputsOf({ inputs: [], bundle });
    const top = { name: "top", type: "int" as const, def: 10, help: "how many words" };
    const counters = ["words"];
    return {
      name: "copy",
      description: "Copies its input.",
      source: "lines",
      params: [top],
      counters,
      result: false,
    };
  }

  async jobs(): Promise<JobList> {
    return { jobs: [...this.ledger.values()].map((job) => job.view).reverse() };
  }

  async job(id: JobId, watch: JobWatch): Promise<JobView> {
    const job = this.jobOf(id);
    if (watch.after !== undefined && job.view.state === "running") await this.advance(job);
    return watch.tasks ? job.view : { ...job.view, tasks: [] };
  }

  async taskLogs(id: JobId, task?: string): Promise<TaskLogs> {
    const { view } = this.jobOf(id);
    const ended = { startedAt: SINCE, text: "hello\n", truncated: false, error: null };
    const tasks = view.tasks.filter((row) => task === undefined || row.id === task);
    return {
      logs: tasks.map((row) => ({
        task: row.id,
        attempt: 1,
        node: NODE,
        state: "done" as const,
        ...ended,
      })),
    };
  }

  async cancelJob(id: JobId): Promise<JobView> {
    const job = this.jobOf(id);
    if (job.view.state === "running") this.end(job, "cancelled");
    return job.view;
  }

  async *events(since: number | undefined, signal: AbortSignal): AsyncIterable<ClusterEvent> {
    for (const event of this.happened) if (event.id > (since ?? -1)) yield event;
    if (!signal.aborted) await once(signal, "abort");
  }

  async metrics(): Promise<string> {
    return "# TYPE ringfold_up gauge\nringfold_up 1\n";
  }

  async bodyUrl(target: BodyTarget): Promise<string> {
    const url = new URL(`http://127.0.0.1:${(this.data.address() as AddressInfo).port}`);
    if (target.kind === "get") this.file(target.name);
    url.pathname =
      target.kind === "block" ? "/blocks" : `/content/${encodeURIComponent(target.name)}`;
    const query = target.kind === "put" ? target.query : {};
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, String(value));
    url.searchParams.set("token", "once");
    return url.href;
  }

  private file(name: string): StoredFile {
    const file = this.stored.get(name);
    if (file === undefined) throw new RingfoldError("no-such-file", `there is no file ${name}`);
    return file;
  }

  private jobOf(id: string): FakeJob {
    const job = this.ledger.get(id);
    if (job === undefined) throw new RingfoldError("no-such-job", `there is no job ${id}`);
    return job;
  }

  private async inputsOf({
    inputs,
    bundle,
  }: Pick<Submission, "inputs" | "bundle">): Promise<StoredFile[]> {
    if (!this.blocks.has(bundle))
      throw new RingfoldError("block-missing", `bundle ${bundle.slice(0, 8)} is not here`);
    const found = await Promise.all(inputs.map((glob) => this.files({ glob })));
    const files = found.flatMap((list) => list.files).map((stat) => this.file(stat.name));
    if (inputs.length > 0 && files.length === 0) {
      throw new RingfoldError("no-input", `no file matches ${inputs.join(" ")}`);
    }
    return files;
  }

  private async advance(job: FakeJob): Promise<void> {
    job.view = { ...job.view, revision: job.view.revision + 1 };
    if (this.nextJob === "running") {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return;
    }
    if (--job.steps <= 0) this.end(job, this.nextJob);
  }

  private end(job: FakeJob, state: JobState): void {
    const { view, submission } = job;
    const error =
      state === "failed"
        ? {
            code: "job-threw",
            message: "map of books/a.txt: boom at job.ts:3",
            fix: "Correct it.",
            task: "map-0",
          }
        : null;
    const ended = {
      ...view,
      revision: view.revision + 1,
      state,
      finishedAt: SINCE + 400,
      ms: 400,
      error,
    };
    job.view = ended;
    if (state !== "done") return;
    const names = [...this.stored.keys()]
      .filter((n) => submission.inputs.some((g) => matchesGlob(n, g)))
      .sort();
    const files = names.map((name, part) => {
      const { bytes } = this.file(name);
      const out = `${view.output.name}/part-${String(part).padStart(5, "0")}`;
      return { name: out, bytes: this.addFile(out, bytes).bytes };
    });
    job.view = {
      ...ended,
      phases: ended.phases.map((p) => ({ ...p, idle: 0, done: p.total })),
      output: { ...view.output, files },
    };
  }

  private async serveBody(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://data");
    try {
      if (url.searchParams.get("token") !== "once")
        throw new RingfoldError("token-wrong", "no capability");
      const name = decodeURIComponent(url.pathname.slice("/content/".length));
      if (request.method === "GET") response.end(this.file(name).bytes);
      else
        response.end(
          JSON.stringify(this.storeBody(url, name, Buffer.concat(await request.toArray()))),
        );
    } catch (error) {
      const { code, message, fix } = error as RingfoldError;
      response.writeHead(409, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { code, message, fix } }));
    }
  }

  private storeBody(url: URL, name: string, body: Buffer): unknown {
    if (url.pathname === "/blocks") {
      const id = blockIdOf(body);
      this.blocks.set(id, body);
      return { id, bytes: body.length };
    }
    const { replicas, blockSize, cut, expected, contentType } = Object.fromEntries(
      url.searchParams,
    );
    return this.addFile(name, body, {
      ...(replicas === undefined
        ? {}
        : { replicas: replicas === "all" ? "all" : Number(replicas) }),
      ...(blockSize === undefined ? {} : { blockSize: Number(blockSize) }),
      ...(cut === "bytes" ? { cut } : {}),
      ...(expected === undefined ? {} : { expected: Number(expected) }),
      ...(contentType === undefined ? {} : { contentType }),
    });
  }
}

function newView(
  id: string,
  { output, params }: Submission,
  inputs: readonly StoredFile[],
): JobView {
  const bytes = inputs.reduce((sum, file) => sum + file.stat.bytes, 0);
  const total = Math.max(1, inputs.length);
  const counts = { total, idle: total, running: 0, done: 0, bytesDone: 0, bytesTotal: bytes };
  return {
    id,
    name: params?.["name"] ?? "copy",
    state: "running",
    submittedAt: SINCE,
    finishedAt: null,
    ms: 0,
    phases: [{ name: "map", ...counts }],
    inputs: { files: inputs.length, bytes },
    attempts: total,
    retries: 0,
    waitingFor: null,
    error: null,
    output: { name: output ?? `jobs/${id}`, files: [] },
    revision: 1,
    coordinator: NODE,
    tasks: inputs.map((file, i) => ({
      id: `map-${i}`,
      phase: "map",
      state: "running",
      attempt: 1,
      node: NODE,
      input: file.stat.name,
      bytesDone: 0,
      bytesTotal: file.stat.bytes,
      ms: 5,
      error: null,
    })),
    counters: {},
    result: null,
  };
}
