/**
 * The data side of a node in one object: its blocks, its shuffle files, its bulk port and its HTTP port for bodies. The data
 * process is this and a channel (data-main.ts); with `--processes 1` control holds it directly. The promises D1 to D5 are
 * those of data-port.ts.
 */
import { RingfoldError } from "../../base/errors.ts";
import { blockIdOf } from "../../base/hash.ts";
import type { BlockId, Bytes, JobId, NodeId } from "../../base/ids.ts";
import type { BulkTransport } from "../transport/transport.ts";
import { AlignedPool } from "./aligned-pool.ts";
import { BlockStore } from "./block-store.ts";
import { BodyServer, MAX_SMALL_BYTES } from "./body-server.ts";
import { BulkServer } from "./bulk-server.ts";
import { ByteBudget } from "./byte-budget.ts";
import type {
  BlockEntry,
  Copies,
  CopyRequest,
  DataCallbacks,
  DataEvent,
  DataPort,
  DataReady,
  DataSettings,
  DataStats,
  DataView,
  Fetched,
  FetchRequest,
  MapOutputId,
  OutputRequest,
  StagedBlock,
  StageRequest,
  Stored,
  StoredFile,
} from "./data-port.ts";
import { type Disk, realDisk } from "./disk.ts";
import { fetchSegments } from "./fetch-segments.ts";
import { FileBodies } from "./file-bodies.ts";
import { JobScopes } from "./job-scopes.ts";
import { Peers } from "./peers.ts";
import { type Placed, placeBlock } from "./place-block.ts";
import { putFile } from "./put-file.ts";
import { fetchBlock, readBlock } from "./read-block.ts";
import { readWhole } from "./read-whole.ts";
import { RepairPace } from "./repair-pace.ts";
import { ShuffleStore } from "./shuffle-store.ts";
import { SmallCache } from "./small-cache.ts";
import { stageBlocks } from "./stage-blocks.ts";

export const DEFAULT_SETTINGS: DataSettings = {
  blockBytes: 4 * 1024 * 1024,
  firstByte: 1500,
  stall: 10_000,
  avoid: 10_000,
  warmBytes: 256 * 1024 * 1024,
  repairRate: 200_000_000,
};

/** Bytes of blocks under way in all puts together: 8 blocks of 4 MiB. */
const WINDOW_BYTES: Bytes = 32 * 1024 * 1024;
/** Free buffers kept of each size that has no slots. */
const KEPT_BUFFERS = 2;
const CACHE_BYTES: Bytes = 16 * 1024 * 1024;
const MAX_LISTED = 10_000;

export interface DataServiceOptions {
  /** The node's data directory. */
  readonly dir: string;
  readonly self: NodeId;
  /** Closed with the service. */
  readonly transport: BulkTransport;
  readonly callbacks: DataCallbacks;
  readonly http: { readonly host: string; readonly port: number };
  /** Of the links to bodies (capability.ts). */
  readonly secret: Uint8Array;
  /** Map outputs on disk still count: the data process came back while the node ran on. */
  readonly keepShuffle?: boolean;
  readonly settings?: Partial<DataSettings>;
  readonly disk?: Disk;
}

interface ServiceParts {
  readonly options: DataServiceOptions;
  readonly settings: DataSettings;
  readonly disk: Disk;
  readonly store: BlockStore;
  readonly shuffle: ShuffleStore;
  readonly peers: Peers;
  readonly window: ByteBudget;
  readonly pool: AlignedPool;
  readonly onEvent: (event: DataEvent) => void;
}

export class DataService implements DataPort {
  readonly #parts: ServiceParts;
  readonly #cache = new SmallCache(CACHE_BYTES);
  readonly #jobs = new JobScopes();
  readonly #pace: RepairPace;
  readonly #healing = new Map<BlockId, Promise<void>>();
  #server: BodyServer | undefined;
  #fetched = 0;
  #closed = false;

  private constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#pace = new RepairPace(parts.settings.repairRate);
  }

  /** Reads the index, then serves. @throws RingfoldError `disk-failed`, `port-in-use`, `listen-address` */
  static async start(options: DataServiceOptions): Promise<DataService> {
    const settings = { ...DEFAULT_SETTINGS, ...options.settings };
    const disk = options.disk ?? realDisk;
    const onEvent = (event: DataEvent): void => void options.callbacks.event(event).catch(() => {});
    const onQuarantine = (block: BlockId, reason: string): void => {
      onEvent({ type: "quarantined", block, reason });
      // Nothing is read, so nothing found damaged, before the service is there.
      void service.heal(block);
    };
    const store = await BlockStore.open({ dir: options.dir, disk, onQuarantine });
    const shuffle = await ShuffleStore.open(disk, options.dir, options.keepShuffle ?? false);
    const { self, transport } = options;
    const peers = new Peers({ self, transport, settings, onEvent });
    const window = new ByteBudget(WINDOW_BYTES);
    const pool = new AlignedPool(KEPT_BUFFERS);
    const parts = { options, settings, disk, store, shuffle, peers, window, pool, onEvent };
    const service = new DataService(parts);
    await service.#listen();
    return service;
  }

  /** Where it listens. */
  get ready(): DataReady {
    const bulk = this.#parts.options.transport.address;
    return { bulk, http: this.#server?.url ?? "", pid: process.pid };
  }

  /** Whether the node is on the member list. */
  knows(node: NodeId): boolean {
    return this.#parts.peers.isMember(node);
  }

  async setView(view: DataView): Promise<void> {
    this.#parts.peers.setView(view);
  }

  async stats(): Promise<DataStats> {
    const { store, shuffle } = this.#parts;
    return {
      blocks: store.count,
      bytes: store.bytes,
      free: await store.free(),
      rss: process.memoryUsage.rss(),
      quarantined: store.quarantined,
      shuffleBytes: shuffle.bytes,
    };
  }

  async inventory(ids: readonly BlockId[]): Promise<readonly BlockId[]> {
    return ids.filter((id) => !this.#parts.store.has(id));
  }

  async listBlocks(after?: BlockId, limit = MAX_LISTED): Promise<readonly BlockEntry[]> {
    const { store } = this.#parts;
    const ids = after === undefined ? store.ids() : store.ids().filter((id) => id > after);
    return ids.slice(0, limit).map((id) => ({ id, bytes: store.size(id) ?? 0 }));
  }

  async verifyBlocks(ids: readonly BlockId[]): Promise<readonly BlockId[]> {
    const damaged: BlockId[] = [];
    for (const id of ids) {
      if (!this.#parts.store.has(id) || (await this.#parts.store.verify(id))) continue;
      damaged.push(id);
      await this.heal(id);
    }
    return damaged;
  }

  dropBlocks(ids: readonly BlockId[]): Promise<number> {
    return this.#parts.store.drop(ids);
  }

  async copyBlock(request: CopyRequest): Promise<Stored> {
    const { store, peers } = this.#parts;
    const { block } = request;
    if ("to" in request) {
      const bytes = await store.read(block);
      await this.#pace.wait(bytes.length);
      await peers.putBlock(request.to, block, bytes);
      return { id: block, bytes: bytes.length, nodes: [request.to] };
    }
    const held = store.size(block);
    if (held !== undefined) return { id: block, bytes: held, nodes: [peers.self] };
    const bytes = await (request.from === "any"
      ? fetchBlock(peers, block)
      : peers.getBlock(request.from, block));
    await this.#pace.wait(bytes.length);
    await store.put(block, bytes);
    return { id: block, bytes: bytes.length, nodes: [peers.self] };
  }

  async putSmall(bytes: Uint8Array, copies: Copies): Promise<Stored> {
    if (bytes.length > MAX_SMALL_BYTES) {
      throw new RingfoldError("too-large", `${bytes.length} bytes, at most ${MAX_SMALL_BYTES}`);
    }
    const { short: _, ...stored } = await this.#place(blockIdOf(bytes), bytes, copies);
    return stored;
  }

  async getSmall(id: BlockId): Promise<Uint8Array> {
    const known = this.#cache.get(id);
    if (known !== undefined) return known;
    const bytes = await readBlock(this.#parts, id);
    if (bytes.length > MAX_SMALL_BYTES) {
      throw new RingfoldError("too-large", `block ${id} has ${bytes.length} bytes`);
    }
    this.#cache.set(id, bytes);
    return bytes;
  }

  stageBlocks(request: StageRequest): Promise<readonly StagedBlock[]> {
    return this.#jobs.run(request.job, (signal) => stageBlocks(this.#parts, request, signal));
  }

  async adoptMapOutput(output: MapOutputId & { readonly file: string }): Promise<{ bytes: Bytes }> {
    return { bytes: await this.#parts.shuffle.adopt(output, output.file) };
  }

  fetchSegments(request: FetchRequest): Promise<Fetched> {
    const name = `segments-${request.partition}-${this.#fetched++}`;
    return this.#jobs.run(request.job, (signal) =>
      fetchSegments(this.#parts, request, name, signal),
    );
  }

  storeOutput(request: OutputRequest): Promise<StoredFile> {
    const store = (signal: AbortSignal): Promise<StoredFile> =>
      putFile(this.#parts, readWhole(this.#parts.disk, request.file), {
        copies: request.copies,
        cut: request.cut,
        blockSize: this.#parts.settings.blockBytes,
        contentType: request.contentType ?? "text/plain; charset=utf-8",
        signal,
      });
    return request.job === undefined
      ? store(new AbortController().signal)
      : this.#jobs.run(request.job, store);
  }

  async dropJob(job: JobId): Promise<void> {
    this.#jobs.drop(job);
    await this.#parts.shuffle.dropJob(job);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#jobs.dropAll();
    await this.#server?.close();
    await this.#parts.options.transport.close();
    await Promise.all(this.#healing.values());
  }

  /** Replaces a damaged copy of this node by a sound one from elsewhere; never throws. */
  heal(block: BlockId): Promise<void> {
    const running = this.#healing.get(block);
    if (running !== undefined) return running;
    const healing = this.#refetch(block).finally(() => this.#healing.delete(block));
    this.#healing.set(block, healing);
    return healing;
  }

  async #refetch(block: BlockId): Promise<void> {
    const { peers, store, onEvent } = this.#parts;
    if (this.#closed) return;
    try {
      await store.put(block, await fetchBlock(peers, block));
      onEvent({ type: "refetched", block });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      onEvent({ type: "not-healed", block, why: message });
    }
  }

  #place(id: BlockId, bytes: Uint8Array, copies: Copies): Promise<Placed> {
    return placeBlock(this.#parts, id, bytes, copies);
  }

  async #listen(): Promise<void> {
    const { options, store, shuffle, pool } = this.#parts;
    const bulk = new BulkServer(store, shuffle, pool);
    options.transport.handleStream((header, stream) => bulk.serve(header, stream));
    const bodies = new FileBodies(this.#parts, options.callbacks, (bytes) =>
      this.putSmall(bytes, 2),
    );
    this.#server = await BodyServer.listen(bodies, { ...options.http, secret: options.secret });
  }
}
