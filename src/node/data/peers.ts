/**
 * The other nodes' data processes as this one sees them: where they are, whom to ask first, and the requests of
 * src/wire/bulk.ts. A peer that failed or was slow is asked last for a while; that is an opinion about speed, and
 * decides nothing about membership.
 *
 * P1: every call ends: an answer within `firstByte` of a read and progress within `stall`, or an error. By the timer and
 *     the transport's T3.
 * P2: bytes of a block are hashed before they are handed on (D2). Tested.
 * P3: what is under way with a node fails as soon as the cluster takes the node for dead. Tested.
 */
import { RingfoldError } from "../../base/errors.ts";
import { blockIdOf } from "../../base/hash.ts";
import type { BlockId, Bytes, Millis, NodeId } from "../../base/ids.ts";
import { MAX_BLOCK_BYTES } from "../../blocks/manifest.ts";
import { type Copies, holders } from "../../ring/holders.ts";
import { EMPTY_LIST, isLive, type Member, memberById } from "../../ring/member.ts";
import { EMPTY_TABLE } from "../../ring/partition-table.ts";
import {
  type BulkRequest,
  type BulkRequestOf,
  blockAnswerSchema,
  segmentsAnswerSchema,
  storedAnswerSchema,
} from "../../wire/bulk.ts";
import { checked } from "../../wire/cbor.ts";
import type { BulkStream, BulkTransport } from "../transport/transport.ts";
import { ByteBudget } from "./byte-budget.ts";
import type { DataEvent, DataSettings, DataView } from "./data-port.ts";

export interface PeersOptions {
  readonly self: NodeId;
  readonly transport: BulkTransport;
  readonly settings: DataSettings;
  readonly onEvent: (event: DataEvent) => void;
}

/** Streams to one peer at once; more wait their turn. Under the transport's own limit of 64, which refuses. */
const MAX_STREAMS = 32;

/** Codes that speak of the peer or the way to it, not of what was asked. */
const PEER_TROUBLE: ReadonlySet<string> = new Set([
  "peer-unreachable",
  "deadline",
  "protocol",
  "overloaded",
  "not-a-member",
  "version-mismatch",
]);

export interface PutOptions {
  readonly signal?: AbortSignal | undefined;
  /** Kept out of the page cache. */
  readonly cold?: boolean;
}

export interface GetOptions {
  readonly signal?: AbortSignal | undefined;
  /** Waits for the first byte as long as for any other progress. */
  readonly patient?: boolean;
}

export class Peers {
  readonly self: NodeId;
  readonly #transport: BulkTransport;
  readonly #settings: DataSettings;
  readonly #onEvent: (event: DataEvent) => void;
  readonly #avoided = new Map<NodeId, Millis>();
  readonly #streams = new Map<NodeId, ByteBudget>();
  /** What is under way with each node. */
  readonly #open = new Map<NodeId, Set<AbortController>>();
  #view: DataView = { members: EMPTY_LIST, table: EMPTY_TABLE };

  constructor(options: PeersOptions) {
    this.self = options.self;
    this.#transport = options.transport;
    this.#settings = options.settings;
    this.#onEvent = options.onEvent;
  }

  /** Older views are ignored; the transport drops peers that are no members any more. */
  setView(view: DataView): void {
    const { members, table } = this.#view;
    if (view.members.epoch < members.epoch || view.table.version < table.version) return;
    for (const member of view.members.members) {
      const known = memberById(members, member.id);
      if (known?.incarnation !== member.incarnation) this.#avoided.delete(member.id);
      if (member.state === "down" && known?.state !== "down") this.#giveUp(member.id);
    }
    this.#view = view;
    this.#transport.recheck();
  }

  /** Nobody waits on for a node that the cluster takes for dead. */
  #giveUp(node: NodeId): void {
    const why = new RingfoldError("peer-unreachable", `node ${node} is down`);
    for (const exchange of this.#open.get(node) ?? []) exchange.abort(why);
  }

  /** Whether the transport may talk with the node. */
  isMember(id: NodeId): boolean {
    return memberById(this.#view.members, id) !== undefined;
  }

  /** Hosts that may keep a block, best first: its holders that are up, then who would take over for them. */
  keepers(id: BlockId): NodeId[] {
    return this.#ranked(this.#holders(id, "all", (member) => member.state === "up"));
  }

  /** Other nodes that may have the block, best first: holders, then whoever keeps blocks, then the rest. */
  sources(id: BlockId): NodeId[] {
    const live = this.#view.members.members.filter(isLive).map((member) => member.id);
    const named = this.#holders(id, "all", isLive);
    const rest = live.filter((node) => !named.includes(node));
    return this.#ranked([...named, ...rest]).filter((node) => node !== this.self);
  }

  /** How many copies are meant by `copies` among hosts that are up. */
  wanted(id: BlockId, copies: Copies): number {
    return copies === "all" ? this.keepers(id).length : copies;
  }

  /** Sends a block; resolves when the peer has it synced. @throws RingfoldError `disk-full`, `peer-unreachable`, … */
  putBlock(to: NodeId, id: BlockId, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    const { signal, cold = false } = options;
    const request = { v: 1, type: "put-block", id, length: bytes.length, cold } as const;
    // No limit but progress: a large block may take its time on a slow link or disk.
    return this.#exchange(to, request, undefined, signal, async (stream) => {
      const answer = stream.response();
      // A refusal, such as a full disk, comes while we still write: do not wait for the writing then.
      await Promise.race([stream.write(bytes).then(() => stream.end()), answer]);
      checked(storedAnswerSchema, await answer, "the answer to put-block");
    });
  }

  /** A peer's copy, hashed. @throws RingfoldError `block-missing`, `block-corrupt`, `deadline`, `peer-unreachable`, … */
  getBlock(from: NodeId, id: BlockId, options: GetOptions = {}): Promise<Uint8Array> {
    const { firstByte, stall } = this.#settings;
    const patience = options.patient === true ? stall : firstByte;
    const request = { v: 1, type: "get-block", id } as const;
    return this.#exchange(from, request, patience, options.signal, async (stream, began) => {
      await stream.end();
      const length = lengthOf(await stream.response());
      began();
      const bytes = await stream.readExactly(length);
      if (blockIdOf(bytes) === id) return bytes;
      throw new RingfoldError("block-corrupt", `block ${id}: the copy of node ${from} is damaged`);
    });
  }

  /**
   * Segments in the order asked: `onThere` is told which ones follow, then `onPiece` gets their bytes.
   * @throws RingfoldError when the exchange broke; what was handed on before stands
   */
  getSegments(
    from: NodeId,
    request: Omit<BulkRequestOf<"get-segments">, "v" | "type">,
    sink: SegmentSink,
    signal?: AbortSignal,
  ): Promise<void> {
    const header = { v: 1, type: "get-segments", ...request } as const;
    return this.#exchange(from, header, this.#settings.firstByte, signal, async (stream, began) => {
      await stream.end();
      const answer = await stream.response();
      const { there } = checked(segmentsAnswerSchema, answer, "the answer to get-segments");
      began();
      if (there.length !== request.segments.length) {
        throw new RingfoldError("protocol", `${from} answered for ${there.length} segments`);
      }
      sink.onThere(there);
      for await (const piece of stream) await sink.onPiece(piece);
    });
  }

  /** Remembers who failed, so that the next request goes elsewhere first. */
  #blame(node: NodeId, error: unknown): void {
    if (!(error instanceof RingfoldError) || !PEER_TROUBLE.has(error.code)) return;
    this.#avoided.set(node, performance.now() + this.#settings.avoid);
    this.#onEvent({ type: "slow-peer", node, why: `${error.code}: ${error.message}` });
  }

  isAvoided(node: NodeId): boolean {
    const until = this.#avoided.get(node);
    if (until === undefined) return false;
    if (until > performance.now()) return true;
    this.#avoided.delete(node);
    return false;
  }

  #ranked(nodes: readonly NodeId[]): NodeId[] {
    const good = nodes.filter((node) => !this.isAvoided(node));
    return good.length === nodes.length
      ? good
      : [...good, ...nodes.filter((node) => this.isAvoided(node))];
  }

  #holders(id: BlockId, copies: Copies, usable: (member: Member) => boolean): NodeId[] {
    const { table, members } = this.#view;
    return holders(table, members.members, id, copies, (node) => {
      const member = memberById(members, node);
      return member !== undefined && usable(member);
    });
  }

  /** One stream from its header to its end. `began()` ends the time for the first byte. */
  async #exchange<T>(
    node: NodeId,
    header: BulkRequest,
    firstByte: Millis | undefined,
    signal: AbortSignal | undefined,
    use: (stream: BulkStream, began: () => void) => Promise<T>,
  ): Promise<T> {
    const member = memberById(this.#view.members, node);
    if (member === undefined) {
      throw new RingfoldError("peer-unreachable", `node ${node} is not on the member list`);
    }
    const giveBack = await this.#slots(node).take(1);
    const late = this.#begin(node);
    const timer =
      firstByte === undefined ? undefined : setTimeout(() => late.abort(tooLate(node)), firstByte);
    const either = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
    try {
      const to = { node, address: member.addresses.bulk };
      const stream = await this.#transport.open(to, header, {
        deadline: this.#settings.stall,
        signal: either,
      });
      return await whole(stream, (open) => use(open, () => clearTimeout(timer)));
    } catch (error) {
      const told: unknown =
        late.signal.aborted && signal?.aborted !== true ? late.signal.reason : error;
      if (signal?.aborted !== true) this.#blame(node, told);
      throw told;
    } finally {
      clearTimeout(timer);
      this.#open.get(node)?.delete(late);
      giveBack();
    }
  }

  #begin(node: NodeId): AbortController {
    const exchange = new AbortController();
    const open = this.#open.get(node) ?? new Set();
    this.#open.set(node, open.add(exchange));
    return exchange;
  }

  #slots(node: NodeId): ByteBudget {
    const slots = this.#streams.get(node) ?? new ByteBudget(MAX_STREAMS);
    this.#streams.set(node, slots);
    return slots;
  }
}

function lengthOf(answer: unknown): Bytes {
  const { length } = checked(blockAnswerSchema, answer, "the answer to get-block");
  if (length <= MAX_BLOCK_BYTES) return length;
  throw new RingfoldError("protocol", `a peer offers a block of ${length} bytes`);
}

/** Where fetched segments go. */
export interface SegmentSink {
  onThere(there: readonly boolean[]): void;
  onPiece(piece: Uint8Array): Promise<void>;
}

/** Uses a stream and leaves its connection fit for the next, or broken. */
async function whole<T>(stream: BulkStream, use: (stream: BulkStream) => Promise<T>): Promise<T> {
  try {
    const value = await use(stream);
    stream.release();
    return value;
  } catch (error) {
    // An answered refusal leaves the connection in order; anything else may have left bytes on their way.
    if (error instanceof RingfoldError && !PEER_TROUBLE.has(error.code)) stream.release();
    else stream.abort();
    throw error;
  }
}

const tooLate = (node: NodeId): RingfoldError =>
  new RingfoldError("deadline", `node ${node} did not begin to answer in time`);
