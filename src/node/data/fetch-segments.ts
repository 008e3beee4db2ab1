/**
 * Gathers one partition's segments for a reduce task into one file: from this node's map outputs and from peers, all
 * peers at once, many segments in one request (3-engine.md, shuffle).
 *
 * G1: every segment that is listed as fetched has the CRC-32 that its map task told. Tested.
 * G2: every source asked for is either fetched or lost, never both, never thrown. Tested.
 * G3: memory is bounded by one piece per peer. By pieces written as they arrive.
 */
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { errorNote, RingfoldError } from "../../base/errors.ts";
import type { Bytes, JobId, NodeId } from "../../base/ids.ts";
import { MAX_SEGMENTS } from "../../wire/bulk.ts";
import type {
  Fetched,
  FetchedSegment,
  FetchRequest,
  LostSegment,
  SegmentSource,
} from "./data-port.ts";
import type { Disk, DiskFile } from "./disk.ts";
import type { Peers } from "./peers.ts";
import type { ShuffleStore } from "./shuffle-store.ts";

const PIECE_BYTES: Bytes = 1024 * 1024;

export interface FetchParts {
  readonly disk: Disk;
  readonly shuffle: ShuffleStore;
  readonly peers: Peers;
}

/** A source with its place in the fetched file. */
interface Slot {
  readonly source: SegmentSource;
  readonly at: Bytes;
}

interface Round {
  readonly parts: FetchParts;
  readonly job: JobId;
  readonly partition: number;
  readonly file: DiskFile;
  readonly signal: AbortSignal;
  readonly segments: FetchedSegment[];
  readonly lost: LostSegment[];
}

/**
 * @param name of the new file in the request's folder
 * @throws RingfoldError `disk-full`, `disk-failed` of the folder, `cancelled`; trouble of a source is listed instead
 */
export async function fetchSegments(
  parts: FetchParts,
  request: FetchRequest,
  name: string,
  signal: AbortSignal,
): Promise<Fetched> {
  const path = join(request.dir, name);
  const { byNode, bytes } = layOut(request.sources);
  const file = await parts.disk.create(path);
  const { job, partition } = request;
  const round: Round = { parts, job, partition, file, signal, segments: [], lost: [] };
  try {
    const nodes = [...byNode].map(([node, slots]) => fetchFrom(round, node, slots));
    await allEnded(nodes);
  } finally {
    await file.close();
  }
  const { segments, lost } = round;
  const remote = request.sources.filter((source) => source.node !== parts.peers.self);
  const gone = new Set(lost.map(({ task, attempt }) => `${task}.${attempt}`));
  const remoteBytes = remote
    .filter(({ task, attempt }) => !gone.has(`${task}.${attempt}`))
    .reduce((sum, { length }) => sum + length, 0);
  return { file: path, segments, lost, bytes, remoteBytes };
}

/** All of one node's segments lie together, so that a stream's bytes are written as they come. */
function layOut(sources: readonly SegmentSource[]): {
  readonly byNode: ReadonlyMap<NodeId, readonly Slot[]>;
  readonly bytes: Bytes;
} {
  const byNode = new Map<NodeId, Slot[]>();
  for (const source of sources) {
    const slots = byNode.get(source.node) ?? [];
    slots.push({ source, at: 0 });
    byNode.set(source.node, slots);
  }
  let at = 0;
  for (const [node, slots] of byNode) {
    const placed = slots.map(({ source }) => {
      const slot = { source, at };
      at += source.length;
      return slot;
    });
    byNode.set(node, placed);
  }
  return { byNode, bytes: at };
}

/** Waits for all even when one fails, so that nobody writes into a closed file; then throws the first trouble. */
async function allEnded(promises: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) {
    if (result.status === "rejected") throw result.reason;
  }
}

function fetchFrom(round: Round, node: NodeId, slots: readonly Slot[]): Promise<void> {
  return node === round.parts.peers.self ? fetchHere(round, slots) : fetchThere(round, node, slots);
}

async function fetchHere(round: Round, slots: readonly Slot[]): Promise<void> {
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (const slot of slots) {
    round.signal.throwIfAborted();
    const opened = await round.parts.shuffle.open({ job: round.job, ...slot.source });
    if (opened === undefined) {
      lose(round, slot, new RingfoldError("block-missing", "this node has no such map output"));
      continue;
    }
    try {
      judge(round, slot, await copyHere(round, opened, slot, piece));
    } finally {
      await opened.close();
    }
  }
}

/** Copies a stretch and answers its CRC, or undefined when the file is too short. */
async function copyHere(
  round: Round,
  from: DiskFile,
  { source, at }: Slot,
  piece: Buffer,
): Promise<number | undefined> {
  let crc = 0;
  for (let done = 0; done < source.length; ) {
    const part = piece.subarray(0, Math.min(PIECE_BYTES, source.length - done));
    if ((await from.read(part, source.offset + done)) !== part.length) return undefined;
    crc = crc32(part, crc);
    await round.file.write([part], at + done);
    done += part.length;
  }
  return crc;
}

async function fetchThere(round: Round, node: NodeId, slots: readonly Slot[]): Promise<void> {
  for (let i = 0; i < slots.length; i += MAX_SEGMENTS) {
    const group = slots.slice(i, i + MAX_SEGMENTS);
    const left = await fetchGroup(round, node, group);
    // A connection can break without the node being gone: what is left is asked for once more.
    if (left.open.length > 0) {
      const { open, error } = await fetchGroup(round, node, left.open);
      for (const slot of open) lose(round, slot, error);
    }
  }
}

interface Left {
  readonly open: readonly Slot[];
  readonly error: unknown;
}

/** One request; answers what the broken exchange left open. */
async function fetchGroup(round: Round, node: NodeId, slots: readonly Slot[]): Promise<Left> {
  round.signal.throwIfAborted();
  const arrival = new Arrival(round, slots);
  const { job, partition } = round;
  const segments = slots.map(({ source }) => {
    const { task, attempt, offset, length } = source;
    return { task, attempt, offset, length };
  });
  try {
    await round.parts.peers.getSegments(node, { job, partition, segments }, arrival, round.signal);
    await arrival.finish();
    return {
      open: arrival.open(),
      error: new RingfoldError("protocol", `${node} sent too little`),
    };
  } catch (error) {
    round.signal.throwIfAborted();
    const ours = error instanceof RingfoldError && error.code.startsWith("disk-");
    if (ours) throw error;
    await arrival.finish();
    return { open: arrival.open(), error };
  }
}

/** Segments as they come in one stream, back to back. */
class Arrival {
  readonly #round: Round;
  readonly #slots: readonly Slot[];
  #coming: readonly Slot[] = [];
  #index = 0;
  #done: Bytes = 0;
  #crc = 0;
  #pieces: Uint8Array[] = [];
  #held: Bytes = 0;
  #start: Bytes | undefined;
  #answered = false;

  constructor(round: Round, slots: readonly Slot[]) {
    this.#round = round;
    this.#slots = slots;
  }

  onThere(there: readonly boolean[]): void {
    this.#answered = true;
    this.#coming = this.#slots.filter((_, i) => there[i] === true);
    for (const [i, slot] of this.#slots.entries()) {
      if (there[i] === true) continue;
      lose(
        this.#round,
        slot,
        new RingfoldError("block-missing", "the node has no such map output"),
      );
    }
    this.#passEmpty();
  }

  async onPiece(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      const slot = this.#coming[this.#index];
      if (slot === undefined) throw new RingfoldError("protocol", "more bytes than segments");
      const take = Math.min(piece.length - at, slot.source.length - this.#done);
      const part = piece.subarray(at, at + take);
      await this.#keep(part, slot.at + this.#done);
      this.#crc = crc32(part, this.#crc);
      this.#done += take;
      at += take;
      if (this.#done === slot.source.length) this.#pass(slot);
      this.#passEmpty();
    }
  }

  /** Writes what is held. */
  async finish(): Promise<void> {
    const [pieces, start] = [this.#pieces, this.#start];
    this.#pieces = [];
    this.#held = 0;
    this.#start = undefined;
    if (start !== undefined) await this.#round.file.write(pieces, start);
  }

  /** What neither came nor is known to be lost. */
  open(): readonly Slot[] {
    return this.#answered ? this.#coming.slice(this.#index) : this.#slots;
  }

  /** Neighbours in the file are written together. */
  async #keep(part: Uint8Array, at: Bytes): Promise<void> {
    if (this.#start !== undefined && this.#start + this.#held !== at) await this.finish();
    this.#start ??= at;
    this.#pieces.push(part);
    this.#held += part.length;
    if (this.#held >= PIECE_BYTES) await this.finish();
  }

  #passEmpty(): void {
    for (let slot = this.#coming[this.#index]; slot?.source.length === 0; ) {
      this.#pass(slot);
      slot = this.#coming[this.#index];
    }
  }

  #pass(slot: Slot): void {
    judge(this.#round, slot, this.#crc);
    this.#index++;
    this.#done = 0;
    this.#crc = 0;
  }
}

/** The segment is fetched if its CRC fits, else lost (G1, G2). */
function judge(round: Round, slot: Slot, crc: number | undefined): void {
  const { task, attempt, length, crc: told } = slot.source;
  if (crc === told) round.segments.push({ task, attempt, offset: slot.at, length });
  else lose(round, slot, new RingfoldError("block-corrupt", "its bytes do not have its CRC"));
}

function lose(round: Round, { source }: Slot, error: unknown): void {
  const { task, attempt, node } = source;
  const { code, message } = errorNote(error);
  const why = `map task ${task}, attempt ${attempt}, node ${node.slice(0, 8)}: ${message}`;
  round.lost.push({ task, attempt, node, code, why });
}
