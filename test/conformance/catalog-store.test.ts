import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { fileName, jobId, nodeId } from "../../src/base/ids.ts";
import type { Command, Outcome } from "../../src/catalog/commands.ts";
import { MapStore } from "../../src/catalog/map-store.ts";
import { answer } from "../../src/catalog/read.ts";
import { apply } from "../../src/catalog/state-machine.ts";
import type { CatalogStore } from "../../src/catalog/store.ts";
import { CatalogDatabase } from "../../src/node/catalog/catalog-database.ts";
import { Replica } from "../../src/node/catalog/replica.ts";
import { SqliteStore } from "../../src/node/catalog/sqlite-store.ts";
import { encodeCommand } from "../../src/wire/catalog-bytes.ts";
import { command, Model, verdictOf } from "./catalog-store-commands.ts";

const SELF = nodeId("a".repeat(64));
const JOB = jobId("jaaaaaaaaaaaa");
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

function freshDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "ringfold-catalog-"));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function sqliteStore(): CatalogStore {
  const database = new CatalogDatabase(freshDir());
  undo.push(() => database.close());
  return new SqliteStore(database);
}

describe.each<[string, () => CatalogStore]>([
  ["maps", () => new MapStore()],
  ["SQLite", sqliteStore],
])("the catalog's store over %s", (_name, make) => {
  it("S1: gives what was put last, until it is deleted", () => {
    const store = make();
    expect(store.get("job-running", "k")).toBeUndefined();
    store.put("job-running", "k", { job: JOB });
    store.put("job-running", "k", { job: jobId("jbbbbbbbbbbbb") });
    expect(store.get("job-running", "k")).toEqual({ job: "jbbbbbbbbbbbb" });
    store.delete("job-running", "k");
    store.delete("job-running", "k");
    expect(store.get("job-running", "k")).toBeUndefined();
    expect(store.keys("job-running")).toEqual([]);
  });

  it("S2: lists the keys of every range in the order of their UTF-8 bytes", () => {
    const key = fc
      .string({ unit: "binary", minLength: 1, maxLength: 4 })
      .map((text) => text.replaceAll("\0", "/"));
    const range = fc.record(
      {
        prefix: fc.oneof(fc.constant(""), key),
        after: key,
        limit: fc.integer({ min: 0, max: 5 }),
        reverse: fc.boolean(),
      },
      { requiredKeys: [] },
    );
    const store = make();
    fc.assert(
      fc.property(fc.uniqueArray(key, { maxLength: 12 }), range, (keys, asked) => {
        for (const old of store.keys("job-running")) store.delete("job-running", old);
        for (const next of keys) store.put("job-running", next, { job: JOB });
        const { prefix = "", after, limit = Number.POSITIVE_INFINITY, reverse = false } = asked;
        const order = (a: string, b: string): number =>
          Buffer.compare(Buffer.from(a), Buffer.from(b));
        const sorted = keys.toSorted((a, b) => (reverse ? order(b, a) : order(a, b)));
        const past = (k: string): boolean =>
          after === undefined || (reverse ? order(k, after) < 0 : order(k, after) > 0);
        const expected = sorted.filter((k) => k.startsWith(prefix) && past(k)).slice(0, limit);
        expect(store.keys("job-running", asked)).toEqual(expected);
      }),
    );
  });

  it("S3: keeps tables apart", () => {
    const store = make();
    store.put("job-running", "k", { job: JOB });
    store.put("gone-order", "k", { name: fileName("x") });
    store.delete("job-running", "k");
    expect(store.get("gone-order", "k")).toEqual({ name: "x" });
    expect(store.keys("gone-order")).toEqual(["k"]);
  });
});

/** Everything that can be read. */
const everything = (store: CatalogStore): unknown => [
  answer(store, { type: "state" }),
  answer(store, { type: "files", limit: 100 }),
  answer(store, { type: "wanted", limit: 100 }),
  answer(store, { type: "jobs", limit: 100 }),
  answer(store, { type: "running-jobs" }),
  ...["jaaaaaaaaaaaa", "jbbbbbbbbbbbb", "jcccccccccccc"].map((id) =>
    answer(store, { type: "job", id: jobId(id) }),
  ),
];

const readAll = (replica: Replica): unknown => [
  replica.answer({ type: "state" }),
  replica.answer({ type: "files", limit: 100 }),
  replica.answer({ type: "wanted", limit: 100 }),
  replica.answer({ type: "jobs", limit: 100 }),
  replica.answer({ type: "running-jobs" }),
  ...["jaaaaaaaaaaaa", "jbbbbbbbbbbbb", "jcccccccccccc"].map((id) =>
    replica.answer({ type: "job", id: jobId(id) }),
  ),
];

const founded: Command = { type: "cluster-init", ringId: "1".repeat(32) as never };
const story = fc
  .array(
    fc.oneof(
      { weight: 20, arbitrary: command },
      { weight: 1, arbitrary: fc.constant("restart" as const) },
    ),
    {
      maxLength: 60,
      size: "max",
    },
  )
  .map((steps) => [founded, ...steps]);

describe("the catalog's state machine", () => {
  it("does what a naive model does, and C2: a refused command changes nothing", () => {
    fc.assert(
      fc.property(story, (steps) => {
        const store = new MapStore();
        const model = new Model();
        for (const [i, next] of steps.entries()) {
          if (next === "restart") continue;
          const before = everything(store);
          const outcome = apply(store, next, { index: i + 1, now: i });
          const expected = model.apply(next, i);
          expect(verdictOf(next, outcome, expected)).toEqual(expected);
          if (!outcome.ok) expect(everything(store)).toEqual(before);
          const { epoch, filesVersion, members } = answer(store, { type: "state" });
          expect([epoch, filesVersion]).toEqual([model.epoch, model.filesVersion]);
          expect(members.map((m) => `${m.id} ${m.state} ${m.incarnation}`).toSorted()).toEqual(
            [...model.members].map(([id, m]) => `${id} ${m.state} ${m.incarnation}`).toSorted(),
          );
        }
        const { files } = answer(store, { type: "files", limit: 100 });
        expect(
          Object.fromEntries(files.map((f) => [f.name, f.versions.map((v) => v.version)])),
        ).toEqual(Object.fromEntries(model.files));
        for (const [id, job] of model.jobs) {
          const { job: record, tasks } = answer(store, { type: "job", id: jobId(id) });
          expect([record?.state, tasks.length]).toEqual([job.state, job.tasks.size]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("C1: gives the same outcomes and the same state over SQLite as over maps, across restarts and batches", () => {
    fc.assert(
      fc.property(story, fc.integer({ min: 1, max: 7 }), (steps, batchSize) => {
        const dir = freshDir();
        let replica = new Replica(dir, SELF, 0);
        const store = new MapStore();
        // The no-ops of the terms take an index each.
        let index = 1;
        let batch: Command[] = [];
        const commit = (): void => {
          const commands = batch;
          batch = [];
          const expected = commands.map(
            (c): Outcome => apply(store, c, { index: ++index, now: 1 }),
          );
          expect(replica.commit(commands.map(encodeCommand), 1).outcomes).toEqual(expected);
        };
        try {
          for (const next of steps) {
            if (next !== "restart") batch.push(next);
            if (next === "restart" || batch.length >= batchSize) commit();
            if (next !== "restart") continue;
            replica.close();
            replica = new Replica(dir, SELF, 1);
            index++;
          }
          commit();
          expect(readAll(replica)).toEqual(everything(store));
        } finally {
          replica.close();
          rmSync(dir, { recursive: true });
        }
      }),
      { numRuns: 40 },
    );
  });
});
