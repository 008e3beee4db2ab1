/**
 * The blocks of one node: DATA/blocks/ab/<hash>, raw content under its own SHA-256.
 *
 * B1: a file under blocks/ab/ is whole and synced before it has its name (temporary name, fdatasync, rename), and the
 *     name is synced before the write is acknowledged or the block is listed. By order of steps; tested with crashes.
 * B2: bytes that are read fit their name; a copy that does not goes to quarantine/ and out of the index. Tested.
 * B3: two writers of one block never see each other's half: own temporary names, and equal bytes. Tested.
 * B4: no path is ever made from text that is not a block id. By type and parser; tested.
 * B5: a failed write leaves nothing behind and no promise. Tested with injected faults.
 */
import { createHash, type Hash } from "node:crypto";
import { join } from "node:path";
import { RingfoldError } from "../../base/errors.ts";
import { blockIdOf } from "../../base/hash.ts";
import { type BlockId, type Bytes, blockId } from "../../base/ids.ts";
import { MAX_BLOCK_BYTES } from "../../blocks/manifest.ts";
import { wholePages } from "./aligned-pool.ts";
import { BlockWriter } from "./block-writer.ts";
import { DirSync } from "./dir-sync.ts";
import type { Disk } from "./disk.ts";
import { Space } from "./space.ts";

export interface BlockStoreOptions {
  /** The node's data directory; blocks/ and quarantine/ are made in it. */
  readonly dir: string;
  readonly disk: Disk;
  readonly onQuarantine?: (block: BlockId, reason: string) => void;
}

export class BlockStore {
  readonly #disk: Disk;
  readonly #blocks: string;
  readonly #quarantine: string;
  readonly #index = new Map<BlockId, Bytes>();
  /** Blocks written around the page cache by this process: read so too, since the cache has not got them. */
  readonly #cold = new Set<BlockId>();
  readonly #sync: DirSync;
  readonly #space: Space;
  readonly #onQuarantine: (block: BlockId, reason: string) => void;
  #bytes: Bytes = 0;
  #temporary = 0;
  #quarantined = 0;

  private constructor(options: BlockStoreOptions) {
    this.#disk = options.disk;
    this.#blocks = join(options.dir, "blocks");
    this.#quarantine = join(options.dir, "quarantine");
    this.#sync = new DirSync(options.disk);
    this.#space = new Space(options.disk, options.dir);
    this.#onQuarantine = options.onQuarantine ?? (() => {});
  }

  /** Makes the folders, drops what a crash left over and reads the index. @throws RingfoldError `disk-failed` */
  static async open(options: BlockStoreOptions): Promise<BlockStore> {
    const store = new BlockStore(options);
    await store.#prepare();
    return store;
  }

  get count(): number {
    return this.#index.size;
  }

  get bytes(): Bytes {
    return this.#bytes;
  }

  get quarantined(): number {
    return this.#quarantined;
  }

  has(id: BlockId): boolean {
    return this.#index.has(id);
  }

  /** Whether {@link readCold} is the way to read it. */
  isCold(id: BlockId): boolean {
    return this.#cold.has(id);
  }

  /** Undefined when the block is not held. */
  size(id: BlockId): Bytes | undefined {
    return this.#index.get(id);
  }

  /** Ids held, in order. */
  ids(): BlockId[] {
    return [...this.#index.keys()].sort();
  }

  /** Bytes that blocks may still take, the reserve taken off. */
  free(): Promise<Bytes> {
    return this.#space.free();
  }

  /**
   * Stores a whole block, synced. Holding it already is fine.
   * @param bytes must hash to `id` (asserted by callers that made the id from them)
   * @param cold nobody is likely to read it soon: written around the page cache, if the bytes are a slot of an AlignedPool
   * @throws RingfoldError `disk-full`, `disk-failed`
   */
  async put(id: BlockId, bytes: Uint8Array, cold = false): Promise<void> {
    if (this.has(id)) return;
    const pages = cold ? wholePages(bytes) : undefined;
    if (pages !== undefined && (await this.#putDirect(id, pages, bytes.length))) return;
    const writer = await this.#writer(id, bytes.length, undefined);
    await writer.whole(bytes);
  }

  /**
   * A writer for a block that arrives in pieces; it hashes what it is given.
   * @throws RingfoldError `too-large`, `disk-full`, `disk-failed`
   */
  receive(id: BlockId, length: Bytes): Promise<BlockWriter> {
    return this.#writer(id, length, createHash("sha256"));
  }

  /**
   * The block's bytes, checked (B2).
   * @throws RingfoldError `block-missing`, `block-corrupt`, `disk-failed`
   */
  async read(id: BlockId): Promise<Uint8Array> {
    const length = this.#index.get(id);
    if (length === undefined) throw missing(id);
    return this.#sound(id, await this.#readCached(id, length));
  }

  /**
   * As {@link read}, into a slot, if the block was written around the page cache; undefined: read it the ordinary way.
   * @param slot of an AlignedPool; the answer is its beginning
   */
  async readCold(id: BlockId, slot: Buffer): Promise<Uint8Array | undefined> {
    const length = this.#index.get(id);
    if (length === undefined || !this.#cold.has(id)) return undefined;
    const pages = wholePages(slot.subarray(0, length));
    if (pages === undefined) return undefined;
    const read = await this.#disk.readDirect(this.#path(id), pages);
    if (read === undefined) return undefined;
    return this.#sound(id, read === length ? slot.subarray(0, length) : undefined);
  }

  /** The block's bytes, or undefined when there are fewer than there should be. */
  async #readCached(id: BlockId, length: Bytes): Promise<Uint8Array | undefined> {
    const file = await this.#disk.open(this.#path(id));
    if (file === undefined) {
      this.#forget(id);
      throw missing(id);
    }
    try {
      const bytes = Buffer.allocUnsafeSlow(length);
      return (await file.read(bytes, 0)) === length ? bytes : undefined;
    } finally {
      await file.close();
    }
  }

  /** The bytes if they have their hash (B2). */
  async #sound(id: BlockId, bytes: Uint8Array | undefined): Promise<Uint8Array> {
    if (bytes !== undefined && blockIdOf(bytes) === id) return bytes;
    await this.#setAside(id, "its bytes do not have its hash");
    throw new RingfoldError("block-corrupt", `block ${id}: the copy on this node is damaged`);
  }

  /** Whether the copy held here is sound; a damaged one goes to quarantine. */
  async verify(id: BlockId): Promise<boolean> {
    try {
      await this.read(id);
      return true;
    } catch (error) {
      if (error instanceof RingfoldError && error.code !== "disk-failed") return false;
      throw error;
    }
  }

  /**
   * Gives the block a second name in a task's folder. Not hashed here: whoever reads it does.
   * @throws RingfoldError `block-missing`, `disk-failed`
   */
  async link(id: BlockId, path: string): Promise<Bytes> {
    const length = this.#index.get(id);
    if (length === undefined) throw missing(id);
    await this.#disk.link(this.#path(id), path);
    return length;
  }

  /** Removes copies; ids that are not held are passed over. */
  async drop(ids: readonly BlockId[]): Promise<number> {
    let dropped = 0;
    for (const id of ids) {
      if (!this.#forget(id)) continue;
      await this.#disk.remove(this.#path(id));
      dropped++;
    }
    return dropped;
  }

  /** B1 in one go, around the page cache. False: the file system cannot. */
  async #putDirect(id: BlockId, pages: Buffer, length: Bytes): Promise<boolean> {
    const claim = await this.#space.claim(length);
    const path = this.#temporaryPath(id);
    try {
      if (!(await this.#disk.writeDirect(path, pages, length))) return false;
      await this.#keep(id, length, path);
      this.#cold.add(id);
      return true;
    } catch (error) {
      await this.#disk.remove(path).catch(() => {});
      throw error;
    } finally {
      claim.release();
    }
  }

  async #writer(id: BlockId, length: Bytes, hash: Hash | undefined): Promise<BlockWriter> {
    if (length > MAX_BLOCK_BYTES) {
      throw new RingfoldError(
        "too-large",
        `a block of ${length} bytes, at most ${MAX_BLOCK_BYTES}`,
      );
    }
    const claim = await this.#space.claim(length);
    const path = this.#temporaryPath(id);
    try {
      const file = await this.#disk.create(path);
      const keep = (): Promise<void> => this.#keep(id, length, path);
      return new BlockWriter({
        id,
        length,
        hash,
        file,
        claim,
        keep,
        drop: () => this.#disk.remove(path),
      });
    } catch (error) {
      claim.release();
      throw error;
    }
  }

  /** The last steps of B1: the synced temporary file gets its name, the name is synced, the index learns it. */
  async #keep(id: BlockId, length: Bytes, temporary: string): Promise<void> {
    const path = this.#path(id);
    await this.#disk.rename(temporary, path);
    await this.#sync.ofFile(path);
    if (!this.#index.has(id)) this.#bytes += length;
    this.#index.set(id, length);
  }

  #path(id: BlockId): string {
    return join(this.#blocks, id.slice(0, 2), id);
  }

  #temporaryPath(id: BlockId): string {
    return join(this.#blocks, "tmp", `${this.#temporary++}.${id}`);
  }

  #forget(id: BlockId): boolean {
    const length = this.#index.get(id);
    if (length === undefined) return false;
    this.#index.delete(id);
    this.#cold.delete(id);
    this.#bytes -= length;
    return true;
  }

  async #setAside(id: BlockId, reason: string): Promise<void> {
    if (!this.#forget(id)) return;
    this.#quarantined++;
    await this.#disk.move(this.#path(id), join(this.#quarantine, id));
    this.#onQuarantine(id, reason);
  }

  async #prepare(): Promise<void> {
    await this.#disk.makeDir(this.#quarantine);
    await this.#disk.remove(join(this.#blocks, "tmp"));
    await this.#disk.makeDir(join(this.#blocks, "tmp"));
    const prefixes = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
    await Promise.all(prefixes.map((prefix) => this.#disk.makeDir(join(this.#blocks, prefix))));
    await this.#sync.of(this.#blocks);
    await Promise.all(prefixes.map((prefix) => this.#scan(prefix)));
    this.#quarantined = (await this.#disk.list(this.#quarantine)).length;
  }

  /** A crash may have come between a rename and its directory sync: names that we list are synced first (B1). */
  async #scan(prefix: string): Promise<void> {
    const dir = join(this.#blocks, prefix);
    const names = await this.#disk.list(dir);
    if (names.length > 0) await this.#sync.of(dir);
    for (const name of names) {
      const id = parsedId(name, prefix);
      const length = id === undefined ? undefined : await this.#disk.size(join(dir, name));
      if (id === undefined || length === undefined) continue;
      this.#index.set(id, length);
      this.#bytes += length;
    }
  }
}

const missing = (id: BlockId): RingfoldError =>
  new RingfoldError("block-missing", `block ${id} is not on this node`);

function parsedId(name: string, prefix: string): BlockId | undefined {
  if (!name.startsWith(prefix)) return undefined;
  try {
    return blockId(name);
  } catch {
    return undefined;
  }
}
