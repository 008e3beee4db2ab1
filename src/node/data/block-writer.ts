/** One block on its way to the disk: the first steps of B1 (block-store.ts), in pieces, hashed as they come. */
import type { Hash } from "node:crypto";
import { assert, RingfoldError } from "../../base/errors.ts";
import type { BlockId, Bytes } from "../../base/ids.ts";
import type { DiskFile } from "./disk.ts";
import type { Claim } from "./space.ts";

/** Received pieces are written together from this size on. */
const WRITE_BYTES: Bytes = 1024 * 1024;

interface WriterParts {
  readonly id: BlockId;
  readonly length: Bytes;
  /** Undefined: the caller made the id from these bytes. */
  readonly hash: Hash | undefined;
  readonly file: DiskFile;
  readonly claim: Claim;
  readonly keep: () => Promise<void>;
  readonly drop: () => Promise<void>;
}

/** Ends with `commit` or `abort`; both leave no temporary file. */
export class BlockWriter {
  readonly #parts: WriterParts;
  #pieces: Uint8Array[] = [];
  #held: Bytes = 0;
  #written: Bytes = 0;
  /** At most one disk write is in flight while the next pieces arrive. */
  #writing: Promise<void> = Promise.resolve();
  #over = false;

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  /** @throws RingfoldError `protocol` beyond the promised length, `disk-full`, `disk-failed` */
  async write(piece: Uint8Array): Promise<void> {
    assert(!this.#over, "B5: no writes after the end");
    if (this.#written + this.#held + piece.length > this.#parts.length) throw this.#misfit("more");
    this.#parts.hash?.update(piece);
    this.#pieces.push(piece);
    this.#held += piece.length;
    if (this.#held >= WRITE_BYTES) await this.#flush();
  }

  /** Acknowledges: synced under its name. @throws RingfoldError `protocol`, `block-corrupt`, `disk-full`, `disk-failed` */
  async commit(): Promise<void> {
    try {
      if (this.#written + this.#held !== this.#parts.length) throw this.#misfit("fewer");
      if (this.#parts.hash !== undefined && this.#parts.hash.digest("hex") !== this.#parts.id) {
        throw new RingfoldError("block-corrupt", `block ${this.#parts.id}: other bytes arrived`);
      }
      await this.#flush();
      await this.#writing;
      await this.#parts.file.sync();
      await this.#close();
      await this.#parts.keep();
      this.#parts.claim.release();
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  /** All bytes at once, then {@link commit}. */
  async whole(bytes: Uint8Array): Promise<void> {
    this.#pieces = [bytes];
    this.#held = bytes.length;
    await this.commit();
  }

  /** Leaves nothing behind. Never throws: what cannot be removed is removed at the next start. */
  async abort(): Promise<void> {
    await this.#writing.catch(() => {});
    await this.#close().catch(() => {});
    await this.#parts.drop().catch(() => {});
    this.#parts.claim.release();
  }

  async #flush(): Promise<void> {
    const pieces = this.#pieces;
    this.#written += this.#held;
    this.#pieces = [];
    this.#held = 0;
    await this.#writing;
    if (pieces.length > 0) this.#writing = this.#parts.file.write(pieces);
    // The next flush, commit or abort awaits it; meanwhile a failure must not count as unhandled.
    this.#writing.catch(() => {});
  }

  async #close(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await this.#parts.file.close();
  }

  #misfit(than: string): RingfoldError {
    const { id, length } = this.#parts;
    return new RingfoldError("protocol", `block ${id}: ${than} bytes than the ${length} promised`);
  }
}
