/** What the HTTP gateway asks of this node (control-api.ts), from the node's parts. */

import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { RingfoldError } from "../../base/errors.ts";
import { sha256Hex } from "../../base/hash.ts";
import type { BlockId, FileName, JobId, Millis, NodeId } from "../../base/ids.ts";
import type { ClusterEvent } from "../../contract/event.ts";
import type { FileList, FileQuery, FileStat, Removed } from "../../contract/file-stat.ts";
import type { JobDescription } from "../../contract/job-description.ts";
import type { JobList, JobView } from "../../contract/job-view.ts";
import type { JoinToken } from "../../contract/join-token.ts";
import type { LeaveProgress, NodeList } from "../../contract/node-row.ts";
import type { Readiness, Status } from "../../contract/status.ts";
import type { TaskLogs } from "../../contract/task-log.ts";
import type { Vitals } from "../../wire/control.ts";
import { formatToken } from "../../wire/token.ts";
import { bodyLink } from "../data/capability.ts";
import type { BodyTarget, ControlApi, JobWatch, Submission } from "../http/control-api.ts";
import type { Asks } from "./asks.ts";
import type { CatalogAccess } from "./catalog-access.ts";
import type { DataKeeper } from "./data-keeper.ts";
import type { EventLog } from "./event-log.ts";
import type { FileApi } from "./file-api.ts";
import { countedHealth } from "./health-of.ts";
import type { Leaving } from "./leaving.ts";
import { metricsText } from "./metrics-text.ts";
import { nodeProcesses } from "./node-processes.ts";
import { type SubmitParts, submitJob } from "./submit.ts";
import type { ClusterView, ViewHolder } from "./view-holder.ts";

const TOKEN_LIFE: Millis = 3600_000;
/** Nodes that one token admits. */
const TOKEN_USES = 1000;
/** `status` must answer quickly: what is not here by then is taken from before. */
const STATUS_PATIENCE: Millis = 100;

export interface NodeApiParts extends SubmitParts {
  readonly self: NodeId;
  readonly version: string;
  readonly startedAt: Millis;
  readonly catalog: CatalogAccess;
  readonly keeper: DataKeeper;
  readonly secret: Uint8Array;
  readonly view: ViewHolder;
  readonly asks: Asks;
  readonly events: EventLog;
  readonly files: FileApi;
  readonly leaving: Leaving;
  /** Pids of task hosts. */
  readonly hostPids: () => readonly number[];
  /** What this node tells of itself. */
  readonly vitals: () => Vitals;
}

/** The parts of `status` that come from elsewhere, as last heard. */
interface Remembered {
  vitals: Record<string, Vitals>;
  files: { count: number; bytes: number };
  filesVersion: number;
  running: number;
}

export class NodeApi implements ControlApi {
  readonly #parts: NodeApiParts;
  readonly #known: Remembered = {
    vitals: {},
    files: { count: 0, bytes: 0 },
    filesVersion: -1,
    running: 0,
  };

  constructor(parts: NodeApiParts) {
    this.#parts = parts;
  }

  readiness(): Readiness {
    const view = this.#parts.view.current;
    if (view === undefined) return { ready: false, why: "no leader has been heard yet" };
    const self = this.#parts.view.member(this.#parts.self);
    if (self?.state === "down")
      return { ready: false, why: "the cluster takes this node for dead" };
    return { ready: true, why: "" };
  }

  async status(): Promise<Status> {
    const { self, version, startedAt, keeper, hostPids } = this.#parts;
    const view = this.#view();
    await Promise.race([this.#look(view), pause(STATUS_PATIENCE, undefined, { ref: false })]);
    const { members } = view.members;
    const count = (state: string): number => members.filter((m) => m.state === state).length;
    const leader = this.#parts.view.member(view.leader);
    const { health, blocks } = countedHealth(view, this.#known.vitals);
    return {
      version,
      cluster: view.ring,
      node: { id: self, name: this.#nameOf(self) },
      health,
      nodes: { up: count("up"), down: count("down"), leaving: count("leaving") },
      files: this.#known.files,
      blocks,
      jobs: { running: this.#known.running },
      epoch: view.members.epoch,
      leader:
        leader === undefined || leader.state === "down"
          ? null
          : { id: leader.id, name: leader.name },
      startedAt,
      processes: await nodeProcesses(keeper.ready.pid, hostPids()),
    };
  }

  async nodes(): Promise<NodeList> {
    const { self, asks } = this.#parts;
    const view = this.#view();
    const vitals = await asks.vitals().catch(() => this.#known.vitals);
    return {
      epoch: view.members.epoch,
      nodes: view.members.members.map((member) => {
        const told = member.id === self ? this.#parts.vitals() : vitals[member.id];
        const { id, name, zone, weight, slots, state, since, addresses } = member;
        return {
          id,
          name,
          zone,
          weight,
          slots,
          state,
          since,
          addresses: { ...addresses },
          blocks: told?.blocks ?? 0,
          usedBytes: told?.bytes ?? 0,
          freeBytes: told?.free ?? null,
          runningTasks: told?.running ?? 0,
          memory: told?.memory ?? null,
          self: id === self,
          leader: id === view.leader,
        };
      }),
    };
  }

  async joinToken({ ttl }: { readonly ttl?: Millis }): Promise<JoinToken> {
    const { self, catalog } = this.#parts;
    const view = this.#view();
    const secret = randomBytes(32);
    const expiresAt = Date.now() + (ttl ?? TOKEN_LIFE);
    await catalog.propose({
      type: "token-add",
      hash: sha256Hex(secret),
      expiresAt,
      uses: TOKEN_USES,
    });
    const address = this.#parts.view.member(self)?.addresses.control ?? "";
    const token = formatToken({
      ring: view.ring,
      addresses: [address],
      inviter: self,
      secret,
      expires: expiresAt,
    });
    return { token, expiresAt, command: `ringfold up --join ${token}` };
  }

  leave(): Promise<LeaveProgress> {
    return this.#parts.leaving.step();
  }

  files(query: FileQuery): Promise<FileList> {
    return this.#parts.files.list(query);
  }

  stat(name: FileName, { holders }: { readonly holders: boolean }): Promise<FileStat> {
    return this.#parts.files.stat(name, holders);
  }

  remove(name: FileName): Promise<Removed> {
    return this.#parts.files.remove(name);
  }

  async submitJob(job: Submission): Promise<JobView> {
    const id = await submitJob(this.#parts, job);
    return this.#parts.asks.job({ id, tasks: false, wait: 0 });
  }

  async describeJob(bundle: BlockId): Promise<JobDescription> {
    const { name, description, source, params, counters, result } =
      await this.#parts.describe(bundle);
    return {
      name,
      description,
      source: source.kind,
      params: params.map((param) => ({ ...param })),
      counters: [...counters],
      result,
    };
  }

  async jobs(): Promise<JobList> {
    return { jobs: await this.#parts.asks.jobs() };
  }

  job(id: JobId, { tasks, after, wait }: JobWatch): Promise<JobView> {
    return this.#parts.asks.job({ id, tasks, wait, ...(after !== undefined && { after }) });
  }

  async taskLogs(id: JobId, task?: string): Promise<TaskLogs> {
    return { logs: await this.#parts.asks.logs({ id, ...(task !== undefined && { task }) }) };
  }

  async cancelJob(id: JobId): Promise<JobView> {
    await this.#parts.asks.cancel(id);
    return this.#parts.asks.job({ id, tasks: false, wait: 0 });
  }

  events(since: number | undefined, signal: AbortSignal): AsyncIterable<ClusterEvent> {
    return this.#parts.events.read(since, signal);
  }

  async metrics(): Promise<string> {
    return metricsText(await this.status(), this.#parts.vitals(), this.#parts.keeper.restarts);
  }

  async bodyUrl(target: BodyTarget): Promise<string> {
    const { keeper, secret, files } = this.#parts;
    const link = (
      method: "GET" | "PUT" | "POST",
      path: string,
      query: Readonly<Record<string, string>>,
    ): string => bodyLink(keeper.ready.http, secret, { method, path, query }, Date.now());
    if (target.kind === "block") return link("POST", "/blocks", {});
    const path = `/content/${encodeURIComponent(target.name)}`;
    if (target.kind === "put") {
      const given = Object.entries(target.query).filter(([, value]) => value !== undefined);
      return link("PUT", path, Object.fromEntries(given.map(([k, v]) => [k, String(v)])));
    }
    const { manifest, contentType } = await files.current(target.name);
    return link("GET", path, { manifest, contentType });
  }

  /** Brings what is remembered up to date. */
  async #look(view: ClusterView): Promise<void> {
    const { asks, catalog } = this.#parts;
    const known = this.#known;
    await Promise.all([
      asks.vitals().then(
        (vitals) => void (known.vitals = vitals),
        () => {},
      ),
      catalog.query({ type: "running-jobs" }, STATUS_PATIENCE).then(
        ({ jobs }) => void (known.running = jobs.length),
        () => {},
      ),
      view.filesVersion === known.filesVersion ? undefined : this.#countFiles(view.filesVersion),
    ]);
  }

  async #countFiles(filesVersion: number): Promise<void> {
    let [count, bytes] = [0, 0];
    let after: string | undefined;
    try {
      do {
        const page = await this.#parts.catalog.query(
          { type: "files", after, limit: 1000 },
          STATUS_PATIENCE,
        );
        count += page.files.length;
        for (const file of page.files) bytes += file.versions[0].bytes;
        after = page.next;
      } while (after !== undefined);
    } catch {
      return;
    }
    this.#known.files = { count, bytes };
    this.#known.filesVersion = filesVersion;
  }

  #view(): ClusterView {
    const view = this.#parts.view.current;
    if (view === undefined) {
      throw new RingfoldError("no-leader", "this node has not heard of its cluster's leader yet");
    }
    return view;
  }

  #nameOf(node: NodeId): string {
    return this.#parts.view.member(node)?.name ?? node.slice(0, 12);
  }
}
