/**
 * The plan of one stage of a job: how its input is cut into map tasks, how many reduce tasks it
 * has, and its limits. A pure function of the request, so that every node that plans the same job
 * gets the same bytes. Dean and Ghemawat, "MapReduce" (2004), section 3.1 (splits) and 3.5 (task
 * granularity).
 *
 * L1  Every block of the input is in exactly one map task, blocks of a file in order. Tested.
 * L2  A file that is split by `file` is whole in one task. Tested.
 * L3  The same request gives the same plan; the order of map tasks is the order of the files given.
 *     Tested.
 */
import { RingfoldError } from "../base/errors.ts";
import type { BlockId, Bytes, FileName, JobId, Millis } from "../base/ids.ts";

/** One block of a file, as its manifest lists it. */
export interface SourceBlock {
  readonly id: BlockId;
  readonly length: Bytes;
  /** Offset of its first byte in the file. */
  readonly offset: Bytes;
  /**
   * True where the next block begins in the middle of a record: a line longer than a block, or a
   * file cut by bytes.
   */
  readonly continues?: boolean;
  /** Where its first copy is, in any words: blocks of one home may share a task. */
  readonly home?: string;
}

export interface SourceFile {
  readonly name: FileName;
  readonly manifestBlocks: readonly SourceBlock[];
}

/**
 * `file`: all blocks of a file go to one task (a record is a whole file); `block`: each block
 * stands alone.
 */
export type JobSource =
  | {
      readonly kind: "blocks";
      readonly split?: "block" | "file";
      readonly files: readonly SourceFile[];
    }
  | { readonly kind: "range"; readonly count: number };

/** A block in a map task's input. */
export interface InputPiece {
  readonly file: FileName;
  readonly block: BlockId;
  /** The block's place in the file, from 0. */
  readonly index: number;
  readonly offset: Bytes;
  readonly length: Bytes;
}

export type MapTaskInput =
  | { readonly kind: "blocks"; readonly pieces: readonly InputPiece[] }
  | { readonly kind: "range"; readonly index: number; readonly count: number };

/** What map task `i` reads; `i` is its place in {@link JobPlan.maps}. */
export interface MapTaskSpec {
  readonly input: MapTaskInput;
  /** Of the input; 0 for a range. */
  readonly bytes: Bytes;
}

export interface JobLimits {
  /** Longest time without any progress of a task. */
  readonly taskTimeout: Millis;
  readonly taskMemory: Bytes;
  /** Scratch and output of one task. */
  readonly taskDisk: Bytes;
  readonly sortMemory: Bytes;
  /** Attempts of a task that fails on its own before the job fails. */
  readonly maxAttempts: number;
}

export const DEFAULT_LIMITS: JobLimits = {
  taskTimeout: 10_000,
  taskMemory: 512 * 1024 * 1024,
  taskDisk: 16 * 1024 * 1024 * 1024,
  sortMemory: 64 * 1024 * 1024,
  maxAttempts: 4,
};

/**
 * Stored as a block at submit; everything that the scheduler and the workers need to know about the
 * work.
 */
export interface JobPlan {
  readonly version: 1;
  readonly id: JobId;
  readonly name: string;
  /** Name of the stage in the bundle. */
  readonly stage: string;
  readonly maps: readonly MapTaskSpec[];
  /** Reduce tasks; 0 for a map-only stage, whose map tasks write the output parts. */
  readonly partitions: number;
  /** Copies of each output part. */
  readonly replicas: number | "all";
  /** Parts are named `OUTPUT/part-00000` … */
  readonly output: FileName;
  readonly limits: JobLimits;
}

export interface PlanRequest {
  readonly id: JobId;
  readonly name: string;
  readonly stage: string;
  readonly source: JobSource;
  /** Tasks that the cluster runs at once; left out: each block is a task. */
  readonly slots?: number;
  /** How many reduce tasks; left out: chosen from the size of the input. */
  readonly reducers?: number;
  /** False for a map-only stage. A stage that ends with `combine` has a shuffle too. */
  readonly hasReduce: boolean;
  readonly replicas: number | "all";
  readonly output: FileName;
  readonly limits?: Partial<JobLimits>;
}

const KIB = 1024;
const MIB = 1024 * KIB;
/** Blocks below this are worth putting together … */
const SMALL_BLOCK: Bytes = 256 * KIB;
/**
 * … when there are more of them than this: below it a task each costs less than the lost
 * parallelism.
 */
const MANY_SMALL = 64;
/**
 * Small blocks are put together up to this, less where fewer than {@link GROUPS} tasks would
 * result.
 */
const GROUP_BYTES: Bytes = 4 * MIB;
const GROUPS = 32;
/** A grouped task stages this many files at most. */
const GROUP_PIECES = 512;
/** A shuffled job over much data puts blocks together to have this many map tasks a slot … */
const TASKS_PER_SLOT = 8;
/** … of at most so many bytes: what a lost task costs is bounded. */
const LARGE_TASK: Bytes = 16 * MIB;
const BYTES_PER_REDUCER: Bytes = 64 * MIB;
const DEFAULT_MAX_REDUCERS = 64;
/** A reduce order lists every map task: bounds the size of one order. */
export const MAX_REDUCERS = 1024;
export const MAX_MAPS = 100_000;

/**
 * Cuts the input into tasks.
 * @throws RingfoldError `too-large` for a file whose lines do not fit its blocks, or for more than
 * {@link MAX_MAPS} tasks; `bad-option` for a count out of range
 */
export function planJob(request: PlanRequest): JobPlan {
  const limits = checkedLimits({ ...DEFAULT_LIMITS, ...request.limits });
  const maps = mapTasks(request);
  if (maps.length > MAX_MAPS) {
    throw new RingfoldError(
      "too-large",
      `the input makes ${maps.length} tasks, more than ${MAX_MAPS}: use larger blocks`,
    );
  }
  const bytes = maps.reduce((sum, map) => sum + map.bytes, 0);
  return {
    version: 1,
    id: request.id,
    name: request.name,
    stage: request.stage,
    maps,
    partitions: request.hasReduce ? reducers(request.reducers, bytes) : 0,
    replicas: request.replicas,
    output: request.output,
    limits,
  };
}

/** The name of an output part: reduce task, or map task of a map-only stage. */
export const partName = (plan: Pick<JobPlan, "output">, task: number): FileName =>
  `${plan.output}/part-${String(task).padStart(5, "0")}` as FileName;

function checkedLimits(limits: JobLimits): JobLimits {
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RingfoldError("bad-option", `${name} must be a whole number above 0, not ${value}`);
    }
  }
  return limits;
}

function reducers(wanted: number | undefined, bytes: Bytes): number {
  if (wanted === undefined) {
    return Math.min(DEFAULT_MAX_REDUCERS, Math.max(1, Math.ceil(bytes / BYTES_PER_REDUCER)));
  }
  if (!Number.isSafeInteger(wanted) || wanted < 1 || wanted > MAX_REDUCERS) {
    throw new RingfoldError("bad-option", `reducers must be 1 to ${MAX_REDUCERS}, not ${wanted}`);
  }
  return wanted;
}

/**
 * Never empty: an input without a byte still has one task, so that the job has its (empty) output.
 */
function mapTasks({ source, slots, hasReduce }: PlanRequest): readonly MapTaskSpec[] {
  if (source.kind === "range") return rangeTasks(source.count);
  const split = source.split ?? "block";
  const total = source.files.reduce((sum, file) => sum + sizeOf(piecesOf(file)), 0);
  // The parts of a map-only job are its tasks' outputs: they stay in the order of the input.
  const share = hasReduce && slots !== undefined ? total / (slots * TASKS_PER_SLOT) : 0;
  const items = source.files.flatMap((file) =>
    split === "file" ? [piecesOf(file)] : together(file, Math.min(share, LARGE_TASK)),
  );
  const specs = grouped(items.filter((pieces) => pieces.length > 0));
  return specs.length > 0 ? specs : [spec([])];
}

function rangeTasks(count: number): readonly MapTaskSpec[] {
  if (!Number.isSafeInteger(count) || count < 1 || count > MAX_MAPS) {
    throw new RingfoldError("bad-option", `a range has 1 to ${MAX_MAPS} tasks, not ${count}`);
  }
  return Array.from({ length: count }, (_, index) => ({
    input: { kind: "range", index, count },
    bytes: 0,
  }));
}

const piecesOf = (file: SourceFile): InputPiece[] =>
  file.manifestBlocks
    .map(({ id, length, offset }, index) => ({
      file: file.name,
      block: id,
      index,
      offset,
      length,
    }))
    .filter((piece) => piece.length > 0);

function blocksAlone(file: SourceFile): InputPiece[] {
  const cut = file.manifestBlocks.find((block) => block.continues === true);
  if (cut !== undefined) {
    throw new RingfoldError(
      "too-large",
      `${file.name} has a line that does not end in the block at byte ${cut.offset}: ` +
        "it was stored as bytes, or the line is longer than a block. Put it again with larger blocks",
    );
  }
  return piecesOf(file);
}

/**
 * Blocks of one home that make a task of about `limit` bytes. A task costs the same to start,
 * to sort and to hand over whatever its size, and one with more text meets fewer new words.
 */
function together(file: SourceFile, limit: Bytes): InputPiece[][] {
  const groups: InputPiece[][] = [];
  const open = new Map<string | undefined, { readonly group: InputPiece[]; bytes: Bytes }>();
  for (const piece of blocksAlone(file)) {
    const home = file.manifestBlocks[piece.index]?.home;
    let into = open.get(home);
    if (into === undefined || into.bytes + piece.length > limit) {
      into = { group: [], bytes: 0 };
      groups.push(into.group);
      open.set(home, into);
    }
    into.group.push(piece);
    into.bytes += piece.length;
  }
  return groups;
}

const sizeOf = (pieces: readonly InputPiece[]): Bytes =>
  pieces.reduce((sum, piece) => sum + piece.length, 0);

const spec = (pieces: readonly InputPiece[]): MapTaskSpec => ({
  input: { kind: "blocks", pieces },
  bytes: sizeOf(pieces),
});

/**
 * Puts neighbours together when there are many small ones; a large one stays alone and ends a
 * group.
 */
function grouped(items: readonly (readonly InputPiece[])[]): MapTaskSpec[] {
  const small = items.filter((pieces) => sizeOf(pieces) < SMALL_BLOCK);
  if (small.length <= MANY_SMALL) return items.map(spec);
  const total = small.reduce((sum, pieces) => sum + sizeOf(pieces), 0);
  const limit = Math.min(GROUP_BYTES, Math.max(SMALL_BLOCK, Math.ceil(total / GROUPS)));
  const specs: MapTaskSpec[] = [];
  let group: InputPiece[] = [];
  let bytes = 0;
  const close = (): void => {
    if (group.length > 0) specs.push(spec(group));
    group = [];
    bytes = 0;
  };
  for (const pieces of items) {
    const size = sizeOf(pieces);
    const full = bytes + size > limit || group.length + pieces.length > GROUP_PIECES;
    if (size >= SMALL_BLOCK || full) close();
    if (size >= SMALL_BLOCK) specs.push(spec(pieces));
    else {
      group.push(...pieces);
      bytes += size;
    }
  }
  close();
  return specs;
}
