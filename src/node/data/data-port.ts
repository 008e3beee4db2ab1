/**
 * The port between a node's control and its data: everything that touches bytes of users, and nothing that decides.
 * Two adapters: {@link DataService} in the same process (`--processes 1`), and the data process over IPC
 * (data-client.ts). Every argument and answer is plain data (structured clone), so that both behave alike.
 *
 * Promises of every adapter (test/conformance/block-store.test.ts):
 * D1: a block is acknowledged only after its bytes and its directory entry are synced, on as many nodes as `copies` says.
 * D2: bytes that leave a block have been hashed on this read; a copy that does not fit goes to quarantine, never out.
 *     The one exception is a hard link for a task host: the host hashes it before it uses a byte, control then calls
 *     verifyBlocks.
 * D3: a file's name is committed only after every block and its manifest are stored (D1); a broken put commits nothing.
 * D4: a full disk refuses before bytes are lost.
 * D5: memory does not grow with the size of a file, an output or a shuffle.
 */
import type { ErrorCode } from "../../base/errors.ts";
import type { BlockId, Bytes, FileName, JobId, Millis, NodeId } from "../../base/ids.ts";
import type { FileStat } from "../../contract/file-stat.ts";
import type { MemberList } from "../../ring/member.ts";
import type { PartitionTable } from "../../ring/partition-table.ts";

/** What control knows about the ring; pushed at start and with every new epoch. Older epochs are ignored. */
export interface DataView {
  readonly members: MemberList;
  readonly table: PartitionTable;
}

/** How many copies: a count, or one on every node that stores. */
export type Copies = number | "all";

/** A map task's output, by attempt: a late attempt never mixes with the one that counts. */
export interface MapOutputId {
  readonly job: JobId;
  /** The map task's number. */
  readonly task: number;
  readonly attempt: number;
}

export interface Stored {
  readonly id: BlockId;
  readonly bytes: Bytes;
  /** Who holds a synced copy now; may be fewer than asked when fewer hosts live. */
  readonly nodes: readonly NodeId[];
}

/** A file's blocks and its manifest are stored; no name points at it yet. */
export interface StoredFile {
  readonly manifest: BlockId;
  /** Length of the manifest's own block. */
  readonly manifestBytes: Bytes;
  readonly bytes: Bytes;
  readonly blocks: number;
  /** Plain sentences, such as fewer copies than asked. */
  readonly warnings: readonly string[];
}

/** How a file is cut: at line ends (a block holds whole lines where a line fits in it), or anywhere. */
export type FileCut = "lines" | "bytes";

/** A stored file that wants its name. `expected`: the version that must be current, 0 for a new name. */
export interface CommitFile extends StoredFile {
  readonly name: FileName;
  readonly copies: Copies;
  readonly cut: FileCut;
  readonly blockSize: Bytes;
  readonly contentType: string;
  readonly expected?: number;
}

/** What happened in data that control logs, counts or shows. */
export type DataEvent =
  | { readonly type: "quarantined"; readonly block: BlockId; readonly reason: string }
  | { readonly type: "refetched"; readonly block: BlockId }
  /** A damaged copy was set aside and no other copy could be had yet. */
  | { readonly type: "not-healed"; readonly block: BlockId; readonly why: string }
  | {
      readonly type: "few-copies";
      readonly block: BlockId;
      readonly have: number;
      readonly want: number;
    }
  /** A bulk answer did not come in time or the connection failed: avoided for a while. */
  | { readonly type: "slow-peer"; readonly node: NodeId; readonly why: string }
  | { readonly type: "disk"; readonly code: ErrorCode; readonly message: string };

/** What data asks of control. */
export interface DataCallbacks {
  /** Enters the name in the catalog; the answer goes to the client. @throws RingfoldError `version-conflict`, `no-leader`, … */
  commitFile(file: CommitFile): Promise<FileStat>;
  event(event: DataEvent): Promise<void>;
}

export interface StageRequest {
  readonly job: JobId;
  /** The task host's `in` folder, absolute, existing. */
  readonly dir: string;
  readonly blocks: readonly BlockId[];
}

export interface StagedBlock {
  readonly block: BlockId;
  /** Absolute path inside the asked folder; the file's name is the block's id. */
  readonly file: string;
  readonly bytes: Bytes;
  /** False when it came from another node: then it is scratch only. */
  readonly local: boolean;
}

/** One partition's part of one map output. */
export interface SegmentSource extends Omit<MapOutputId, "job"> {
  readonly node: NodeId;
  readonly offset: Bytes;
  readonly length: Bytes;
  /** CRC-32 of the segment's bytes (zlib's). */
  readonly crc: number;
}

export interface FetchRequest {
  readonly job: JobId;
  readonly partition: number;
  readonly sources: readonly SegmentSource[];
  /** The task host's `in` folder, absolute, existing. */
  readonly dir: string;
}

/** Where a segment lies in the fetched file. */
export interface FetchedSegment {
  readonly task: number;
  readonly attempt: number;
  readonly offset: Bytes;
  readonly length: Bytes;
}

/** A map output that cannot be had: its task must run again. */
export interface LostSegment {
  readonly task: number;
  readonly attempt: number;
  readonly node: NodeId;
  readonly code: ErrorCode;
  readonly why: string;
}

export interface Fetched {
  /** One new file in `dir` with all segments of this call, absolute path. */
  readonly file: string;
  readonly segments: readonly FetchedSegment[];
  readonly lost: readonly LostSegment[];
  readonly bytes: Bytes;
  /** Of those, bytes that came from other nodes. */
  readonly remoteBytes: Bytes;
}

export interface OutputRequest {
  /** The reduce task's output file, absolute; it is left where it is. */
  readonly file: string;
  readonly copies: Copies;
  readonly cut: FileCut;
  /** Default `text/plain; charset=utf-8`. */
  readonly contentType?: string;
  /** Ends with the job when it is dropped. */
  readonly job?: JobId;
}

/** Either `from` (pull here from that node; `any` = whoever of the holders answers) or `to` (push our copy there). */
export type CopyRequest =
  | { readonly block: BlockId; readonly from: NodeId | "any" }
  | { readonly block: BlockId; readonly to: NodeId };

export interface BlockEntry {
  readonly id: BlockId;
  readonly bytes: Bytes;
}

export interface DataStats {
  readonly blocks: number;
  readonly bytes: Bytes;
  /** Of the data directory's file system, the reserve taken off. */
  readonly free: Bytes;
  readonly rss: Bytes;
  readonly quarantined: number;
  readonly shuffleBytes: Bytes;
}

/** What control may ask of data. */
export interface DataPort {
  setView(view: DataView): Promise<void>;
  stats(): Promise<DataStats>;

  /** Those of the ids that this node does not hold. */
  inventory(ids: readonly BlockId[]): Promise<readonly BlockId[]>;
  /** Blocks held here in id order, after `after`, at most `limit` (10 000). For repair and collection. */
  listBlocks(after?: BlockId, limit?: number): Promise<readonly BlockEntry[]>;
  /** Re-reads copies held here; damaged ones go to quarantine and are fetched anew. Answers the ids that were damaged. */
  verifyBlocks(ids: readonly BlockId[]): Promise<readonly BlockId[]>;
  /** Removes copies held here; ids that are not held are passed over. Answers how many went. */
  dropBlocks(ids: readonly BlockId[]): Promise<number>;
  /** Repair: makes one more copy. @throws RingfoldError `block-missing`, `disk-full`, `peer-unreachable` */
  copyBlock(request: CopyRequest): Promise<Stored>;
  /**
   * Stores a bundle, a plan, a manifest on its holders.
   * @throws RingfoldError `too-large` above 64 MiB, `disk-full`, `no-nodes`
   */
  putSmall(bytes: Uint8Array, copies: Copies): Promise<Stored>;
  /** From here or any holder; cached. @throws RingfoldError `block-missing`, `too-large` above 64 MiB */
  getSmall(id: BlockId): Promise<Uint8Array>;

  /**
   * Input blocks for a map task: hard links, or verified scratch copies from other nodes.
   * @throws RingfoldError `block-missing`
   */
  stageBlocks(request: StageRequest): Promise<readonly StagedBlock[]>;
  /** Takes a finished map output over from the task host's `out` folder, to be served to reducers. */
  adoptMapOutput(
    output: MapOutputId & { readonly file: string },
  ): Promise<{ readonly bytes: Bytes }>;
  /** Gathers one partition's segments. Sources that fail are listed as lost, not thrown. May be called again for later ones. */
  fetchSegments(request: FetchRequest): Promise<Fetched>;
  /** A reduce output as blocks on their holders and a manifest. The ledger gives it its name. */
  storeOutput(request: OutputRequest): Promise<StoredFile>;
  /** Ends what runs for the job and forgets its shuffle files. Idempotent. */
  dropJob(job: JobId): Promise<void>;

  /** Ends everything; what was acknowledged stays. */
  close(): Promise<void>;
}

/** Where data listens, told once at start. */
export interface DataReady {
  /** HOST:PORT for other nodes' bulk streams. */
  readonly bulk: string;
  /** http://HOST:PORT for bodies, with capabilities only (capability.ts). */
  readonly http: string;
  readonly pid: number;
}

/** Settings with their defaults in data-settings; the tests make them small. */
export interface DataSettings {
  /** Aim for a block's size; default 4 MiB. */
  readonly blockBytes: Bytes;
  /** Longest wait for a peer's first byte before another copy is asked; default 1500. */
  readonly firstByte: Millis;
  /** Longest time without progress on a stream; default 10 000. */
  readonly stall: Millis;
  /** How long a slow or broken peer is asked last; default 10 000. */
  readonly avoid: Millis;
  /**
   * Of one file, the blocks beyond so many bytes are written around the page cache; default 256 MiB. A smaller file is likely
   * to be read soon by a job, and then comes from memory; a larger one would push everything else out, and filling the cache
   * costs more than all else in a put: 2.7 CPU-s per GiB where a hypervisor has to give the memory first, against 0.1.
   */
  readonly warmBytes: Bytes;
  /** Bytes a second for copyBlock; default 200 MB/s. */
  readonly repairRate: Bytes;
}
