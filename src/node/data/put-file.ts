/**
 * A stream of bytes as blocks on their holders and a manifest (2-protocols.md, Blocks). The reader of the stream waits
 * for room in the window, so memory does not grow with the file (D5).
 *
 * F1: the manifest is stored after every block of it is (D3). By order of steps; tested with a failing last block.
 * F2: when it ends, well or not, nothing of it is still running. Tested.
 */
import { blockIdOf } from "../../base/hash.ts";
import type { Bytes } from "../../base/ids.ts";
import { BlockCutter, type CutBlock } from "../../blocks/cut.ts";
import { type ManifestBlock, manifestOf } from "../../blocks/manifest.ts";
import type { AlignedPool } from "./aligned-pool.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { Copies, DataSettings, FileCut, StoredFile } from "./data-port.ts";
import { encodeManifest } from "./manifest-block.ts";
import { type Placed, type PlaceParts, placeBlock } from "./place-block.ts";

/** A small block counts as this much of the window, so that small blocks do not take hundreds of streams at once. */
const SMALLEST_SHARE: Bytes = 2 * 1024 * 1024;

export interface PutParts extends PlaceParts {
  /** Bytes of blocks under way in all puts of this process. */
  readonly window: ByteBudget;
  readonly pool: AlignedPool;
  readonly settings: DataSettings;
}

export interface PutRequest {
  readonly copies: Copies;
  readonly cut: FileCut;
  readonly blockSize: Bytes;
  readonly contentType: string;
  readonly signal: AbortSignal;
}

/**
 * Stores all bytes of the source.
 * @throws RingfoldError `disk-full`, `no-nodes`, `peer-unreachable`, `cancelled`, and whatever the source throws
 */
export async function putFile(
  parts: PutParts,
  source: AsyncIterable<Uint8Array>,
  request: PutRequest,
): Promise<StoredFile> {
  const put = new FilePut(parts, request);
  try {
    for await (const chunk of source) await put.push(chunk);
    return await put.finish();
  } finally {
    await put.settle();
  }
}

/** One file under way. */
class FilePut {
  readonly #parts: PutParts;
  readonly #request: PutRequest;
  readonly #cutter: BlockCutter;
  readonly #blocks: ManifestBlock[] = [];
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #bytes: Bytes = 0;
  /** Blocks with fewer copies than asked, and the fewest of them. */
  #short = 0;
  #fewest = Number.POSITIVE_INFINITY;

  constructor(parts: PutParts, request: PutRequest) {
    this.#parts = parts;
    this.#request = request;
    const { cut, blockSize } = request;
    this.#cutter = new BlockCutter({ cut, blockSize, pool: parts.pool });
  }

  async push(chunk: Uint8Array): Promise<void> {
    await this.#storeAll(this.#cutter.push(chunk));
  }

  async finish(): Promise<StoredFile> {
    await this.#storeAll(this.#cutter.end());
    await this.#ended();
    this.#check();
    const { cut, contentType, copies, signal } = this.#request;
    const manifest = manifestOf(this.#blocks, cut, contentType);
    const bytes = encodeManifest(manifest);
    const placed = await placeBlock(this.#parts, blockIdOf(bytes), bytes, copies, { signal });
    this.#count(placed);
    const { length, blocks } = manifest;
    return {
      manifest: placed.id,
      manifestBytes: placed.bytes,
      bytes: length,
      blocks: blocks.length,
      warnings: this.#warnings(),
    };
  }

  /** Waits for what is under way and gives every buffer back; never throws (F2). */
  async settle(): Promise<void> {
    this.#cutter.discard();
    await this.#ended();
  }

  async #ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #storeAll(blocks: readonly CutBlock[]): Promise<void> {
    for (const [index, block] of blocks.entries()) {
      try {
        this.#check();
        await this.#store(block);
      } catch (error) {
        for (const unused of blocks.slice(index)) unused.release();
        throw error;
      }
    }
  }

  /** Waits for room, then lets the block go its way. */
  async #store(block: CutBlock): Promise<void> {
    const share = Math.max(block.bytes.length, SMALLEST_SHARE);
    const giveBack = await this.#parts.window.take(share);
    const id = blockIdOf(block.bytes);
    const { length } = block.bytes;
    this.#blocks.push(block.continues ? { id, length, continues: true } : { id, length });
    this.#bytes += length;
    const running = this.#place(id, block, this.#bytes > this.#parts.settings.warmBytes).finally(
      () => {
        block.release();
        giveBack();
        this.#running.delete(running);
      },
    );
    this.#running.add(running);
  }

  async #place(id: ManifestBlock["id"], block: CutBlock, cold: boolean): Promise<void> {
    try {
      const { copies, signal } = this.#request;
      this.#count(await placeBlock(this.#parts, id, block.bytes, copies, { signal, cold }));
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  #count({ short, nodes }: Placed): void {
    if (short === 0) return;
    this.#short++;
    this.#fewest = Math.min(this.#fewest, nodes.length);
  }

  #warnings(): string[] {
    if (this.#short === 0) return [];
    const copies = this.#fewest === 1 ? "1 copy" : `${this.#fewest} copies`;
    return [`only ${copies} instead of ${this.#request.copies}: too few nodes could store more`];
  }

  #check(): void {
    this.#request.signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
