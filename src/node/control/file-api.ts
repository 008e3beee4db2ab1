/** Files as the public API shows them: names from the catalog, copies as the nodes count them now. */
import { mapLimited } from "../../base/concurrency.ts";
import { RingfoldError } from "../../base/errors.ts";
import type { BlockId, FileName, Millis, NodeId } from "../../base/ids.ts";
import { blockOffsets } from "../../blocks/manifest.ts";
import type { FileRecord, FileVersion } from "../../catalog/records.ts";
import type { BlockRow, FileList, FileQuery, FileStat, Removed } from "../../contract/file-stat.ts";
import { type ControlMethods, MAX_INVENTORY } from "../../wire/control.ts";
import type { CommitFile, DataPort } from "../data/data-port.ts";
import type { Transport } from "../transport/transport.ts";
import type { CatalogAccess } from "./catalog-access.ts";
import { readManifest } from "./submit.ts";
import type { ViewHolder } from "./view-holder.ts";
import { addressOf } from "./watch-driver.ts";

const PAGE = 1000;
const ASK_DEADLINE: Millis = 3000;

export interface FileParts {
  readonly self: NodeId;
  readonly catalog: CatalogAccess;
  readonly data: DataPort;
  readonly transport: Transport<ControlMethods>;
  readonly view: ViewHolder;
}

export class FileApi {
  readonly #parts: FileParts;

  constructor(parts: FileParts) {
    this.#parts = parts;
  }

  async list({ glob, after, limit }: FileQuery): Promise<FileList> {
    const page = await this.#parts.catalog.query({
      type: "files",
      glob,
      after,
      limit: limit ?? PAGE,
    });
    return {
      files: page.files.map((file) => statOf(file.name, file.versions[0])),
      next: (page.next as FileName | undefined) ?? null,
    };
  }

  /** @throws RingfoldError `no-such-file` */
  async current(name: FileName): Promise<FileVersion> {
    const { file } = await this.#parts.catalog.query({ type: "file", name });
    if (file === undefined) throw missing(name);
    return file.versions[0];
  }

  async stat(name: FileName, withHolders: boolean): Promise<FileStat> {
    const version = await this.current(name);
    const manifest = await readManifest(this.#parts.data, version);
    const ids = [...new Set([version.manifest, ...manifest.blocks.map((block) => block.id)])];
    const holders = await this.#holdersOf(ids);
    const counts = ids.map((id) => holders.get(id)?.length ?? 0);
    const offsets = blockOffsets(manifest);
    const { cut } = manifest;
    return {
      ...statOf(name, version),
      ...(typeof cut === "string" && { cut }),
      copies: { min: Math.min(...counts), max: Math.max(...counts) },
      ...(withHolders && {
        blockRows: manifest.blocks.map(({ id, length }, index) => ({
          id,
          offset: offsets[index] ?? 0,
          bytes: length,
          holders: holders.get(id) ?? [],
        })),
      }),
    };
  }

  async remove(name: FileName): Promise<Removed> {
    const { version } = await this.#parts.catalog.propose({ type: "file-remove", name });
    return { name, version };
  }

  /** What the data process stored gets its name. */
  async commit(file: CommitFile): Promise<FileStat> {
    const { file: version } = await this.#parts.catalog.propose({
      type: "file-put",
      name: file.name,
      expected: file.expected,
      content: {
        manifest: file.manifest,
        manifestBytes: file.manifestBytes,
        bytes: file.bytes,
        blocks: file.blocks,
        replicas: file.copies,
        contentType: file.contentType,
      },
    });
    const warning = file.warnings.join(" ");
    return {
      ...statOf(file.name, version),
      cut: file.cut,
      ...(warning !== "" && { warning }),
    };
  }

  /** Who of the live nodes has which block, by asking each. */
  async #holdersOf(ids: readonly BlockId[]): Promise<Map<BlockId, BlockRow["holders"][number][]>> {
    const { self, data, transport, view } = this.#parts;
    const holders = new Map(ids.map((id) => [id, [] as BlockRow["holders"][number][]]));
    const live = view.members.members.filter((member) => member.state !== "down");
    await mapLimited(live, 16, async ({ id: node, name }) => {
      const to = addressOf(view, node);
      for (let from = 0; from < ids.length; from += MAX_INVENTORY) {
        const part = ids.slice(from, from + MAX_INVENTORY);
        const lacks =
          node === self || to === undefined
            ? await data.inventory(part)
            : await transport
                .request(to, "inventory", part, { deadline: ASK_DEADLINE })
                .catch(() => part);
        const without = new Set(lacks);
        for (const id of part)
          if (!without.has(id)) holders.get(id)?.push({ node, name, live: true });
      }
    });
    return holders;
  }
}

const missing = (name: FileName): RingfoldError =>
  new RingfoldError("no-such-file", `there is no file "${name}" in the cluster`);

const statOf = (name: FileRecord["name"], version: FileVersion): FileStat => ({
  name,
  version: version.version,
  bytes: version.bytes,
  blocks: version.blocks,
  replicas: version.replicas,
  manifest: version.manifest,
  createdAt: version.at,
  contentType: version.contentType,
});
