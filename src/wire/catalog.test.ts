import { describe, expect, it } from "vitest";
import { RingfoldError } from "../base/errors.ts";
import type { Command } from "../catalog/commands.ts";
import {
  checkedAnswer,
  checkedResult,
  commandBytes,
  commandSchema,
  querySchema,
} from "./catalog.ts";
import { decodeCommand, decodeRecord, encodeCommand } from "./catalog-bytes.ts";

const node = "a".repeat(64);
const block = "c".repeat(64);
const job = "jaaaaaaaaaaaa";
const content = {
  manifest: block,
  manifestBytes: 1,
  bytes: 1,
  blocks: 1,
  replicas: 2,
  contentType: "text/plain",
};
const task = { stage: "map", task: 0, attempt: 0, node, output: null, counters: {} };

function codeOf(work: () => unknown): string {
  try {
    work();
    return "accepted";
  } catch (error) {
    return error instanceof RingfoldError ? error.code : `not trouble: ${String(error)}`;
  }
}

describe("the catalog's schemas", () => {
  it.each<[string, unknown]>([
    ["no object", 7],
    ["no type", {}],
    ["an unknown type", { type: "format-disk" }],
    ["a missing field", { type: "cluster-init" }],
    ["a field too many", { type: "member-leaving", id: node, force: true }],
    ["a node id that is none", { type: "member-remove", id: "A".repeat(64) }],
    ["an incarnation below 0", { type: "member-down", id: node, incarnation: -1, reason: "" }],
    ["a name that leads out", { type: "file-put", name: "../etc/passwd", content }],
    ["0 copies", { type: "file-put", name: "a", content: { ...content, replicas: 0 } }],
    ["half a byte", { type: "file-put", name: "a", content: { ...content, bytes: 0.5 } }],
    ["a token of no use", { type: "token-add", hash: block, expiresAt: 1, uses: 0 }],
    [
      "a table whose row names a host that is not there",
      {
        type: "table-set",
        basedOn: 0,
        table: { version: 1, partitions: 1, hosts: [], rows: [[0]] },
      },
    ],
    [
      "a table that lacks a row",
      {
        type: "table-set",
        basedOn: 0,
        table: { version: 1, partitions: 2, hosts: [], rows: [[]] },
      },
    ],
    ["a stage with a slash", { type: "job-tasks-done", job, tasks: [{ ...task, stage: "a/b" }] }],
    [
      "a task without output",
      { type: "job-tasks-done", job, tasks: [{ ...task, output: undefined }] },
    ],
    ["an end that is no end", { type: "job-end", job, state: "running", files: [], stats: {} }],
    [
      "an unknown error code",
      {
        type: "job-end",
        job,
        state: "failed",
        files: [],
        stats: {},
        error: { code: "oops", message: "" },
      },
    ],
  ])("refuse a command with %s", (_what, value) => {
    expect(commandSchema.safeParse(value).success).toBe(false);
    expect(codeOf(() => commandBytes(value as Command))).toBe("bad-request");
  });

  it("refuse queries, results and answers that do not fit", () => {
    expect(querySchema.safeParse({ type: "files", limit: 0 }).success).toBe(false);
    expect(querySchema.safeParse({ type: "secrets" }).success).toBe(false);
    expect(codeOf(() => checkedResult("file-remove", { version: "1" }))).toBe("protocol");
    expect(codeOf(() => checkedAnswer("file", { file: { name: "a", versions: [] } }))).toBe(
      "protocol",
    );
    expect(checkedAnswer("state", { epoch: 0, filesVersion: 0, members: [] }).members).toEqual([]);
  });

  it("refuse a command that is too large, or holds what no bytes can say", () => {
    const done = (output: unknown) =>
      ({ type: "job-tasks-done", job, tasks: [{ ...task, output }] }) as unknown as Command;
    expect(codeOf(() => commandBytes(done(new Uint8Array(9 << 20))))).toBe("too-large");
    expect(codeOf(() => commandBytes(done(() => 1)))).toBe("bad-request");
    let deep: unknown = 1;
    for (let i = 0; i < 40; i++) deep = [deep];
    expect(codeOf(() => decodeCommand(commandBytes(done(deep))))).toBe("protocol");
  });
});

describe("the catalog's bytes", () => {
  it("W10: begin with their version, and refuse another by its number", () => {
    const bytes = encodeCommand({ type: "member-leaving", id: node as never });
    expect(bytes[0]).toBe(1);
    const newer = Uint8Array.of(2, ...bytes.subarray(1));
    expect(() => decodeCommand(newer)).toThrow("format 2, not 1");
    expect(codeOf(() => decodeCommand(newer))).toBe("protocol");
    expect(codeOf(() => decodeRecord("file", new Uint8Array(0)))).toBe("protocol");
    expect(codeOf(() => decodeCommand(bytes.subarray(0, 20)))).toBe("protocol");
  });
});
