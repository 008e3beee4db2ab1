/** Some data services in one process, joined by a transport, for tests of what they do together. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { present } from "../../src/base/errors.ts";
import { type BlockId, type NodeId, nodeId } from "../../src/base/ids.ts";
import type { FileStat } from "../../src/contract/file-stat.ts";
import { type BodyRequest, bodyLink } from "../../src/node/data/capability.ts";
import type {
  CommitFile,
  DataEvent,
  DataSettings,
  DataView,
} from "../../src/node/data/data-port.ts";
import { DataService } from "../../src/node/data/data-service.ts";
import { realDisk } from "../../src/node/data/disk.ts";
import type { BulkTransport } from "../../src/node/transport/transport.ts";
import { type Member, type MemberState, memberList } from "../../src/ring/member.ts";
import { claimPartitions } from "../../src/ring/partition-table.ts";
import { positionOf } from "../../src/ring/position.ts";
import { FaultyDisk } from "./block-store-faulty-disk.ts";

/** Patience short enough for tests of silent peers. */
const SETTINGS: Partial<DataSettings> = { blockBytes: 64 * 1024, firstByte: 300, stall: 2000 };
export const SECRET = Buffer.alloc(32, 3);

export interface TestNode {
  readonly id: NodeId;
  readonly dir: string;
  readonly disk: FaultyDisk;
  readonly service: DataService;
  readonly events: DataEvent[];
  readonly commits: CommitFile[];
}

/** A node's id that starts with its letter, a to f. */
export const idOf = (letter: string): NodeId =>
  nodeId(letter + createHash("sha256").update(letter).digest("hex").slice(1));

export class DataCluster {
  readonly nodes: TestNode[] = [];
  readonly #root: string;
  readonly #settings: Partial<DataSettings>;
  readonly #states = new Map<NodeId, MemberState>();
  #epoch = 0;

  private constructor(root: string, settings: Partial<DataSettings>) {
    this.#root = root;
    this.#settings = { ...SETTINGS, ...settings };
  }

  static async start(
    count: number,
    transportOf: (id: NodeId, cluster: DataCluster) => Promise<BulkTransport>,
    settings: Partial<DataSettings> = {},
  ): Promise<DataCluster> {
    const cluster = new DataCluster(await mkdtemp(join(tmpdir(), "ringfold-data-")), settings);
    for (const letter of "abcdef".slice(0, count)) await cluster.#add(letter, transportOf);
    await cluster.pushView();
    return cluster;
  }

  node(letter: string): TestNode {
    return present(
      this.nodes.find((node) => node.id.startsWith(letter)),
      "a node of the cluster",
    );
  }

  /** A new folder for a task. */
  async folder(name: string): Promise<string> {
    const dir = join(this.#root, name);
    await mkdir(dir);
    return dir;
  }

  /** The member list after a change of one node's state. */
  async setState(node: TestNode, state: MemberState): Promise<void> {
    this.#states.set(node.id, state);
    await this.pushView();
  }

  async pushView(): Promise<void> {
    const view = this.view();
    for (const { service } of this.nodes) await service.setView(view);
  }

  view(): DataView {
    const members = this.nodes.map(({ id, service }, index): Member => {
      return {
        id,
        name: id.slice(0, 1),
        zone: "z",
        weight: 1,
        slots: 1,
        position: positionOf(id),
        addresses: { control: "127.0.0.1:1", bulk: service.ready.bulk, http: "127.0.0.1:1" },
        incarnation: index + 1,
        state: this.#states.get(id) ?? "up",
        since: 0,
      };
    });
    this.#epoch++;
    const table = claimPartitions(undefined, members, { partitions: 64 });
    return { members: memberList(this.#epoch, members), table };
  }

  /** Nodes that hold a copy, as letters. */
  async holders(id: BlockId): Promise<string> {
    const letters: string[] = [];
    for (const node of this.nodes) {
      const missing = await node.service.inventory([id]);
      if (missing.length === 0) letters.push(node.id.slice(0, 1));
    }
    return letters.join("");
  }

  async stop(): Promise<void> {
    for (const { service } of this.nodes) await service.close();
    await rm(this.#root, { recursive: true, force: true });
  }

  async #add(
    letter: string,
    transportOf: (id: NodeId, cluster: DataCluster) => Promise<BulkTransport>,
  ): Promise<void> {
    const id = idOf(letter);
    const dir = join(this.#root, letter);
    const events: DataEvent[] = [];
    const commits: CommitFile[] = [];
    const disk = new FaultyDisk(realDisk);
    const service = await DataService.start({
      dir,
      self: id,
      transport: await transportOf(id, this),
      callbacks: {
        commitFile: async (file) => {
          commits.push(file);
          return statOf(file);
        },
        event: async (event) => void events.push(event),
      },
      http: { host: "127.0.0.1", port: 0 },
      secret: SECRET,
      settings: this.#settings,
      disk,
    });
    this.nodes.push({ id, dir, disk, service, events, commits });
  }
}

/** What control would answer to a commit. */
function statOf(file: CommitFile): FileStat {
  return {
    name: file.name,
    version: 1,
    bytes: file.bytes,
    blocks: file.blocks,
    cut: file.cut,
    replicas: file.copies,
    copies: { min: 1, max: 1 },
    manifest: file.manifest,
    createdAt: 0,
    contentType: file.contentType,
    ...(file.warnings.length > 0 ? { warning: file.warnings.join("; ") } : {}),
  };
}

/** A link to a node's HTTP port. */
export const linkTo = ({ service }: TestNode, request: BodyRequest): string =>
  bodyLink(service.ready.http, SECRET, request, Date.now());

export const contentLink = (
  node: TestNode,
  name: string,
  query: Record<string, string> = {},
): string => linkTo(node, { method: "PUT", path: `/content/${encodeURIComponent(name)}`, query });

/** A file's bytes through a node's HTTP port. */
export function getLink(node: TestNode, manifest: string): string {
  return linkTo(node, { method: "GET", path: "/content/x", query: { manifest } });
}
