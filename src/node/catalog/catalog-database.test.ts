import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RingfoldError } from "../../base/errors.ts";
import { blockId, fileName, nodeId, ringId } from "../../base/ids.ts";
import type { Command } from "../../catalog/commands.ts";
import { encodeCommand } from "../../wire/catalog-bytes.ts";
import {
  CATALOG_FILE,
  CatalogDatabase,
  type DatabaseOptions,
  KEPT_ENTRIES,
} from "./catalog-database.ts";
import { Replica } from "./replica.ts";

const SELF = nodeId("a".repeat(64));
const init: Command = { type: "cluster-init", ringId: ringId("1".repeat(32)) };
const put = (name: string): Command => ({
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
let open: Replica[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "ringfold-catalog-"));
  open = [];
});
afterEach(() => {
  for (const replica of open) replica.close();
  rmSync(dir, { recursive: true });
});

function start(now = 1, options: DatabaseOptions = {}): Replica {
  const replica = new Replica(dir, SELF, now, options);
  open.push(replica);
  return replica;
}

const commit = (replica: Replica, ...commands: Command[]) =>
  replica.commit(commands.map(encodeCommand), 1).outcomes.map((o) => (o.ok ? "ok" : o.refusal.why));

const names = (replica: Replica): string[] =>
  replica.answer({ type: "files", limit: 1000 }).files.map((file) => file.name);

/** Changes the closed database behind the catalog's back. */
function tamper(sql: string): void {
  const db = new DatabaseSync(join(dir, CATALOG_FILE));
  db.exec(sql);
  db.close();
}

function troubleOf(work: () => unknown): string {
  try {
    work();
    return "none";
  } catch (error) {
    return error instanceof RingfoldError ? `${error.code}: ${error.message}` : String(error);
  }
}

describe("the catalog's database", () => {
  it("gives back what was committed, in a higher term, after each restart", () => {
    const first = start();
    expect(commit(first, init, put("a"), put("b"))).toEqual(["ok", "ok", "ok"]);
    first.close();
    const second = start();
    expect([first.term, second.term]).toEqual([1, 2]);
    expect(names(second)).toEqual(["a", "b"]);
    expect(second.answer({ type: "state" }).filesVersion).toBe(2);
  });

  it("applies at a start what was logged and not applied, once", () => {
    start().close();
    const database = new CatalogDatabase(dir);
    const commands = [init, put("a"), put("a")].map(encodeCommand);
    database.transaction(() =>
      database.append(
        undefined,
        commands.map((bytes, i) => ({ group: 0, index: i + 2, term: 1, now: 1, bytes })),
      ),
    );
    database.close();
    start().close();
    const { file } = start().answer({ type: "file", name: fileName("a") });
    expect(file?.versions.map((v) => v.version)).toEqual([2, 1]);
  });

  it("refuses what is no command, without logging it, and commits the rest of its batch", () => {
    const replica = start();
    const { outcomes } = replica.commit(
      [Uint8Array.of(9), encodeCommand(init), new Uint8Array(0)],
      1,
    );
    expect(outcomes.map((o) => (o.ok ? "ok" : o.refusal.why))).toEqual([
      "bad-request",
      "ok",
      "bad-request",
    ]);
  });

  it("drops entries that are long applied, and starts from what is left", () => {
    const replica = start();
    commit(replica, init);
    for (let i = 0; i < 12; i++) {
      commit(replica, ...Array.from({ length: 1000 }, () => put(`a${i}`)));
    }
    replica.close();
    const db = new DatabaseSync(join(dir, CATALOG_FILE));
    const { n, last } = db.prepare("SELECT count(*) n, max(idx) last FROM log").get() ?? {};
    db.close();
    expect(last).toBe(12_002);
    expect(Number(n)).toBeGreaterThanOrEqual(KEPT_ENTRIES);
    expect(Number(n)).toBeLessThanOrEqual(KEPT_ENTRIES + 1000);
    expect(names(start())).toHaveLength(12);
  });

  it("can be read and written by its owner only", () => {
    start();
    expect(statSync(join(dir, CATALOG_FILE)).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, `${CATALOG_FILE}-wal`)).mode & 0o777).toBe(0o600);
  });

  it("D2: refuses a batch that does not fit on the disk, whole, and goes on", () => {
    const replica = start(1, { maxPages: 40 });
    commit(replica, init, put("before"));
    const many = Array.from({ length: 400 }, (_, i) => put(`n${i}`));
    expect(troubleOf(() => commit(replica, ...many))).toMatch(/^disk-full: .*catalog\.db/);
    expect(names(replica)).toEqual(["before"]);
    expect(commit(replica, put("after"))).toEqual(["ok"]);
    replica.close();
    const again = start();
    expect(names(again)).toEqual(["after", "before"]);
    expect(commit(again, ...many.slice(0, 2))).toEqual(["ok", "ok"]);
  });

  it("D3: refuses to start on a log that is damaged in the middle, and names the file", () => {
    const replica = start();
    commit(replica, init, put("a"), put("b"));
    replica.close();
    const whole = readFileSync(join(dir, CATALOG_FILE));
    const damages: [string, string][] = [
      ["UPDATE log SET bytes = x'01' WHERE idx = 3", "log entry 3 fails its checksum"],
      ["UPDATE log SET term = 0 WHERE idx = 2", "log entry 2 fails its checksum"],
      ["DELETE FROM log WHERE idx = 3", "log entry 3 is missing"],
      ["DELETE FROM log", "applied up to 4, but the log has 1 to 0"],
      ["DELETE FROM meta WHERE key = 'term'", "the term and the vote do not fit the log"],
      ["UPDATE meta SET value = 'x' WHERE key = 'applied'", "the applied index is no number"],
    ];
    for (const [sql, what] of damages) {
      tamper(sql);
      const trouble = troubleOf(() => start());
      expect(trouble).toBe(`catalog-damaged: ${join(dir, CATALOG_FILE)} is damaged: ${what}`);
      writeFileSync(join(dir, CATALOG_FILE), whole);
    }
    expect(names(start())).toEqual(["a", "b"]);
  });

  it("D3: refuses to read a record that is damaged", () => {
    const replica = start();
    commit(replica, init, put("a"), put("b"));
    replica.close();
    tamper(
      "UPDATE kv SET value = (SELECT value FROM kv WHERE tbl='file' AND key='b') WHERE key='a'",
    );
    expect(troubleOf(() => names(start()))).toMatch(/^catalog-damaged.*the file record "a"/);
  });

  it("D3: refuses a file that is no database, and one of a later layout", () => {
    writeFileSync(join(dir, CATALOG_FILE), "not a database, whatever it is".repeat(100));
    expect(troubleOf(() => start())).toMatch(/^catalog-damaged: /);
    rmSync(join(dir, CATALOG_FILE));
    tamper("PRAGMA user_version = 2");
    expect(troubleOf(() => start())).toMatch(/^version-mismatch: .*layout 2.*layout 1/);
  });

  it("D4: refuses a database that is open already", () => {
    start();
    expect(troubleOf(() => start())).toMatch(/^data-dir-in-use: /);
  });

  it("refuses a directory that cannot be made, and a file that cannot be opened", () => {
    mkdirSync(join(dir, CATALOG_FILE));
    expect(troubleOf(() => start())).toMatch(/^data-dir: .*catalog\.db/);
    writeFileSync(join(dir, "file"), "");
    const below = join(dir, "file", "below");
    expect(troubleOf(() => new Replica(below, SELF, 1))).toMatch(/^data-dir: /);
  });
});
