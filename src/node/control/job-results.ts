/**
 * The final answer of a job that has a `result`: computed from the committed outputs in a task host when it is first asked
 * for, and remembered. The outputs stay; the answer can always be computed again.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RingfoldError } from "../../base/errors.ts";
import type { JobId } from "../../base/ids.ts";
import { blockOffsets } from "../../blocks/manifest.ts";
import type { JobRecord } from "../../catalog/records.ts";
import type { Catalog } from "../catalog/catalog-port.ts";
import type { DataPort } from "../data/data-port.ts";
import type { HostPool } from "../hosts/host-pool.ts";
import type { InputBlock, JobDescription } from "../hosts/task-order.ts";
import { readManifest } from "./submit.ts";

const BUNDLE = "job.mjs";
/** Answers that are remembered. */
const KEPT = 100;

export interface ResultParts {
  readonly catalog: Catalog;
  readonly data: DataPort;
  readonly describe: (bundle: JobRecord["bundle"]) => Promise<JobDescription>;
  /** A pool of one host for this alone. */
  readonly pool: () => HostPool;
}

export class JobResults {
  readonly #parts: ResultParts;
  readonly #known = new Map<JobId, Promise<string | null>>();

  constructor(parts: ResultParts) {
    this.#parts = parts;
  }

  /** What `result` returned; null for a job without one or that is not done. @throws RingfoldError `job-threw` … */
  of(record: JobRecord): Promise<string | null> {
    if (record.state !== "done") return Promise.resolve(null);
    const known = this.#known.get(record.id);
    if (known !== undefined) return known;
    const asked = this.#compute(record);
    this.#known.set(record.id, asked);
    asked.catch(() => this.#known.delete(record.id));
    for (const old of this.#known.keys()) {
      if (this.#known.size <= KEPT) break;
      this.#known.delete(old);
    }
    return asked;
  }

  async #compute(record: JobRecord): Promise<string | null> {
    const { describe, pool, data } = this.#parts;
    if (!(await describe(record.bundle)).result) return null;
    const hosts = pool();
    try {
      const host = await hosts.lease();
      await writeFile(join(host.paths.in, BUNDLE), await data.getSmall(record.bundle));
      const { id, name, params } = record;
      const answer = await host.run({
        type: "result",
        job: { id, name, bundle: BUNDLE, params, seed: id },
        blocks: await this.#outputs(record, host.paths.in),
      });
      if (answer.type === "failed") throw new RingfoldError(answer.code, answer.message);
      return answer.text;
    } finally {
      await hosts.close();
    }
  }

  /** The blocks of all parts, in order, in the host's folder. */
  async #outputs(record: JobRecord, dir: string): Promise<InputBlock[]> {
    const { catalog, data } = this.#parts;
    const blocks: InputBlock[] = [];
    for (const name of record.files) {
      const { file } = await catalog.query({ type: "file", name });
      if (file === undefined) throw new RingfoldError("no-such-file", `"${name}" was removed`);
      const manifest = await readManifest(data, file.versions[0]);
      const offsets = blockOffsets(manifest);
      for (const [index, { id, length }] of manifest.blocks.entries()) {
        const offset = offsets[index] ?? 0;
        blocks.push({ file: id, id, bytes: length, fileName: name, index, offset });
      }
    }
    const ids = [...new Set(manifestIds(blocks))];
    await data.stageBlocks({ job: record.id, dir, blocks: ids });
    return blocks;
  }
}

const manifestIds = (blocks: readonly InputBlock[]) =>
  blocks.map((block) => block.id as Parameters<DataPort["inventory"]>[0][number]);
