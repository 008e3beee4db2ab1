/**
 * What can be read from the catalog. Lists come in pages: `next` is the `after` of the next page,
 * absent at the end.
 */
import type { BlockId, Bytes, Epoch, FileName, JobId, RingId } from "../base/ids.ts";
import type {
  FileRecord,
  JobRecord,
  MemberRecord,
  Replicas,
  TableRecord,
  TaskRecord,
} from "./records.ts";

export type Query =
  | { readonly type: "state" }
  | { readonly type: "file"; readonly name: FileName }
  /**
   * Names that fit the glob (see glob.ts) and begin with the prefix, in the order of their bytes.
   */
  | {
      readonly type: "files";
      readonly glob?: string | undefined;
      readonly prefix?: string | undefined;
      readonly after?: string | undefined;
      readonly limit: number;
    }
  /** The manifests of every kept version of every file: what repair must keep alive. */
  | { readonly type: "wanted"; readonly after?: string | undefined; readonly limit: number }
  /** Newest first. */
  | { readonly type: "jobs"; readonly after?: string | undefined; readonly limit: number }
  /**
   * A running job comes with its recorded tasks, by stage and number: all of them, or a page when a
   * limit is given.
   */
  | {
      readonly type: "job";
      readonly id: JobId;
      readonly after?: string | undefined;
      readonly limit?: number | undefined;
    }
  /** Oldest first. */
  | { readonly type: "running-jobs" };

export type QueryType = Query["type"];
export type QueryOf<T extends QueryType> = Extract<Query, { readonly type: T }>;

export interface WantedManifest {
  readonly name: FileName;
  readonly version: number;
  readonly manifest: BlockId;
  readonly manifestBytes: Bytes;
  readonly replicas: Replicas;
}

/** What each query is answered with. */
export interface QueryAnswers {
  readonly state: {
    /** Absent before `cluster-init`. */
    readonly ringId?: RingId | undefined;
    readonly epoch: Epoch;
    readonly filesVersion: number;
    /** Sorted by position. */
    readonly members: readonly MemberRecord[];
    readonly table?: TableRecord | undefined;
  };
  readonly file: { readonly file?: FileRecord | undefined };
  readonly files: { readonly files: readonly FileRecord[]; readonly next?: string | undefined };
  /**
   * `filesVersion` is what the page was read at: pages of different numbers do not make one whole.
   */
  readonly wanted: {
    readonly filesVersion: number;
    readonly manifests: readonly WantedManifest[];
    readonly next?: string | undefined;
  };
  readonly jobs: { readonly jobs: readonly JobRecord[]; readonly next?: string | undefined };
  readonly job: {
    readonly job?: JobRecord | undefined;
    readonly tasks: readonly TaskRecord[];
    readonly next?: string | undefined;
  };
  readonly "running-jobs": { readonly jobs: readonly JobRecord[] };
}

export type AnswerOf<T extends QueryType> = QueryAnswers[T];

/** Longest page that is given, whatever is asked. */
export const MAX_PAGE = 1000;
