import { describe, expect, it } from "vitest";
import { blockId, type FileName, fileName, jobId, nodeId, ringId } from "../base/ids.ts";
import type {
  Command,
  CommandOf,
  CommandType,
  FileContent,
  Outcome,
  ResultOf,
} from "./commands.ts";
import { MapStore } from "./map-store.ts";
import type { QueryOf } from "./queries.ts";
import { answer } from "./read.ts";
import { GONE_KEPT_MS, type JobSubmission, KEPT_JOBS, KEPT_VERSIONS } from "./records.ts";
import { apply, type ChangedPart, watchedStore } from "./state-machine.ts";

const RING = ringId("1".repeat(32));
const [A, B] = [nodeId("a".repeat(64)), nodeId("b".repeat(64))];
const TOKEN = "e".repeat(64);
const HOUR = 3_600_000;

/** A catalog and its clock. */
class Ledger {
  readonly changed = new Set<ChangedPart>();
  readonly store = watchedStore(new MapStore(), this.changed);
  now = 1000;
  #index = 0;

  apply(command: Command): Outcome {
    this.changed.clear();
    return apply(this.store, command, { index: ++this.#index, now: this.now });
  }

  done<T extends CommandType>(command: CommandOf<T>): ResultOf<T> {
    const outcome = this.apply(command);
    if (!outcome.ok) throw new TypeError(`refused: ${outcome.refusal.why}`);
    return outcome.result as ResultOf<T>;
  }

  refused(command: Command): string {
    const outcome = this.apply(command);
    return outcome.ok ? "done" : outcome.refusal.why;
  }

  get state() {
    return answer(this.store, { type: "state" });
  }
}

function founded(): Ledger {
  const ledger = new Ledger();
  ledger.done({ type: "cluster-init", ringId: RING });
  return ledger;
}

const at = (port: number) => {
  const address = `127.0.0.1:${port}`;
  return { control: address, bulk: address, http: address };
};

const admit = (
  id = A,
  more: Partial<CommandOf<"member-admit">> = {},
): CommandOf<"member-admit"> => ({
  type: "member-admit",
  member: {
    id,
    name: `node-${id.slice(0, 1)}`,
    zone: "z",
    weight: 1,
    slots: 2,
    position: id.slice(0, 40),
    addresses: at(1),
    incarnation: 1,
  },
  ...more,
});

const up = (
  incarnation: number,
  more: Partial<CommandOf<"member-up">> = {},
): CommandOf<"member-up"> => ({
  type: "member-up",
  id: A,
  incarnation,
  addresses: at(1),
  slots: 2,
  ...more,
});

const content = (digit = "c"): FileContent => ({
  manifest: blockId(digit.repeat(64)),
  manifestBytes: 90,
  bytes: 1000,
  blocks: 1,
  replicas: 2,
  contentType: "text/plain",
});

const put = (name: string, expected?: number): CommandOf<"file-put"> => ({
  type: "file-put",
  name: fileName(name),
  expected,
  content: content(),
});

const JOB = jobId("jaaaaaaaaaaaa");
const submit = (job: Partial<JobSubmission> = {}): CommandOf<"job-submit"> => ({
  type: "job-submit",
  job: {
    id: JOB,
    name: "count",
    bundle: blockId("1".repeat(64)),
    plan: blockId("2".repeat(64)),
    mapTasks: 2,
    reduceTasks: 1,
    output: fileName("out"),
    replicas: 2,
    params: {},
    submittedBy: A,
    input: ["books/*"],
    ...job,
  },
});

const tasksDone = (attempt: number, ...tasks: number[]): CommandOf<"job-tasks-done"> => ({
  type: "job-tasks-done",
  job: JOB,
  tasks: tasks.map((task) => ({
    stage: "map",
    task,
    attempt,
    node: A,
    output: { segment: task },
    counters: { words: 10 },
  })),
});

const end = (
  state: "done" | "failed" | "cancelled" = "done",
  ...names: string[]
): CommandOf<"job-end"> => ({
  type: "job-end",
  job: JOB,
  state,
  files: names.map((name) => ({ name: name as FileName, ...content() })),
  stats: { attempts: 3 },
});

const tasksOf = (ledger: Ledger) =>
  answer(ledger.store, { type: "job", id: JOB }).tasks.map((t) => `${t.task}#${t.attempt}`);

describe("the members", () => {
  it("C4: accepts nothing before the cluster is founded, and founds it once", () => {
    const ledger = new Ledger();
    expect(ledger.refused(admit())).toBe("wrong-cluster");
    ledger.done({ type: "cluster-init", ringId: RING });
    ledger.done({ type: "cluster-init", ringId: RING });
    const other = ringId("2".repeat(32));
    expect(ledger.refused({ type: "cluster-init", ringId: other })).toBe("wrong-cluster");
  });

  it("C10: gives one epoch to each real change, and none to what changes nothing", () => {
    const ledger = founded();
    expect(ledger.done(admit()).epoch).toBe(1);
    expect(ledger.done(up(1))).toMatchObject({ epoch: 1, changed: false });
    expect(ledger.done(up(1, { addresses: at(2) }))).toMatchObject({ epoch: 2, changed: true });
    expect(ledger.done({ type: "member-leaving", id: A }).epoch).toBe(3);
    expect(ledger.done({ type: "member-leaving", id: A }).epoch).toBe(3);
    expect(ledger.done({ type: "member-remove", id: A }).epoch).toBe(4);
    expect(ledger.state.members).toEqual([]);
  });

  it("C11: does not let an older incarnation undo a newer one", () => {
    const ledger = founded();
    ledger.done(admit());
    ledger.done(up(3));
    expect(ledger.refused(up(2))).toBe("data-dir-in-use");
    const late = { type: "member-down", id: A, incarnation: 2, reason: "closed" } as const;
    expect(ledger.done(late).changed).toBe(false);
    expect(ledger.done({ ...late, incarnation: 3 }).changed).toBe(true);
    expect(ledger.done(up(3)).member.state).toBe("up");
  });

  it("keeps a leaving member leaving until it starts again", () => {
    const ledger = founded();
    ledger.done(admit());
    ledger.done({ type: "member-leaving", id: A });
    expect(ledger.done(up(1)).member.state).toBe("leaving");
    expect(ledger.done(up(2)).member.state).toBe("up");
  });

  it("refuses members and nodes that it does not know", () => {
    const ledger = founded();
    expect(ledger.refused(up(1))).toBe("not-a-member");
    expect(ledger.refused({ type: "member-leaving", id: B })).toBe("no-such-node");
    expect(ledger.refused({ type: "member-remove", id: B })).toBe("no-such-node");
  });

  it("needs a token for everybody but the founder, even when the founder has gone", () => {
    const ledger = founded();
    ledger.done(admit());
    expect(ledger.refused(admit(B))).toBe("token-wrong");
    ledger.done({ type: "member-remove", id: A });
    expect(ledger.refused(admit(B))).toBe("token-wrong");
  });

  it("C12: a token admits as many as it has uses, and spends none on a member that asks again", () => {
    const ledger = founded();
    ledger.done(admit());
    ledger.done({ type: "token-add", hash: TOKEN, expiresAt: ledger.now + HOUR, uses: 1 });
    expect(ledger.refused(admit(B, { tokenHash: "f".repeat(64) }))).toBe("token-wrong");
    expect(ledger.done(admit(A, { tokenHash: TOKEN })).changed).toBe(false);
    expect(ledger.done(admit(B, { tokenHash: TOKEN })).changed).toBe(true);
    expect(ledger.done(admit(B, { tokenHash: TOKEN })).changed).toBe(false);
    const C = nodeId("c".repeat(64));
    expect(ledger.refused(admit(C, { tokenHash: TOKEN }))).toBe("token-wrong");
  });

  it("C12: refuses a token after its expiry by the entry's clock", () => {
    const ledger = founded();
    ledger.done(admit());
    ledger.done({ type: "token-add", hash: TOKEN, expiresAt: ledger.now + HOUR, uses: 9 });
    ledger.now += HOUR;
    expect(ledger.refused(admit(B, { tokenHash: TOKEN }))).toBe("token-expired");
    const again = { type: "token-add", hash: TOKEN, expiresAt: ledger.now, uses: 1 } as const;
    expect(ledger.refused(again)).toBe("bad-request");
  });

  it("refuses a place on the circle that was taken meanwhile", () => {
    const ledger = founded();
    ledger.done(admit());
    ledger.done({ type: "token-add", hash: TOKEN, expiresAt: ledger.now + HOUR, uses: 9 });
    const clash = admit(B, { tokenHash: TOKEN });
    const member = { ...clash.member, position: A.slice(0, 40) };
    expect(ledger.refused({ ...clash, member })).toBe("version-conflict");
  });

  it("C13: a table replaces exactly the one that it was computed from", () => {
    const ledger = founded();
    const table = { version: 1, partitions: 1, hosts: [A], rows: [[0]] };
    expect(ledger.done({ type: "table-set", table, basedOn: 0 }).version).toBe(1);
    expect([...ledger.changed]).toEqual(["table"]);
    const set = (version: number, basedOn: number) =>
      ledger.refused({ type: "table-set", table: { ...table, version }, basedOn });
    expect(set(2, 0)).toBe("version-conflict");
    expect(set(1, 1)).toBe("version-conflict");
    expect(set(2, 1)).toBe("done");
  });
});

describe("the files", () => {
  const versions = (ledger: Ledger, name: string) =>
    answer(ledger.store, { type: "file", name: fileName(name) }).file?.versions.map(
      (v) => v.version,
    );

  it("C21: a write that expects a version succeeds only on that version", () => {
    const ledger = founded();
    expect(ledger.done(put("a", 0)).file.version).toBe(1);
    expect(ledger.refused(put("a", 0))).toBe("version-conflict");
    expect(ledger.done(put("a", 1)).file.version).toBe(2);
    expect(ledger.done(put("a")).file.version).toBe(3);
    const remove = { type: "file-remove", name: fileName("a") } as const;
    expect(ledger.refused({ ...remove, expected: 1 })).toBe("version-conflict");
    expect(ledger.done({ ...remove, expected: 3 }).version).toBe(3);
    expect(ledger.refused(remove)).toBe("no-such-file");
  });

  it("keeps the last older versions of a name", () => {
    const ledger = founded();
    for (let i = 0; i < KEPT_VERSIONS + 3; i++) ledger.done(put("a"));
    expect(versions(ledger, "a")).toEqual([6, 5, 4, 3]);
    const { manifests } = answer(ledger.store, { type: "wanted", limit: 9 });
    expect(manifests.map((m) => m.version)).toEqual([6, 5, 4, 3]);
  });

  it("C20: goes on counting the versions of a name that was removed, for a day", () => {
    const ledger = founded();
    const remove = { type: "file-remove", name: fileName("a") } as const;
    ledger.done(put("a"));
    ledger.done(put("a"));
    ledger.done(remove);
    expect(ledger.refused(put("a", 2))).toBe("version-conflict");
    expect(ledger.done(put("a", 0)).file.version).toBe(3);
    ledger.now += HOUR;
    ledger.done(remove);
    // The first removal is a day old, the second is not: it still counts.
    ledger.now += GONE_KEPT_MS - HOUR;
    ledger.done(put("b"));
    ledger.done({ type: "file-remove", name: fileName("b") });
    expect(ledger.store.keys("gone")).toEqual(["a", "b"]);
    ledger.now += HOUR;
    ledger.done(put("c"));
    ledger.done({ type: "file-remove", name: fileName("c") });
    expect(ledger.store.keys("gone")).toEqual(["b", "c"]);
    expect(ledger.store.keys("gone-order")).toHaveLength(2);
    expect(ledger.done(put("a")).file.version).toBe(1);
  });

  it("C22: counts each change of the files, and tells which parts a command changed", () => {
    const ledger = founded();
    ledger.done(put("a"));
    expect(ledger.state.filesVersion).toBe(1);
    expect([...ledger.changed].toSorted()).toEqual(["cluster", "files"]);
    expect(ledger.refused(put("a", 9))).toBe("version-conflict");
    expect([...ledger.changed]).toEqual([]);
    expect(ledger.state.filesVersion).toBe(1);
    ledger.done({ type: "file-remove", name: fileName("a") });
    expect(ledger.state.filesVersion).toBe(2);
  });
});

describe("the jobs", () => {
  it("C31: the first finisher of a task counts, until it is lost", () => {
    const ledger = founded();
    ledger.done(submit());
    expect(ledger.done(tasksDone(1, 0, 1)).recorded).toHaveLength(2);
    expect(ledger.done(tasksDone(2, 1, 2))).toMatchObject({
      running: true,
      recorded: [{ stage: "map", task: 2 }],
      ignored: [{ stage: "map", task: 1 }],
    });
    expect(tasksOf(ledger)).toEqual(["0#1", "1#1", "2#2"]);
    const lost = (attempt: number) =>
      ledger.done({
        type: "job-tasks-lost",
        job: JOB,
        tasks: [{ stage: "map", task: 1, attempt }],
      });
    expect(lost(2).removed).toEqual([]);
    expect(lost(1).removed).toEqual([{ stage: "map", task: 1 }]);
    expect(ledger.done(tasksDone(3, 1)).recorded).toHaveLength(1);
    expect(tasksOf(ledger)).toEqual(["0#1", "1#3", "2#2"]);
  });

  it("C30: ends once, with all its files, the sum of its counters, and no task records", () => {
    const ledger = founded();
    ledger.done(submit());
    ledger.done(tasksDone(1, 0, 1));
    expect(ledger.done(end("done", "out/part-0", "out/part-1")).counters).toEqual({ words: 20 });
    expect(ledger.refused(end("failed"))).toBe("job-ended");
    expect(ledger.done(tasksDone(1, 3))).toMatchObject({ running: false, recorded: [] });
    const { job, tasks } = answer(ledger.store, { type: "job", id: JOB });
    expect(job).toMatchObject({ state: "done", endedAt: 1000, stats: { attempts: 3 } });
    expect(job?.files).toEqual(["out/part-0", "out/part-1"]);
    expect(tasks).toEqual([]);
    expect(answer(ledger.store, { type: "files", glob: "out/*", limit: 9 }).files).toHaveLength(2);
    expect(answer(ledger.store, { type: "running-jobs" }).jobs).toEqual([]);
    expect(ledger.state.filesVersion).toBe(1);
  });

  it("C30: registers none of the files when one cannot be", () => {
    const ledger = founded();
    ledger.done(submit());
    ledger.done(put("out/b"));
    expect(ledger.refused(end("done", "out/a", "out/b"))).toBe("output-exists");
    expect(ledger.refused(end("done", "out/a", "elsewhere"))).toBe("bad-request");
    expect(ledger.refused(end("done", "out/a", "out/a"))).toBe("bad-request");
    expect(ledger.refused(end("failed", "out/a"))).toBe("bad-request");
    expect(answer(ledger.store, { type: "files", limit: 9 }).files).toHaveLength(1);
    expect(ledger.done({ ...end("failed"), error: { code: "job-threw", message: "x" } })).toEqual({
      counters: {},
    });
  });

  it("C32: refuses a folder that holds names, or that a running job writes to", () => {
    const ledger = founded();
    ledger.done(put("old/a"));
    ledger.done(put("outer"));
    expect(ledger.refused(submit({ output: fileName("old") }))).toBe("output-exists");
    expect(ledger.refused(submit({ output: fileName("outer") }))).toBe("output-exists");
    ledger.done(submit());
    const second = { id: jobId("jbbbbbbbbbbbb") };
    for (const output of ["out", "out/sub"]) {
      expect(ledger.refused(submit({ ...second, output: fileName(output) }))).toBe("output-exists");
    }
    expect(ledger.refused(submit({ ...second, output: fileName("out2") }))).toBe("done");
  });

  it("takes the same submission twice as one, and refuses another under its id", () => {
    const ledger = founded();
    const { order } = ledger.done(submit());
    expect(ledger.done(submit())).toEqual({ order, fresh: false });
    expect(ledger.refused(submit({ plan: blockId("9".repeat(64)) }))).toBe("bad-request");
    expect(ledger.refused({ ...end(), job: jobId("jzzzzzzzzzzzz") })).toBe("no-such-job");
  });

  it("C33: remembers the last ended jobs, and every running one", () => {
    const ledger = founded();
    ledger.done(submit({ output: fileName("first") }));
    for (let i = 0; i < KEPT_JOBS + 5; i++) {
      const id = jobId(`j${String(i).padStart(12, "0")}`);
      ledger.done(submit({ id, output: fileName(`out/${i}`) }));
      ledger.done({ ...end("cancelled"), job: id });
    }
    const { jobs } = answer(ledger.store, { type: "jobs", limit: 1000 });
    expect(jobs).toHaveLength(KEPT_JOBS + 1);
    expect(jobs[0]?.id).toBe("j000000000204");
    expect(jobs.at(-2)?.id).toBe("j000000000005");
    expect(jobs.at(-1)?.id).toBe(JOB);
    expect(ledger.store.keys("job-order")).toHaveLength(KEPT_JOBS + 1);
  });
});

describe("queries", () => {
  /** All pages of a query. */
  function pages<T extends "files" | "jobs" | "wanted">(
    ledger: Ledger,
    query: QueryOf<T>,
    size: (page: never) => number,
  ) {
    const sizes: number[] = [];
    let after: string | undefined;
    do {
      const page = answer<T>(ledger.store, { ...query, after });
      sizes.push(size(page as never));
      after = page.next;
    } while (after !== undefined);
    return sizes;
  }

  it("C40: gives every record once over its pages", () => {
    const ledger = founded();
    for (let i = 0; i < 25; i++) ledger.done(put(`${i % 2 === 0 ? "even" : "odd"}/${i}`));
    const count = (page: { files: readonly unknown[] }): number => page.files.length;
    expect(pages(ledger, { type: "files", limit: 10 }, count)).toEqual([10, 10, 5]);
    expect(pages(ledger, { type: "files", glob: "odd/*", limit: 5 }, count)).toEqual([5, 5, 2]);
    expect(pages(ledger, { type: "files", prefix: "even/", limit: 13 }, count)).toEqual([13]);
    const both = { type: "files", prefix: "even/1", glob: "*/?", limit: 13 } as const;
    expect(pages(ledger, both, count)).toEqual([0]);
    const manifests = (page: { manifests: readonly unknown[] }): number => page.manifests.length;
    expect(pages(ledger, { type: "wanted", limit: 20 }, manifests)).toEqual([20, 5]);
    ledger.done(submit());
    ledger.done(tasksDone(1, ...Array.from({ length: 7 }, (_, i) => i)));
    const first = answer(ledger.store, { type: "job", id: JOB, limit: 5 });
    const rest = answer(ledger.store, { type: "job", id: JOB, limit: 5, after: first.next });
    expect([...first.tasks, ...rest.tasks].map((t) => t.task)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("gives all tasks of a job when no limit is given, however many", () => {
    const ledger = founded();
    ledger.done(submit());
    ledger.done(tasksDone(1, ...Array.from({ length: 1200 }, (_, i) => i)));
    const { tasks, next } = answer(ledger.store, { type: "job", id: JOB });
    expect([tasks.length, next]).toEqual([1200, undefined]);
  });

  it("C41: looks at a bounded number of names at a time, and says where to go on", () => {
    const ledger = founded();
    const name = (i: number): FileName => `n/${String(i).padStart(6, "0")}` as FileName;
    for (let i = 0; i < 10_002; i++) {
      const record = { version: 1, ...content(), at: 0 };
      ledger.store.put("file", name(i), { name: name(i), versions: [record] });
    }
    const first = answer(ledger.store, { type: "files", glob: "n/*1", prefix: "n/0100", limit: 9 });
    expect(first.files.map((f) => f.name)).toEqual(["n/010001"]);
    const far = answer(ledger.store, { type: "files", glob: "*/010001", limit: 9 });
    expect(far).toEqual({ files: [], next: "n/009999" });
    const found = answer(ledger.store, {
      type: "files",
      glob: "*/010001",
      limit: 9,
      after: far.next,
    });
    expect(found.files).toHaveLength(1);
    expect(found.next).toBeUndefined();
  });

  it("knows nothing before the first command", () => {
    const store = new MapStore();
    expect(answer(store, { type: "state" })).toEqual({ epoch: 0, filesVersion: 0, members: [] });
    expect(answer(store, { type: "job", id: JOB })).toEqual({ tasks: [] });
  });
});
