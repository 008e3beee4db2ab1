/**
 * What the HTTP gateway needs from the node, and nothing else. The gateway has checked shapes, limits, Host and Origin, and
 * has branded names and ids; the node answers with the contract's types or throws RingfoldError with the right code.
 */
import type { BlockId, FileName, JobId, Millis } from "../../base/ids.ts";
import type { ClusterEvent } from "../../contract/event.ts";
import type { FileList, FileQuery, FileStat, PutQuery, Removed } from "../../contract/file-stat.ts";
import type { JobDescription } from "../../contract/job-description.ts";
import type { JobSubmit } from "../../contract/job-submit.ts";
import type { JobList, JobView } from "../../contract/job-view.ts";
import type { JoinToken } from "../../contract/join-token.ts";
import type { LeaveProgress, NodeList } from "../../contract/node-row.ts";
import type { Readiness, Status } from "../../contract/status.ts";
import type { TaskLogs } from "../../contract/task-log.ts";

/** What a redirect to the data process's own HTTP port is for; its capability token covers exactly this. */
export type BodyTarget =
  | { readonly kind: "put"; readonly name: FileName; readonly query: PutQuery }
  | { readonly kind: "get"; readonly name: FileName }
  | { readonly kind: "block" };

export interface Submission extends Omit<JobSubmit, "bundle" | "output"> {
  readonly bundle: BlockId;
  readonly output?: FileName;
}

export interface JobWatch {
  /** False: the rows of tasks are left out. */
  readonly tasks: boolean;
  /** Answer when the job is beyond this revision or over … */
  readonly after?: number;
  /** … or when so many milliseconds have passed; 0 answers at once. */
  readonly wait: Millis;
}

export interface ControlApi {
  /** Must not wait for other nodes: `ringfold status` answers within 150 ms, a node whose leader is gone included. */
  status(): Promise<Status>;
  readiness(): Readiness;
  nodes(): Promise<NodeList>;
  /** @param ttl how long the token can be used; the node's default when left out */
  joinToken(request: { readonly ttl?: Millis }): Promise<JoinToken>;
  /**
   * Starts the polite leave at the first call and waits up to a second for progress. After it has answered `left` the node
   * may end by itself, not before.
   */
  leave(): Promise<LeaveProgress>;
  /** Names in order, at most `limit` (gateway's default 1000). @throws bad-glob */
  files(query: FileQuery): Promise<FileList>;
  /** With `holders` the answer has blockRows. @throws no-such-file */
  stat(name: FileName, options: { readonly holders: boolean }): Promise<FileStat>;
  /** @throws no-such-file */
  remove(name: FileName): Promise<Removed>;
  /** Answers when the job is in the ledger. @throws no-input, output-exists, job-param, block-missing … */
  submitJob(job: Submission): Promise<JobView>;
  /** What the job in this bundle declares; the bundle was stored before. @throws block-missing, job-file, job-threw */
  describeJob(bundle: BlockId): Promise<JobDescription>;
  jobs(): Promise<JobList>;
  /** @throws no-such-job */
  job(id: JobId, watch: JobWatch): Promise<JobView>;
  /** All attempts of one task, or of all tasks that wrote or failed. @throws no-such-job */
  taskLogs(id: JobId, task?: string): Promise<TaskLogs>;
  /** Answers when the job is over, whoever ended it. @throws no-such-job */
  cancelJob(id: JobId): Promise<JobView>;
  /**
   * Events after number `since` (all new ones when left out), until the signal aborts; then it returns. When events in
   * between are gone it yields one of kind `gap` first.
   */
  events(since: number | undefined, signal: AbortSignal): AsyncIterable<ClusterEvent>;
  /** Prometheus text format 0.0.4. */
  metrics(): Promise<string>;
  /**
   * URL on the data process's loopback port, short-lived capability token in its query:
   * `PUT /content/NAME?…` answers FileStat after commit, `GET /content/NAME` the bytes, `POST /blocks` StoredBlock.
   * NAME is encoded with encodeURIComponent, slashes included. @throws no-such-file for `get`, data-process
   */
  bodyUrl(target: BodyTarget): Promise<string>;
}
