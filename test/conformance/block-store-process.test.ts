import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { present } from "../../src/base/errors.ts";
import { blockId, jobId, ringId } from "../../src/base/ids.ts";
import { bodyLink } from "../../src/node/data/capability.ts";
import { type DataProcess, startDataProcess } from "../../src/node/data/data-client.ts";
import type { CommitFile, DataCallbacks, DataView } from "../../src/node/data/data-port.ts";
import type { DataStart } from "../../src/node/data/data-start.ts";
import { startData } from "../../src/node/data/start-data.ts";
import { type Identity, newIdentity } from "../../src/node/identity/identity.ts";
import { type Member, memberList } from "../../src/ring/member.ts";
import { claimPartitions } from "../../src/ring/partition-table.ts";
import { positionOf } from "../../src/ring/position.ts";

const JOB = jobId("j0123456789ab");
const SECRET = randomBytes(32);

let root: string;
let identities: Identity[];
let started: DataProcess[];
let commits: CommitFile[];

const callbacks: DataCallbacks = {
  commitFile: async (file) => {
    commits.push(file);
    return {
      name: file.name,
      version: 1,
      bytes: file.bytes,
      blocks: file.blocks,
      replicas: file.copies,
      manifest: file.manifest,
      createdAt: 0,
      contentType: file.contentType,
    };
  },
  event: async () => {},
};

/** @param bulk where each node listens; unknown ones cannot be dialled */
function viewOf(epoch: number, bulk: readonly string[]): DataView {
  const members = identities.map(
    ({ node }, index): Member => ({
      id: node,
      name: `n${index}`,
      zone: "z",
      weight: 1,
      slots: 1,
      position: positionOf(node),
      addresses: {
        control: "127.0.0.1:1",
        bulk: bulk[index] ?? "127.0.0.1:1",
        http: "127.0.0.1:1",
      },
      incarnation: 1,
      state: "up",
      since: 0,
    }),
  );
  return {
    members: memberList(epoch, members),
    table: claimPartitions(undefined, members, { partitions: 64 }),
  };
}

const startOf = (index: number, more: Partial<DataStart> = {}): DataStart => ({
  dir: join(root, String(index)),
  identity: present(identities[index], "an identity"),
  ring: ringId("0".repeat(32)),
  bulk: "127.0.0.1:0",
  http: "127.0.0.1:0",
  secret: SECRET,
  view: viewOf(0, []),
  keepShuffle: false,
  settings: { blockBytes: 64 * 1024 },
  ...more,
});

async function startProcess(index: number, more: Partial<DataStart> = {}): Promise<DataProcess> {
  const running = await startDataProcess(startOf(index, more), callbacks);
  started.push(running);
  return running;
}

async function put(ready: { http: string }, body: Uint8Array): Promise<string> {
  const request = { method: "PUT", path: "/content/x", query: { replicas: "2" } } as const;
  const url = bodyLink(ready.http, SECRET, request, Date.now());
  const response = await fetch(url, { method: "PUT", body });
  expect(response.status).toBe(200);
  return ((await response.json()) as { manifest: string }).manifest;
}

async function get(ready: { http: string }, manifest: string): Promise<Buffer> {
  const request = { method: "GET", path: "/content/x", query: { manifest } } as const;
  const response = await fetch(bodyLink(ready.http, SECRET, request, Date.now()));
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "ringfold-process-"));
  identities = [newIdentity(), newIdentity(), newIdentity()];
  started = [];
  commits = [];
});
afterEach(async () => {
  await Promise.all(started.map((running) => running.stop()));
  await rm(root, { recursive: true, force: true });
});

describe("data processes over TLS", () => {
  async function startAll(count: number): Promise<DataProcess[]> {
    identities = identities.slice(0, count);
    const all = await Promise.all(identities.map((_, index) => startProcess(index)));
    const view = viewOf(
      1,
      all.map(({ ready }) => ready.bulk),
    );
    for (const { port } of all) await port.setView(view);
    return all;
  }

  it("store a file on two nodes each, and any of three gives it back", async () => {
    const all = await startAll(3);
    const body = randomBytes(3_000_000);
    const manifest = await put(present(all[0], "a node").ready, body);
    for (const { ready } of all) expect(same(await get(ready, manifest), body)).toBe(true);
    const stats = await Promise.all(all.map(({ port }) => port.stats()));
    const blocks = stats.reduce((sum, one) => sum + one.blocks, 0);
    expect([blocks, commits.length]).toEqual([2 * (present(commits[0], "a commit").blocks + 1), 1]);
  });

  it("give a file back when any one of three is killed, and its calls end as data-process", async () => {
    const all = await startAll(3);
    const body = randomBytes(3_000_000);
    const manifest = await put(present(all[0], "a node").ready, body);
    const [first, second, third] = all as [DataProcess, DataProcess, DataProcess];
    const exited = new Promise<string>((resolve) => third.onExit(resolve));
    process.kill(third.ready.pid, "SIGKILL");
    expect(same(await get(first.ready, manifest), body)).toBe(true);
    expect(same(await get(second.ready, manifest), body)).toBe(true);
    expect(await exited).toBe("SIGKILL");
    await expect(third.port.stats()).rejects.toMatchObject({ code: "data-process" });
  });

  it("come back on the same ports with their blocks and map outputs", async () => {
    const first = await startProcess(0);
    const bytes = randomBytes(10_000);
    await mkdir(join(root, "out"));
    const file = join(root, "out", "out");
    await writeFile(file, bytes);
    const stored = await first.port.putSmall(Buffer.from("kept"), 1).catch(() => undefined);
    await first.port.adoptMapOutput({ job: JOB, task: 4, attempt: 1, file });
    process.kill(first.ready.pid, "SIGKILL");
    await new Promise((resolve) => first.onExit(() => resolve(undefined)));
    const { bulk, http } = first.ready;
    const again = await startProcess(0, { bulk, http: new URL(http).host, keepShuffle: true });
    expect([again.ready.bulk, again.ready.http]).toEqual([bulk, http]);
    if (stored !== undefined) {
      expect(Buffer.from(await again.port.getSmall(stored.id)).toString()).toBe("kept");
    }
    const node = present(identities[0], "an identity").node;
    const source = { node, task: 4, attempt: 1, offset: 100, length: 5000 };
    const dir = join(root, "in");
    await mkdir(dir);
    const crc = crc32(bytes.subarray(100, 5100));
    const fetched = await again.port.fetchSegments({
      job: JOB,
      partition: 0,
      sources: [{ ...source, crc }],
      dir,
    });
    expect([fetched.lost, fetched.segments.length]).toEqual([[], 1]);
    expect(same(await readFile(fetched.file), bytes.subarray(100, 5100))).toBe(true);
  });

  it("fetch segments and blocks from each other", async () => {
    const all = (await startAll(3)) as [DataProcess, DataProcess, DataProcess];
    const parts = Array.from({ length: 50 }, () => randomBytes(40_000));
    const node = present(identities[1], "an identity").node;
    const sources = [];
    for (const [task, part] of parts.entries()) {
      const file = join(root, "output");
      await writeFile(file, part);
      await all[1].port.adoptMapOutput({ job: JOB, task, attempt: 0, file });
      sources.push({ node, task, attempt: 0, offset: 0, length: part.length, crc: crc32(part) });
    }
    const dir = join(root, "in");
    await mkdir(dir);
    const fetched = await all[0].port.fetchSegments({ job: JOB, partition: 0, sources, dir });
    expect([fetched.segments.length, fetched.lost]).toEqual([50, []]);
    expect(same(await readFile(fetched.file), Buffer.concat(parts))).toBe(true);
    const { id } = await all[0].port.putSmall(randomBytes(200_000), 2);
    for (const [index, { port }] of all.entries()) {
      const folder = join(root, `stage-${index}`);
      await mkdir(folder);
      await port.stageBlocks({ job: JOB, dir: folder, blocks: [id] });
      expect(await readdir(folder)).toEqual([id]);
    }
  });

  it("carry errors to control with their codes", async () => {
    const { port } = await startProcess(0);
    await expect(port.getSmall(blockId("0".repeat(64)))).rejects.toMatchObject({
      name: "RingfoldError",
      code: "block-missing",
    });
  });

  it("refuse a port that is in use", async () => {
    const { ready } = await startProcess(0);
    await expect(startProcess(1, { bulk: ready.bulk })).rejects.toMatchObject({
      code: "port-in-use",
    });
    await expect(startProcess(1, { http: new URL(ready.http).host })).rejects.toMatchObject({
      code: "port-in-use",
    });
  });
});

describe("a data service in this process", () => {
  it("keeps the same promises over the same transport", async () => {
    identities = identities.slice(0, 2);
    const services = await Promise.all([0, 1].map((i) => startData(startOf(i), callbacks)));
    try {
      const view = viewOf(
        1,
        services.map(({ ready }) => ready.bulk),
      );
      for (const service of services) await service.setView(view);
      const body = randomBytes(1_000_000);
      const [first, second] = services;
      const manifest = await put(present(first, "a service").ready, body);
      expect(same(await get(present(second, "a service").ready, manifest), body)).toBe(true);
    } finally {
      for (const service of services) await service.close();
    }
  });
});
