/**
 * What can be asked of the catalog, and what is answered. Commands travel through the log and
 * change it; every answer is a function of the log alone.
 */
import type { ErrorCode, ErrorNote } from "../base/errors.ts";
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
import type {
  Counters,
  FileVersion,
  JobState,
  JobSubmission,
  MemberRecord,
  Opaque,
  Replicas,
  TableRecord,
  TaskRef,
} from "./records.ts";

/** A host that asks to be on the list. Its position was computed by the leader's driver. */
export type NewMember = Omit<MemberRecord, "state" | "since">;

/** A file's content, as its writer announces it. */
export interface FileContent {
  readonly manifest: BlockId;
  readonly manifestBytes: Bytes;
  readonly bytes: Bytes;
  readonly blocks: number;
  readonly replicas: Replicas;
  readonly contentType: string;
}

/** A task that finished. */
export interface DoneTask extends TaskRef {
  readonly attempt: number;
  readonly node: NodeId;
  readonly output: Opaque;
  readonly counters: Counters;
}

export type JobFile = FileContent & { readonly name: FileName };

export type Command =
  | { readonly type: "cluster-init"; readonly ringId: RingId }
  | {
      readonly type: "token-add";
      readonly hash: string;
      readonly expiresAt: Millis;
      readonly uses: number;
    }
  /**
   * Without a token only the very first member is admitted. Admitting a member again is
   * `member-up`.
   */
  | {
      readonly type: "member-admit";
      readonly member: NewMember;
      readonly tokenHash?: string | undefined;
    }
  | {
      readonly type: "member-up";
      readonly id: NodeId;
      readonly incarnation: number;
      readonly addresses: MemberRecord["addresses"];
      readonly slots: number;
      readonly weight?: number | undefined;
      readonly zone?: string | undefined;
      readonly name?: string | undefined;
    }
  | {
      readonly type: "member-down";
      readonly id: NodeId;
      readonly incarnation: number;
      readonly reason: string;
    }
  | { readonly type: "member-leaving"; readonly id: NodeId }
  | { readonly type: "member-remove"; readonly id: NodeId }
  /** `basedOn`: the version that the new table was computed from, 0 for none. */
  | { readonly type: "table-set"; readonly table: TableRecord; readonly basedOn: number }
  /** `expected`: the current version, 0 for a name that must be new, left out for any. */
  | {
      readonly type: "file-put";
      readonly name: FileName;
      readonly expected?: number | undefined;
      readonly content: FileContent;
    }
  | {
      readonly type: "file-remove";
      readonly name: FileName;
      readonly expected?: number | undefined;
    }
  | { readonly type: "job-submit"; readonly job: JobSubmission }
  | { readonly type: "job-tasks-done"; readonly job: JobId; readonly tasks: readonly DoneTask[] }
  /** The outputs of these attempts are lost. A task whose recorded attempt is another one stays. */
  | {
      readonly type: "job-tasks-lost";
      readonly job: JobId;
      readonly tasks: readonly (TaskRef & { readonly attempt: number })[];
    }
  /** Ends the job and registers its files, all or none. `files` is empty unless it is `done`. */
  | {
      readonly type: "job-end";
      readonly job: JobId;
      readonly state: Exclude<JobState, "running">;
      readonly error?: ErrorNote | undefined;
      readonly files: readonly JobFile[];
      readonly stats: Counters;
    };

export type CommandType = Command["type"];
export type CommandOf<T extends CommandType> = Extract<Command, { readonly type: T }>;

/** After a change of the member list, or an attempt at one that was not needed. */
export interface MemberResult {
  readonly epoch: Epoch;
  readonly changed: boolean;
}

export interface TasksResult {
  /** False: the job has ended, or was never here; nothing was recorded. */
  readonly running: boolean;
  readonly recorded: readonly TaskRef[];
  readonly ignored: readonly TaskRef[];
}

/** What each command is answered with. */
export interface CommandResults {
  readonly "cluster-init": { readonly ringId: RingId };
  readonly "token-add": { readonly expiresAt: Millis };
  readonly "member-admit": MemberResult & { readonly member: MemberRecord };
  readonly "member-up": MemberResult & { readonly member: MemberRecord };
  readonly "member-down": MemberResult;
  readonly "member-leaving": MemberResult;
  readonly "member-remove": MemberResult;
  readonly "table-set": { readonly version: number };
  readonly "file-put": { readonly file: FileVersion };
  readonly "file-remove": { readonly version: number };
  /** `fresh` is false when the same job was submitted before: a retry. */
  readonly "job-submit": { readonly order: number; readonly fresh: boolean };
  readonly "job-tasks-done": TasksResult;
  readonly "job-tasks-lost": { readonly running: boolean; readonly removed: readonly TaskRef[] };
  readonly "job-end": { readonly counters: Counters };
}

export type ResultOf<T extends CommandType> = CommandResults[T];

/** Why a command changed nothing. */
export interface Refusal {
  readonly why: ErrorCode;
  readonly message: string;
}

export type Outcome<T extends CommandType = CommandType> =
  | { readonly ok: true; readonly result: ResultOf<T> }
  | { readonly ok: false; readonly refusal: Refusal };
