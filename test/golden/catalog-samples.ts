/** One value of every command and record of the catalog, every optional field given once. */
import { blockId, fileName, jobId, nodeId, ringId } from "../../src/base/ids.ts";
import type { CommandOf, CommandType } from "../../src/catalog/commands.ts";
import type { CatalogTables, TableName } from "../../src/catalog/records.ts";

const block = blockId("c".repeat(64));
const node = nodeId("a".repeat(64));
const job = jobId("j0123456789ab");
const ring = ringId("0123456789abcdef".repeat(2));
const hash = "e".repeat(64);
const at = 1_700_000_000_000;

const addresses = { control: "10.0.0.1:7701", bulk: "[::1]:7702", http: "localhost:7700" };
const self = { name: "n1", zone: "z1", weight: 1.5, slots: 4, addresses, incarnation: 3 };
const position = "8".padEnd(40, "0");
const table = { version: 2, partitions: 2, hosts: [node], rows: [[0], []] };
const content = {
  manifest: block,
  manifestBytes: 120,
  bytes: 5_000_000_000,
  blocks: 1193,
  replicas: 2,
  contentType: "text/plain",
} as const;
const submission = {
  id: job,
  name: "word-count",
  bundle: block,
  plan: block,
  mapTasks: 8,
  reduceTasks: 4,
  output: fileName("out"),
  replicas: "all",
  params: { top: 3, word: "cat", fold: true },
  submittedBy: "cli",
  input: ["books/*"],
} as const;
const output = { parts: [1, null, "x", Uint8Array.of(1, 2)] };
const done = { stage: "map", task: 7, attempt: 1, node, output, counters: { words: 12 } };
const error = { code: "job-threw", message: "word-count.ts:3: boom" } as const;

export const commands: { readonly [T in CommandType]: CommandOf<T> } = {
  "cluster-init": { type: "cluster-init", ringId: ring },
  "token-add": { type: "token-add", hash, expiresAt: at, uses: 3 },
  "member-admit": {
    type: "member-admit",
    member: { id: node, ...self, position },
    tokenHash: hash,
  },
  "member-up": { type: "member-up", id: node, ...self },
  "member-down": { type: "member-down", id: node, incarnation: 3, reason: "silent" },
  "member-leaving": { type: "member-leaving", id: node },
  "member-remove": { type: "member-remove", id: node },
  "table-set": { type: "table-set", table, basedOn: 1 },
  "file-put": { type: "file-put", name: fileName("books/\u{e9}.txt"), expected: 0, content },
  "file-remove": { type: "file-remove", name: fileName("books/a.txt"), expected: 4 },
  "job-submit": { type: "job-submit", job: submission },
  "job-tasks-done": { type: "job-tasks-done", job, tasks: [done] },
  "job-tasks-lost": { type: "job-tasks-lost", job, tasks: [{ stage: "map", task: 7, attempt: 1 }] },
  "job-end": {
    type: "job-end",
    job,
    state: "failed",
    error,
    files: [{ name: fileName("out/part-00000"), ...content }],
    stats: { attempts: 13 },
  },
};

export const records: { readonly [T in TableName]: CatalogTables[T] } = {
  cluster: { ringId: ring, epoch: 12, filesVersion: 34 },
  member: { id: node, ...self, position, state: "leaving", since: at },
  token: { hash, expiresAt: at, uses: 1 },
  table,
  file: { name: fileName("books/a.txt"), versions: [{ version: 2, ...content, at }] },
  gone: { version: 2, at, index: 77 },
  "gone-order": { name: fileName("books/a.txt") },
  job: {
    ...submission,
    state: "done",
    order: 5,
    submittedAt: at,
    endedAt: at + 1.5,
    error,
    counters: { words: 12 },
    stats: { attempts: 13 },
    files: [fileName("out/part-00000")],
  },
  "job-order": { job },
  "job-running": { job },
  "job-ended": { job },
  task: { ...done, at },
};
