/**
 * The records of the catalog: the few facts that must never disagree. Plain data, as it stands in
 * the store and on the wire; node/ hands it to the cores that decide with it.
 */
import type { ErrorNote } from "../base/errors.ts";
import type {
  BlockId,
  Bytes,
  Epoch,
  FileName,
  JobId,
  Millis,
  NodeId,
  RingId,
} from "../base/ids.ts";

/** Facts about the cluster as a whole. One record. */
export interface ClusterRecord {
  readonly ringId: RingId;
  /** Grows by one with every change of the member list. */
  readonly epoch: Epoch;
  /**
   * Grows with every command that changed a file name: who has seen this number has nothing to look
   * for.
   */
  readonly filesVersion: number;
}

/**
 * A host on the list. Shaped like the ring's `Member`, its position not yet parsed: 40 lower-case
 * hex digits.
 */
export interface MemberRecord {
  readonly id: NodeId;
  readonly name: string;
  readonly zone: string;
  readonly weight: number;
  readonly slots: number;
  readonly position: string;
  readonly addresses: { readonly control: string; readonly bulk: string; readonly http: string };
  readonly incarnation: number;
  readonly state: "up" | "down" | "leaving";
  readonly since: Millis;
}

/** A join token. Only the hash of its secret is known here: 64 lower-case hex digits. */
export interface TokenRecord {
  readonly hash: string;
  readonly expiresAt: Millis;
  /** How many nodes it still admits. */
  readonly uses: number;
}

/** The partition table, as the ring computed it. Opaque here but for its version. */
export interface TableRecord {
  readonly version: number;
  readonly partitions: number;
  readonly hosts: readonly NodeId[];
  /** For each partition the hosts that hold it, as indexes into `hosts`, first holder first. */
  readonly rows: readonly (readonly number[])[];
}

/** On how many distinct hosts a file's blocks lie. */
export type Replicas = number | "all";

/** One version of a file: where its bytes are. */
export interface FileVersion {
  /** 1 for a new name, then 2, 3 …; a name that was removed goes on from its last version. */
  readonly version: number;
  /** The key block: the ordered list of blocks. */
  readonly manifest: BlockId;
  /** Length of the key block itself. */
  readonly manifestBytes: Bytes;
  /** Length of the file. */
  readonly bytes: Bytes;
  /** How many blocks it has. */
  readonly blocks: number;
  readonly replicas: Replicas;
  readonly contentType: string;
  /** When it was registered, by the leader's clock. */
  readonly at: Millis;
}

/**
 * A name and its versions, the current one first, then at most {@link KEPT_VERSIONS} older ones.
 */
export interface FileRecord {
  readonly name: FileName;
  readonly versions: readonly [FileVersion, ...FileVersion[]];
}

/** Older versions that a name keeps. */
export const KEPT_VERSIONS = 3;

/**
 * The last version of a removed name, kept for {@link GONE_KEPT_MS} so that an old compare-and-set
 * cannot succeed.
 */
export interface GoneRecord {
  readonly version: number;
  readonly at: Millis;
  /** The log index of the removal. */
  readonly index: number;
}

export const GONE_KEPT_MS: Millis = 24 * 3600 * 1000;

export type JobState = "running" | "done" | "failed" | "cancelled";
export type JobParams = Readonly<Record<string, string | number | boolean>>;
export type Counters = Readonly<Record<string, number>>;

/** What the submitter decided about a job. */
export interface JobSubmission {
  readonly id: JobId;
  readonly name: string;
  readonly bundle: BlockId;
  readonly plan: BlockId;
  readonly mapTasks: number;
  readonly reduceTasks: number;
  /** A folder: the job's files are registered under it, `OUTPUT/part-00000` …, all or none. */
  readonly output: FileName;
  readonly replicas: Replicas;
  readonly params: JobParams;
  /** Who asked: a node's id or a client's name. */
  readonly submittedBy: string;
  readonly input: readonly string[];
}

export interface JobRecord extends JobSubmission {
  readonly state: JobState;
  /** The log index of the submission: later jobs have higher numbers. */
  readonly order: number;
  readonly submittedAt: Millis;
  readonly endedAt?: Millis | undefined;
  readonly error?: ErrorNote | undefined;
  /** The sum over the recorded tasks, one attempt each. Empty while the job runs. */
  readonly counters: Counters;
  /** What its coordinator measured: attempts, bytes … Empty while the job runs. */
  readonly stats: Counters;
  /** The files that it registered. */
  readonly files: readonly FileName[];
}

/** Ended jobs that are remembered. */
export const KEPT_JOBS = 200;

/** Data that passes through unread: what CBOR can say. */
export type Opaque =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Opaque[]
  | { readonly [key: string]: Opaque };

/** Which task of a job: `stage` is a short word such as `map`, without a slash. */
export interface TaskRef {
  readonly stage: string;
  readonly task: number;
}

/** The attempt of a task that counts: the first that finished. */
export interface TaskRecord extends TaskRef {
  readonly attempt: number;
  readonly node: NodeId;
  readonly output: Opaque;
  readonly counters: Counters;
  readonly at: Millis;
}

/** Points from an ordering key to a job. */
export interface JobPointer {
  readonly job: JobId;
}

/** Points from an ordering key to a name that was removed. */
export interface GonePointer {
  readonly name: FileName;
}

/** Every table of the catalog, by the record that it holds. */
export interface CatalogTables {
  /** Key: `cluster`. */
  readonly cluster: ClusterRecord;
  /** Key: node id. */
  readonly member: MemberRecord;
  /** Key: hash. */
  readonly token: TokenRecord;
  /** Key: `current`. */
  readonly table: TableRecord;
  /** Key: name. */
  readonly file: FileRecord;
  /** Key: name. */
  readonly gone: GoneRecord;
  /** Key: {@link orderKey} of the log index of the removal. */
  readonly "gone-order": GonePointer;
  /** Key: job id. */
  readonly job: JobRecord;
  /** Every job. Key: {@link orderKey} of its order. */
  readonly "job-order": JobPointer;
  /** Running jobs. Key: job id. */
  readonly "job-running": JobPointer;
  /** Ended jobs. Key: {@link orderKey} of the log index of the end. */
  readonly "job-ended": JobPointer;
  /** Key: {@link taskKey}. */
  readonly task: TaskRecord;
}

export type TableName = keyof CatalogTables;

/** A log index as a key that sorts like the number. */
export const orderKey = (index: number): string => String(index).padStart(16, "0");

export const taskKey = (job: JobId, { stage, task }: TaskRef): string =>
  `${job}/${stage}/${String(task).padStart(8, "0")}`;
