import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { present } from "../../src/base/errors.ts";
import { blockIdOf } from "../../src/base/hash.ts";
import { type BlockId, blockId, jobId } from "../../src/base/ids.ts";
import type { FileStat } from "../../src/contract/file-stat.ts";
import type { DataSettings, SegmentSource } from "../../src/node/data/data-port.ts";
import { decodeManifest } from "../../src/node/data/manifest-block.ts";
import {
  contentLink,
  DataCluster,
  getLink,
  idOf,
  linkTo,
  type TestNode,
} from "./block-store-cluster.ts";
import { LoopNet, type NodeFault } from "./block-store-loop-net.ts";

const JOB = jobId("j0123456789ab");

let net: LoopNet;
let cluster: DataCluster;

const fault = (letter: string): NodeFault => present(net.faults.get(idOf(letter)), "a node");
const start = async (count: number, settings: Partial<DataSettings> = {}): Promise<void> => {
  net = new LoopNet();
  cluster = await DataCluster.start(count, async (id) => net.transport(id), settings);
};
const text = (lines: number): Buffer =>
  Buffer.from(
    Array.from({ length: lines }, (_, i) => `line ${i} ${"x".repeat(i % 90)}\n`).join(""),
  );

async function put(node: TestNode, name: string, body: Uint8Array, query = {}): Promise<FileStat> {
  const response = await fetch(contentLink(node, name, query), { method: "PUT", body });
  const answer = (await response.json()) as FileStat;
  expect([response.status, answer]).toEqual([200, expect.objectContaining({ name })]);
  return answer;
}

async function get(node: TestNode, manifest: string): Promise<Buffer> {
  const response = await fetch(getLink(node, manifest));
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

async function blocksOf(node: TestNode, manifest: string): Promise<BlockId[]> {
  const id = blockId(manifest);
  const { blocks } = decodeManifest(id, await node.service.getSmall(id));
  return blocks.map((block) => block.id);
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const leftovers = async (node: TestNode): Promise<string[]> =>
  readdir(join(node.dir, "blocks", "tmp"));
const pathOf = (node: TestNode, id: string): string => join(node.dir, "blocks", id.slice(0, 2), id);

afterEach(() => cluster.stop());

describe("a file that is put over HTTP", () => {
  beforeEach(() => start(3));

  it("comes back byte for byte from every node, its blocks on R nodes each", async () => {
    const body = text(20_000);
    const stat = await put(cluster.node("a"), "books/a.txt", body, { replicas: "2" });
    expect(stat).toMatchObject({
      bytes: body.length,
      cut: "lines",
      contentType: "text/plain; charset=utf-8",
    });
    for (const node of cluster.nodes) expect(same(await get(node, stat.manifest), body)).toBe(true);
    const blocks = await blocksOf(cluster.node("b"), stat.manifest);
    expect(blocks.length).toBe(stat.blocks);
    expect(blocks.length).toBeGreaterThan(10);
    for (const id of [...blocks, blockId(stat.manifest)]) {
      expect((await cluster.holders(id)).length).toBe(2);
    }
  });

  it("is on every node with replicas=all", async () => {
    const stat = await put(cluster.node("c"), "a", text(3000), { replicas: "all" });
    for (const id of await blocksOf(cluster.node("a"), stat.manifest)) {
      expect(await cluster.holders(id)).toBe("abc");
    }
  });

  it("has one manifest however often and wherever it is put", async () => {
    const body = text(5000);
    const first = await put(cluster.node("a"), "a", body);
    const second = await put(cluster.node("b"), "b", body);
    expect(second.manifest).toBe(first.manifest);
  });

  it("may be empty, one long line, invalid UTF-8 or binary", async () => {
    const bodies: Record<string, [Buffer, string]> = {
      empty: [Buffer.alloc(0), "lines"],
      "one line": [Buffer.alloc(700_000, "x"), "lines"],
      "not UTF-8": [Buffer.from([0xff, 0xfe, 0x0a, 0x80]), "lines"],
      binary: [Buffer.concat([Buffer.alloc(1), randomBytes(200_000)]), "bytes"],
    };
    for (const [name, [body, cut]] of Object.entries(bodies)) {
      const stat = await put(cluster.node("a"), name, body);
      expect([name, stat.cut, stat.bytes]).toEqual([name, cut, body.length]);
      expect(same(await get(cluster.node("b"), stat.manifest), body)).toBe(true);
    }
  });

  it("commits nothing when the client goes in the middle, and leaves no temporary file (H1)", async () => {
    const node = cluster.node("a");
    const url = new URL(contentLink(node, "half"));
    const upload = request(url, { method: "PUT", headers: { "content-length": 10_000_000 } });
    upload.on("error", () => {});
    upload.write(text(50_000));
    await expect.poll(async () => (await node.service.stats()).blocks).toBeGreaterThan(2);
    upload.destroy();
    await expect.poll(() => leftovers(node)).toEqual([]);
    await node.service.close();
    expect(node.commits).toEqual([]);
  });

  it("is refused with a clear error: bad names, bad queries, links that do not fit", async () => {
    const node = cluster.node("a");
    const tries: [string, number, string][] = [
      [contentLink(node, "../etc/passwd"), 400, "bad-name"],
      [contentLink(node, "/abs"), 400, "bad-name"],
      [contentLink(node, "a", { replicas: "0" }), 400, "bad-request"],
      [contentLink(node, "a", { blockSize: "5" }), 400, "bad-request"],
      [contentLink(node, "a").replace("content/a", "content/b"), 409, "body-url"],
      [`${node.service.ready.http}/content/a`, 409, "body-url"],
      [linkTo(node, { method: "PUT", path: "/content/%zz" }), 400, "bad-name"],
      [linkTo(node, { method: "PUT", path: "/elsewhere" }), 400, "bad-request"],
    ];
    for (const [url, status, code] of tries) {
      const response = await fetch(url, { method: "PUT", body: "x" });
      const { error } = (await response.json()) as { error: { code: string; fix: string } };
      expect([url, response.status, error.code]).toEqual([url, status, code]);
      expect(error.fix).not.toBe("");
    }
    expect(node.commits).toEqual([]);
  });
});

describe("a file that goes around the page cache", () => {
  const MIB = 1024 * 1024;
  // The first block stays in the cache, the others do not; the last is no whole number of pages.
  const body = randomBytes(11 * MIB + 12_345);
  beforeEach(() => start(2, { blockBytes: 4 * MIB, warmBytes: 4 * MIB }));

  it("comes back byte for byte, many times, from both nodes", async () => {
    const stat = await put(cluster.node("a"), "large", body, { cut: "bytes" });
    for (let round = 0; round < 8; round++) {
      for (const node of cluster.nodes)
        expect(same(await get(node, stat.manifest), body)).toBe(true);
    }
    for (const id of await blocksOf(cluster.node("a"), stat.manifest)) {
      for (const node of cluster.nodes)
        expect(blockIdOf(await readFile(pathOf(node, id)))).toBe(id);
    }
  });

  it("is refused when other bytes arrive, and its damaged copies are replaced", async () => {
    const stat = await put(cluster.node("a"), "large", body, { cut: "bytes" });
    const [, second, third] = await blocksOf(cluster.node("a"), stat.manifest);
    const node = cluster.node("a");
    await truncate(pathOf(node, present(second, "a block")), 5000);
    await writeFile(pathOf(node, present(third, "a block")), randomBytes(4 * MIB));
    expect(same(await get(node, stat.manifest), body)).toBe(true);
    await expect.poll(() => node.events.filter(({ type }) => type === "refetched").length).toBe(2);
    expect(same(await get(node, stat.manifest), body)).toBe(true);
  });

  it("survives clients that go in the middle of a get", async () => {
    const { manifest } = await put(cluster.node("a"), "large", body, { cut: "bytes" });
    for (let round = 0; round < 12; round++) {
      const stop = new AbortController();
      const response = await fetch(getLink(cluster.node("a"), manifest), { signal: stop.signal });
      await response.body?.getReader().read();
      stop.abort();
    }
    expect(same(await get(cluster.node("a"), manifest), body)).toBe(true);
  });
});

describe("a put with trouble", () => {
  beforeEach(() => start(3));

  it("goes to the next host when one is dead, and makes its copies all the same", async () => {
    fault("b").mode = "dead";
    const stat = await put(cluster.node("a"), "x", text(10_000), { replicas: "2" });
    expect(stat.warning).toBeUndefined();
    for (const id of await blocksOf(cluster.node("a"), stat.manifest)) {
      expect(await cluster.holders(id)).toBe("ac");
    }
  });

  it("warns when fewer hosts live than copies are wanted", async () => {
    fault("b").mode = "dead";
    fault("c").mode = "dead";
    const stat = await put(cluster.node("a"), "x", text(100), { replicas: "2" });
    expect(stat.warning).toMatch(/only 1 copy instead of 2/);
    expect(cluster.node("a").events).toContainEqual(
      expect.objectContaining({ type: "few-copies", have: 1, want: 2 }),
    );
  });

  it("uses another node when this one's disk is full, and refuses when all are", async () => {
    cluster.node("a").disk.plan = (step) => (step === "write" ? "ENOSPC" : undefined);
    const stat = await put(cluster.node("a"), "x", text(1000), { replicas: "2" });
    for (const id of await blocksOf(cluster.node("a"), stat.manifest)) {
      expect(await cluster.holders(id)).toBe("bc");
    }
    for (const node of cluster.nodes)
      node.disk.plan = (step) => (step === "write" ? "ENOSPC" : undefined);
    const response = await fetch(contentLink(cluster.node("a"), "y"), {
      method: "PUT",
      body: randomBytes(3_000_000),
    });
    expect([response.status, await response.json()]).toEqual([
      507,
      { error: expect.objectContaining({ code: "disk-full" }) },
    ]);
    expect(cluster.node("a").commits.map((commit) => commit.name)).toEqual(["x"]);
    for (const node of cluster.nodes) expect(await leftovers(node)).toEqual([]);
  });

  it("does not wait for ever for a silent peer", async () => {
    fault("c").mode = "silent";
    const stat = await put(cluster.node("a"), "x", text(4000), { replicas: "2" });
    for (const id of await blocksOf(cluster.node("a"), stat.manifest)) {
      expect(await cluster.holders(id)).toBe("ab");
    }
  });

  it("does not wait on for a silent peer that the cluster takes for dead (P3)", async () => {
    await cluster.stop();
    await start(3, { stall: 3_600_000, firstByte: 3_600_000 });
    fault("c").mode = "silent";
    const putting = put(cluster.node("a"), "x", text(4000), { replicas: "2" });
    const asked = (): void => expect(net.requests).toContain("c put-block");
    await vi.waitFor(asked);
    await cluster.setState(cluster.node("c"), "down");
    for (const id of await blocksOf(cluster.node("a"), (await putting).manifest)) {
      expect(await cluster.holders(id)).toBe("ab");
    }
  });

  it("gives nothing to nodes that are down or leaving", async () => {
    await cluster.setState(cluster.node("b"), "leaving");
    const stat = await put(cluster.node("a"), "x", text(4000), { replicas: "2" });
    for (const id of await blocksOf(cluster.node("a"), stat.manifest)) {
      expect(await cluster.holders(id)).toBe("ac");
    }
  });
});

describe("a get with trouble", () => {
  // Enough blocks that every node surely is the first holder of one that another node has to fetch.
  const body = text(60_000);
  let manifest: string;
  beforeEach(async () => {
    await start(3);
    manifest = (await put(cluster.node("a"), "x", body, { replicas: "2" })).manifest;
  });

  for (const mode of ["dead", "silent"] as const) {
    it(`reads the other copies when a node is ${mode}`, async () => {
      fault("b").mode = mode;
      expect(same(await get(cluster.node("a"), manifest), body)).toBe(true);
      expect(same(await get(cluster.node("c"), manifest), body)).toBe(true);
    });
  }

  it("waits for copies that are only slow when there are no others", async () => {
    const [id] = await blocksOf(cluster.node("a"), manifest);
    const block = present(id, "a block");
    const holders = await cluster.holders(block);
    for (const letter of holders) fault(letter).lateness = 500;
    const other = present(
      cluster.nodes.find((node) => !holders.includes(node.id.slice(0, 1))),
      "a node without it",
    );
    expect(blockIdOf(await other.service.getSmall(block))).toBe(block);
    expect(other.events.map(({ type }) => type)).toContain("slow-peer");
  });

  it("asks a node that was silent last from then on", async () => {
    fault("b").mode = "silent";
    const reader = cluster.node("a");
    await get(reader, manifest);
    const before = net.requests.length;
    await get(reader, manifest);
    expect(net.requests.slice(before).filter((made) => made.startsWith("b"))).toEqual([]);
    expect(reader.events.some(({ type }) => type === "slow-peer")).toBe(true);
  });

  it("reads the other copy when bytes change on the way, or the stream breaks", async () => {
    fault("b").flip = true;
    const asked = net.requests.length;
    expect(same(await get(cluster.node("a"), manifest), body)).toBe(true);
    expect(net.requests.slice(asked)).toContain("b get-block");
    fault("b").flip = false;
    fault("b").breakAfter = 30_000;
    expect(same(await get(cluster.node("c"), manifest), body)).toBe(true);
    expect(cluster.node("c").events.map(({ type }) => type)).toContain("slow-peer");
  });

  it("never shows damaged bytes: the copy goes to quarantine and is replaced (D2)", async () => {
    const node = cluster.node("a");
    const mine: BlockId[] = [];
    for (const id of await blocksOf(node, manifest)) {
      if ((await cluster.holders(id)).includes("a")) mine.push(id);
    }
    const id = present(mine[0], "a block held by a");
    await truncate(pathOf(node, id), 100);
    expect(same(await get(node, manifest), body)).toBe(true);
    await expect.poll(() => node.events.map(({ type }) => type)).toContain("refetched");
    expect(await readdir(join(node.dir, "quarantine"))).toEqual([id]);
    expect(await cluster.holders(id)).toContain("a");
    expect(blockIdOf(await readFile(pathOf(node, id)))).toBe(id);
  });

  it("replaces a damaged copy that only a peer asked for", async () => {
    const id = present((await blocksOf(cluster.node("a"), manifest))[0], "a block");
    const letters = await cluster.holders(id);
    const holder = cluster.node(present(letters[0], "a holder"));
    const other = present(
      cluster.nodes.find(({ id: n }) => !letters.includes(n.slice(0, 1))),
      "another",
    );
    await writeFile(pathOf(holder, id), "nonsense");
    expect(same(await get(other, manifest), body)).toBe(true);
    await holder.service.verifyBlocks([id]);
    await expect.poll(() => cluster.holders(id)).toBe(letters);
  });

  it("breaks the connection when no copy of a later block is left, and never sends less as a whole (H2)", async () => {
    const ids = await blocksOf(cluster.node("a"), manifest);
    const last = present(ids.at(-1), "a last block");
    for (const node of cluster.nodes) await node.service.dropBlocks([last]);
    const response = await fetch(getLink(cluster.node("a"), manifest));
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });

  it("says so when the manifest is nowhere, or is none", async () => {
    const cases: [string, number, string][] = [
      ["0".repeat(64), 503, "block-missing"],
      ["../x", 400, "bad-id"],
      [present((await blocksOf(cluster.node("a"), manifest))[0], "a block"), 500, "protocol"],
    ];
    for (const [id, status, code] of cases) {
      const response = await fetch(getLink(cluster.node("a"), id));
      const { error } = (await response.json()) as { error: { code: string } };
      expect([response.status, error.code]).toEqual([status, code]);
    }
  });
});

describe("small blocks", () => {
  beforeEach(() => start(2));

  it("are stored over HTTP and by call, and read everywhere", async () => {
    const node = cluster.node("a");
    const response = await fetch(linkTo(node, { method: "POST", path: "/blocks" }), {
      method: "POST",
      body: "bundle",
    });
    const { id, bytes } = (await response.json()) as { id: string; bytes: number };
    expect([id, bytes]).toEqual([createHash("sha256").update("bundle").digest("hex"), 6]);
    const plan = await node.service.putSmall(Buffer.from("plan"), 2);
    expect(plan.nodes.length).toBe(2);
    for (const { service } of cluster.nodes) {
      expect(Buffer.from(await service.getSmall(blockId(id))).toString()).toBe("bundle");
      expect(Buffer.from(await service.getSmall(plan.id)).toString()).toBe("plan");
    }
  });

  it("that nobody has are missing", async () => {
    const id = blockId("1".repeat(64));
    await expect(cluster.node("a").service.getSmall(id)).rejects.toMatchObject({
      code: "block-missing",
    });
  });
});

describe("repair's orders", () => {
  beforeEach(() => start(3));

  it("copy a block from and to a named node, or from any", async () => {
    const [a, b, c] = [cluster.node("a"), cluster.node("b"), cluster.node("c")];
    const { id, nodes } = await a.service.putSmall(Buffer.from("block"), 1);
    const first = present(nodes[0], "a holder");
    const holder = present(
      cluster.nodes.find((node) => node.id === first),
      "the holder",
    );
    const [second, third] = [a, b, c].filter((node) => node !== holder) as [TestNode, TestNode];
    await holder.service.copyBlock({ block: id, to: second.id });
    expect((await cluster.holders(id)).length).toBe(2);
    await third.service.copyBlock({ block: id, from: "any" });
    await third.service.copyBlock({ block: id, from: first });
    expect(await cluster.holders(id)).toBe("abc");
    expect(await third.service.dropBlocks([id, blockId("2".repeat(64))])).toBe(1);
    expect(await third.service.inventory([id])).toEqual([id]);
    expect((await holder.service.listBlocks()).map((entry) => entry.id)).toContain(id);
  });

  it("to copy a block that is not there are refused", async () => {
    const block = blockId("3".repeat(64));
    const a = cluster.node("a").service;
    const missing = { code: "block-missing" };
    await expect(a.copyBlock({ block, from: "any" })).rejects.toMatchObject(missing);
    await expect(a.copyBlock({ block, from: cluster.node("b").id })).rejects.toMatchObject(missing);
    await expect(a.copyBlock({ block, to: cluster.node("b").id })).rejects.toMatchObject(missing);
  });
});

describe("a map task's input", () => {
  beforeEach(() => start(3));

  it("is linked where a copy is and fetched where none is, with the same bytes", async () => {
    const body = text(5000);
    const { manifest } = await put(cluster.node("a"), "x", body, { replicas: "2" });
    const blocks = await blocksOf(cluster.node("a"), manifest);
    const kinds = new Set<boolean>();
    for (const node of cluster.nodes) {
      const dir = await cluster.folder(`in-${node.id.slice(0, 1)}`);
      const staged = await node.service.stageBlocks({ job: JOB, dir, blocks });
      expect(staged.map(({ block }) => block)).toEqual(blocks);
      const parts = await Promise.all(staged.map(({ file }) => readFile(file)));
      expect(same(Buffer.concat(parts), body)).toBe(true);
      for (const { local } of staged) kinds.add(local);
    }
    expect(kinds.size).toBe(2);
  });

  it("that nobody has is missing", async () => {
    const dir = await cluster.folder("in");
    const blocks = [blockId("4".repeat(64))];
    await expect(
      cluster.node("a").service.stageBlocks({ job: JOB, dir, blocks }),
    ).rejects.toMatchObject({ code: "block-missing" });
  });
});

describe("a shuffle", () => {
  const partitions = 3;
  let sources: SegmentSource[][];

  /** Three map tasks per node, each with a segment of every partition, some of them empty. */
  beforeEach(async () => {
    await start(3);
    sources = Array.from({ length: partitions }, () => []);
    for (const [n, node] of cluster.nodes.entries()) {
      for (let task = n * 3; task < n * 3 + 3; task++) {
        const dir = await cluster.folder(`out-${task}`);
        const parts = Array.from({ length: partitions }, (_, p) =>
          randomBytes((task * 7919 + p * 104_729) % 3 === 0 ? 0 : 50_000 + task * 1000 + p),
        );
        const file = join(dir, "out");
        await writeFile(file, Buffer.concat(parts));
        await node.service.adoptMapOutput({ job: JOB, task, attempt: 0, file });
        let offset = 0;
        for (const [p, part] of parts.entries()) {
          const source = { node: node.id, task, attempt: 0, offset, length: part.length };
          sources[p]?.push({ ...source, crc: crc32(part) });
          offset += part.length;
        }
      }
    }
  });

  async function gather(node: TestNode, partition: number, wanted = sources[partition] ?? []) {
    const dir = await mkdtemp(join(tmpdir(), "ringfold-in-"));
    try {
      const fetched = await node.service.fetchSegments({
        job: JOB,
        partition,
        sources: wanted,
        dir,
      });
      const bytes = await readFile(fetched.file);
      for (const { task, attempt, offset, length } of fetched.segments) {
        const source = wanted.find((one) => one.task === task && one.attempt === attempt);
        const found = crc32(bytes.subarray(offset, offset + length));
        expect([length, found]).toEqual([source?.length, source?.crc]);
      }
      return fetched;
    } finally {
      await rm(dir, { recursive: true });
    }
  }
  const tasksOf = (list: readonly { readonly task: number }[]): number[] =>
    list.map(({ task }) => task).sort((a, b) => a - b);

  it("gathers every segment once, with few requests", async () => {
    const before = net.requests.length;
    for (let p = 0; p < partitions; p++) {
      const fetched = await gather(cluster.node("b"), p);
      expect(tasksOf(fetched.segments)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
      expect(fetched.lost).toEqual([]);
    }
    expect(net.requests.length - before).toBe(2 * partitions);
  });

  it("lists the maps of a dead or silent node as lost, and has the others (G2)", async () => {
    for (const mode of ["dead", "silent"] as const) {
      fault("c").mode = mode;
      const fetched = await gather(cluster.node("a"), 0);
      expect([tasksOf(fetched.segments), tasksOf(fetched.lost)]).toEqual([
        [0, 1, 2, 3, 4, 5],
        [6, 7, 8],
      ]);
    }
  });

  it("never takes changed bytes: by CRC, they are lost (G1)", async () => {
    fault("c").flip = true;
    const remote = await gather(cluster.node("a"), 1);
    expect(remote.lost.length).toBeGreaterThan(0);
    expect(new Set(remote.lost.map(({ code }) => code))).toEqual(new Set(["block-corrupt"]));
    const file = join(cluster.node("a").dir, "shuffle", JOB, "1.0");
    const bytes = await readFile(file);
    await writeFile(
      file,
      bytes.map((byte) => byte ^ 1),
    );
    const local = await gather(cluster.node("a"), 1);
    expect(tasksOf(local.lost)).toContain(1);
  });

  it("asks once more for what a broken stream left open", async () => {
    fault("c").breakAfter = 60_000;
    const fetched = await gather(cluster.node("a"), 2);
    expect(tasksOf([...fetched.segments, ...fetched.lost])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(net.requests.filter((made) => made === "c get-segments").length).toBe(2);
  });

  it("lists outputs that are missing, too short or of another attempt as lost", async () => {
    const good = present(sources[0]?.[8], "a source");
    const wanted = [
      { ...good, task: 99 },
      { ...good, attempt: 5 },
      { ...good, task: 7, offset: 10_000_000 },
    ];
    const fetched = await gather(cluster.node("a"), 0, wanted);
    expect([fetched.segments, fetched.lost.length]).toEqual([[], 3]);
  });

  it("ends as cancelled at once when its job is dropped", async () => {
    fault("c").mode = "silent";
    const ended = expect(gather(cluster.node("a"), 0)).rejects.toMatchObject({ code: "cancelled" });
    await expect.poll(() => net.requests).toContain("c get-segments");
    await cluster.node("a").service.dropJob(JOB);
    await ended;
  });

  it("forgets the files of a job that is dropped, on restart too", async () => {
    const node = cluster.node("c");
    expect((await node.service.stats()).shuffleBytes).toBeGreaterThan(0);
    await node.service.dropJob(JOB);
    await node.service.dropJob(JOB);
    expect((await node.service.stats()).shuffleBytes).toBe(0);
    expect(tasksOf((await gather(cluster.node("a"), 0)).lost)).toEqual([6, 7, 8]);
  });
});

describe("a reduce output", () => {
  beforeEach(() => start(3));

  it("becomes blocks on their holders and a manifest", async () => {
    const body = text(9000);
    const dir = await cluster.folder("out");
    const file = join(dir, "part-00000");
    await writeFile(file, body);
    const node = cluster.node("a");
    const stored = await node.service.storeOutput({ file, copies: 2, cut: "lines", job: JOB });
    expect([stored.bytes, stored.warnings]).toEqual([body.length, []]);
    expect(same(await get(cluster.node("c"), stored.manifest), body)).toBe(true);
    for (const id of await blocksOf(node, stored.manifest)) {
      expect((await cluster.holders(id)).length).toBe(2);
    }
  });

  it("of a file that is not there is refused", async () => {
    const order = { file: "/nowhere/x", copies: 1, cut: "lines" } as const;
    await expect(cluster.node("a").service.storeOutput(order)).rejects.toMatchObject({
      code: "local-file",
    });
  });
});
