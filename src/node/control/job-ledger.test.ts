import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { RingfoldError } from "../../base/errors.ts";
import { jobId, nodeId } from "../../base/ids.ts";
import type { CommandOf } from "../../catalog/commands.ts";
import type { TaskRecord } from "../../jobs/task.ts";
import type { Catalog } from "../catalog/catalog-port.ts";
import { JobLedger } from "./job-ledger.ts";

const job = jobId("j0123456789ab");
const node = nodeId("a".repeat(64));
const log = pino({ level: "silent" });

const done = (task: number, attempt = 1): TaskRecord => ({
  phase: "map",
  task,
  attempt,
  node,
  result: { output: { kind: "segments", partitions: [] }, records: 1, counters: {}, ms: 1 },
});

const ending = { state: "done" as const, files: [], stats: {} };

/** Takes commands as the catalog would, after failing as often as it is told to. */
class FakeCatalog {
  readonly taken: CommandOf<"job-end" | "job-tasks-done" | "job-tasks-lost">[] = [];
  readonly failures: RingfoldError[] = [];
  readonly recorded = new Map<number, TaskRecord>();

  async propose(command: CommandOf<"job-end" | "job-tasks-done" | "job-tasks-lost">) {
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    this.taken.push(command);
    if (command.type !== "job-tasks-done") return {};
    const fresh = command.tasks.filter(({ task }) => !this.recorded.has(task));
    for (const { task, attempt } of fresh) this.recorded.set(task, done(task, attempt));
    return { running: true, recorded: fresh.map(({ task }) => ({ stage: "map", task })) };
  }

  async query() {
    const tasks = [...this.recorded.values()].map(({ task, attempt, result }) => ({
      stage: "map",
      task,
      attempt,
      node,
      at: 0,
      output: result,
      counters: {},
    }));
    return { tasks };
  }
}

function ledger() {
  const catalog = new FakeCatalog();
  const parts = { catalog: catalog as unknown as Catalog, log, pause: 1 };
  return { catalog, ledger: new JobLedger(parts) };
}

describe("the coordinator's ledger", () => {
  test("tells what was accepted, and of what was not, which attempt counts", async () => {
    const { ledger: book } = ledger();
    await book.record(job, [done(0, 2)]);
    const answer = await book.record(job, [done(0, 3), done(1)]);
    expect(answer.accepted).toEqual([{ phase: "map", task: 1, attempt: 1 }]);
    expect(answer.ignored).toEqual([{ phase: "map", task: 0, attempt: 3, winner: done(0, 2) }]);
  });

  test("enters one thing after the other, also when the catalog is full for a while", async () => {
    const { catalog, ledger: book } = ledger();
    catalog.failures.push(
      new RingfoldError("disk-full", "no room"),
      new RingfoldError("overloaded", "too many"),
    );
    const first = book.record(job, [done(0)]);
    const second = book.lost(job, [{ phase: "map", task: 0, attempt: 1 }]);
    await Promise.all([first, second, book.end(job, ending)]);
    expect(catalog.taken.map(({ type }) => type)).toEqual([
      "job-tasks-done",
      "job-tasks-lost",
      "job-end",
    ]);
  });

  test("a job whose end is refused fails with the reason", async () => {
    const { catalog, ledger: book } = ledger();
    catalog.failures.push(new RingfoldError("output-exists", "out/part-00000 was written"));
    const ended = await book.end(job, ending);
    expect(ended).toMatchObject({ state: "failed", error: { code: "output-exists" } });
    expect(catalog.taken).toMatchObject([{ type: "job-end", state: "failed", files: [] }]);
  });

  test("what is refused for good is not tried again", async () => {
    const { catalog, ledger: book } = ledger();
    catalog.failures.push(new RingfoldError("no-such-job", "it is gone"));
    await expect(book.record(job, [done(0)])).rejects.toMatchObject({ code: "no-such-job" });
    await book.settled(job);
    expect(catalog.taken).toEqual([]);
  });
});
