/**
 * What this node's data process answers to the others: src/wire/bulk.ts, on streams of the bulk transport, which has
 * proved already that the caller is a member. Memory: a received block passes through in pieces; blocks and segments
 * that are sent come out of one byte budget (D5).
 */
import { RingfoldError, unreachable } from "../../base/errors.ts";
import { blockIdOf } from "../../base/hash.ts";
import type { BlockId, Bytes } from "../../base/ids.ts";
import {
  type BlockAnswer,
  type BulkRequestOf,
  bulkRequestSchema,
  type SegmentsAnswer,
  type StoredAnswer,
} from "../../wire/bulk.ts";
import { checked } from "../../wire/cbor.ts";
import type { BulkAnswer } from "../transport/transport.ts";
import { type AlignedPool, SLOT_BYTES } from "./aligned-pool.ts";
import type { BlockStore } from "./block-store.ts";
import { ByteBudget } from "./byte-budget.ts";
import type { DiskFile } from "./disk.ts";
import type { ShuffleStore } from "./shuffle-store.ts";

/** Blocks being sent may hold so much at once. */
const SEND_BYTES: Bytes = 64 * 1024 * 1024;
/** Segments are read and sent in pieces of this size, small ones together. */
const PIECE_BYTES: Bytes = 256 * 1024;

export class BulkServer {
  readonly #store: BlockStore;
  readonly #shuffle: ShuffleStore;
  readonly #pool: AlignedPool;
  readonly #budget = new ByteBudget(SEND_BYTES);

  constructor(store: BlockStore, shuffle: ShuffleStore, pool: AlignedPool) {
    this.#pool = pool;
    this.#store = store;
    this.#shuffle = shuffle;
  }

  /** Answers one stream. @throws RingfoldError `protocol`, `block-missing`, `block-corrupt`, `disk-full`, … */
  async serve(header: unknown, stream: BulkAnswer): Promise<void> {
    const request = checked(bulkRequestSchema, header, "the header of a bulk request");
    switch (request.type) {
      case "put-block":
        return this.#putBlock(request, stream);
      case "get-block":
        return this.#getBlock(request, stream);
      case "get-segments":
        return this.#getSegments(request, stream);
      default:
        return unreachable(request);
    }
  }

  async #putBlock(request: BulkRequestOf<"put-block">, stream: BulkAnswer): Promise<void> {
    const { id, length, cold } = request;
    const held = this.#store.has(id);
    const slot = !held && cold && length <= SLOT_BYTES ? this.#pool.takeSlot() : undefined;
    if (held) {
      for await (const _ of stream) continue;
    } else if (slot !== undefined) {
      await this.#putCold(id, slot.subarray(0, length), stream).finally(() =>
        this.#pool.give(slot),
      );
    } else {
      const writer = await this.#store.receive(id, length);
      try {
        for await (const piece of stream) await writer.write(piece);
      } catch (error) {
        await writer.abort();
        throw error;
      }
      await writer.commit();
    }
    await stream.respond({ v: 1, stored: true, held, length } satisfies StoredAnswer);
    await stream.end();
  }

  /** A whole block in a slot, that goes around the page cache. */
  async #putCold(id: BlockId, bytes: Buffer, stream: BulkAnswer): Promise<void> {
    await stream.readInto(bytes);
    if ((await stream.read()) !== undefined) {
      throw new RingfoldError(
        "protocol",
        `block ${id}: more bytes than the ${bytes.length} promised`,
      );
    }
    if (blockIdOf(bytes) !== id) {
      throw new RingfoldError("block-corrupt", `block ${id}: other bytes arrived`);
    }
    await this.#store.put(id, bytes, true);
  }

  async #getBlock({ id }: BulkRequestOf<"get-block">, stream: BulkAnswer): Promise<void> {
    const release = await this.#budget.take(this.#store.size(id) ?? 0);
    try {
      const bytes = await this.#store.read(id);
      await stream.respond({ v: 1, length: bytes.length } satisfies BlockAnswer);
      await stream.write(bytes);
      await stream.end();
    } finally {
      release();
    }
  }

  async #getSegments(request: BulkRequestOf<"get-segments">, stream: BulkAnswer): Promise<void> {
    const { job, segments } = request;
    const there = segments.map((segment) => {
      const size = this.#shuffle.size({ job, ...segment });
      return size !== undefined && size >= segment.offset + segment.length;
    });
    await stream.respond({ v: 1, there } satisfies SegmentsAnswer);
    const sender = new PieceSender(stream);
    for (const [index, segment] of segments.entries()) {
      if (there[index] !== true) continue;
      const file = await this.#shuffle.open({ job, ...segment });
      if (file === undefined) throw vanished(segment.task);
      try {
        await sender.send(file, segment);
      } finally {
        await file.close();
      }
    }
    await sender.flush();
    await stream.end();
  }
}

/** Gathers small stretches of many files into pieces worth a write. */
class PieceSender {
  readonly #stream: BulkAnswer;
  #piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #fill = 0;

  constructor(stream: BulkAnswer) {
    this.#stream = stream;
  }

  async send(file: DiskFile, { offset, length, task }: Stretch): Promise<void> {
    for (let done = 0; done < length; ) {
      const take = Math.min(length - done, PIECE_BYTES - this.#fill);
      const target = this.#piece.subarray(this.#fill, this.#fill + take);
      if ((await file.read(target, offset + done)) !== take) throw vanished(task);
      this.#fill += take;
      done += take;
      if (this.#fill === PIECE_BYTES) await this.flush();
    }
  }

  async flush(): Promise<void> {
    if (this.#fill === 0) return;
    // The stream may keep the chunk after write() resolved, so each piece has a buffer of its own.
    const piece = this.#piece.subarray(0, this.#fill);
    this.#piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    this.#fill = 0;
    await this.#stream.write(piece);
  }
}

interface Stretch {
  readonly task: number;
  readonly offset: Bytes;
  readonly length: Bytes;
}

const vanished = (task: number): RingfoldError =>
  new RingfoldError("block-missing", `the output of map task ${task} went while it was read`);
