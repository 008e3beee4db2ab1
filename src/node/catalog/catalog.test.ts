import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RingfoldError } from "../../base/errors.ts";
import { blockId, fileName, nodeId, ringId } from "../../base/ids.ts";
import type { CommandOf } from "../../catalog/commands.ts";
import { MAX_WAITING, openCatalog } from "./catalog.ts";
import { CATALOG_FILE, type DatabaseOptions } from "./catalog-database.ts";
import type { Catalog } from "./catalog-port.ts";

const SELF = nodeId("a".repeat(64));
const init = { type: "cluster-init", ringId: ringId("1".repeat(32)) } as const;
const put = (name: string): CommandOf<"file-put"> => ({
  type: "file-put",
  name: fileName(name),
  content: {
    manifest: blockId("c".repeat(64)),
    manifestBytes: 1,
    bytes: 1,
    blocks: 1,
    replicas: 2,
    contentType: "text/plain",
  },
});

let dir: string;
let open: Catalog[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "ringfold-catalog-"));
  open = [];
});
afterEach(async () => {
  await Promise.all(open.map((catalog) => catalog.close()));
  rmSync(dir, { recursive: true });
});

async function start(options: DatabaseOptions = {}): Promise<Catalog> {
  const catalog = await openCatalog(dir, SELF, options);
  open.push(catalog);
  return catalog;
}

const codeOf = (error: unknown): string =>
  error instanceof RingfoldError ? error.code : `not trouble: ${String(error)}`;

/** The codes of what was refused. */
async function codesOf(work: readonly Promise<unknown>[]): Promise<Set<string>> {
  const ends = await Promise.allSettled(work);
  return new Set(ends.flatMap((end) => (end.status === "rejected" ? [codeOf(end.reason)] : [])));
}

describe("the catalog in its thread", () => {
  it("K1: answers each of many proposals with its own result, and keeps them over a restart", async () => {
    const first = await start();
    await first.propose(init);
    const versions = await Promise.all(
      Array.from({ length: 500 }, (_, i) => first.propose(put(`n${i % 100}`))),
    );
    for (const [i, { file }] of versions.entries())
      expect(file.version).toBe(Math.floor(i / 100) + 1);
    await first.close();
    const second = await start();
    expect((await second.query({ type: "files", limit: 1000 })).files).toHaveLength(100);
    expect((await second.query({ type: "state" })).ringId).toBe(init.ringId);
  });

  it("throws a refusal with its code, and refuses what is no command or no query", async () => {
    const catalog = await start();
    const work = (promise: Promise<unknown>) => promise.then(() => "done", codeOf);
    expect(await work(catalog.propose(put("a")))).toBe("wrong-cluster");
    await catalog.propose(init);
    expect(await work(catalog.propose({ ...put("a"), expected: 7 }))).toBe("version-conflict");
    expect(await work(catalog.propose({ ...init, ringId: "no" as never }))).toBe("bad-request");
    expect(await work(catalog.query({ type: "files", limit: 0 }))).toBe("bad-request");
    expect(await work(catalog.query({ type: "files", glob: "***", limit: 1 }))).toBe("bad-glob");
    expect(await work(catalog.query({ type: "files", glob: "*", limit: 1 }))).toBe("done");
  });

  it("tells its listeners what a batch changed, until they unsubscribe", async () => {
    const catalog = await start();
    const told: string[] = [];
    const stop = catalog.onChange((changed) => told.push([...changed].toSorted().join(" ")));
    await catalog.propose(init);
    await catalog.propose(put("a"));
    await catalog.propose({ ...put("a"), expected: 7 }).catch(() => undefined);
    stop();
    await catalog.propose(put("b"));
    expect(told).toEqual(["cluster", "cluster files"]);
  });

  it("K2: refuses what would wait behind too many, and answers those", async () => {
    const catalog = await start();
    await catalog.propose(init);
    const down = { type: "member-down", id: SELF, incarnation: 1, reason: "" } as const;
    const waiting = Array.from({ length: MAX_WAITING }, () => catalog.propose(down));
    const late = [catalog.propose(down), catalog.query({ type: "state" })];
    expect(await codesOf(late)).toEqual(new Set(["overloaded"]));
    expect(await codesOf(waiting)).toEqual(new Set());
    expect((await catalog.propose(down)).changed).toBe(false);
  });

  it("refuses with disk-full, goes on reading, and takes what fits", async () => {
    const catalog = await start({ maxPages: 40 });
    await catalog.propose(init);
    await catalog.propose(put("before"));
    const many = Array.from({ length: 400 }, (_, i) => catalog.propose(put(`n${i}`)));
    expect(await codesOf(many)).toEqual(new Set(["disk-full"]));
    const { files } = await catalog.query({ type: "files", limit: 9 });
    expect(files.map((file) => file.name)).toEqual(["before"]);
    expect((await catalog.propose(put("after"))).file.version).toBe(1);
  });

  it("K3: after damage is met it rejects what waits and all that comes, and says so once", async () => {
    const first = await start();
    await first.propose(init);
    await first.propose(put("a"));
    await first.close();
    const db = new DatabaseSync(join(dir, CATALOG_FILE));
    db.exec("UPDATE kv SET crc = 0 WHERE tbl = 'file'");
    db.close();
    const catalog = await start();
    const failures: string[] = [];
    catalog.onFailure((error) => failures.push(codeOf(error)));
    const waiting = [catalog.propose(put("a")), catalog.query({ type: "state" })];
    expect(await codesOf(waiting)).toEqual(new Set(["catalog-damaged"]));
    expect(await codesOf([catalog.propose(init)])).toEqual(new Set(["catalog-damaged"]));
    await catalog.close();
    expect(failures).toEqual(["catalog-damaged"]);
  });

  it("refuses to open what is open already", async () => {
    await start();
    expect(await codesOf([openCatalog(dir, SELF)])).toEqual(new Set(["data-dir-in-use"]));
  });

  it("commits what was proposed before it was closed, and nothing after", async () => {
    const catalog = await start();
    const early = [catalog.propose(init), catalog.propose(put("a"))];
    const end = catalog.close();
    expect(await codesOf([catalog.propose(put("b"))])).toEqual(new Set(["no-leader"]));
    await end;
    await catalog.close();
    expect(await codesOf(early)).toEqual(new Set());
  });
});
