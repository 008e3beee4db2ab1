/** The command line against the gateway of a cluster in memory: what it prints is documented, so it is held here. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runCommandLine } from "../../src/cli/command-line.ts";
import { type MemoryTerminalOptions, memoryTerminal } from "../../src/cli/memory-terminal.ts";
import { type Gateway, startGateway } from "../../src/node/http/gateway.ts";
import { MemoryCluster } from "../../src/node/http/memory-cluster.ts";

let cluster: MemoryCluster;
let gateway: Gateway;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "ringfold-api-"));
  writeFileSync(join(folder, "job.ts"), "export default 1;");
  writeFileSync(join(folder, "broken.ts"), "export default (;");
  writeFileSync(join(folder, "a.txt"), "hello\n");
  writeFileSync(join(folder, "empty.txt"), "");
});

beforeEach(async () => {
  cluster = await MemoryCluster.start();
  cluster.addFile("books/a.txt", "one\n");
  cluster.addFile("books/b.txt", "two\n");
  gateway = await startGateway({ api: cluster, host: "127.0.0.1", port: 0 });
  return async () => {
    await gateway.close();
    await cluster.stop();
  };
});

afterAll(() => rmSync(folder, { recursive: true }));

function start(args: readonly string[], options: MemoryTerminalOptions = {}) {
  const terminal = memoryTerminal({ cwd: folder, env: { RINGFOLD_NODE: gateway.url }, ...options });
  return { terminal, exit: runCommandLine(args, terminal) };
}

async function ringfold(...args: string[]) {
  const { terminal, exit } = start(args);
  const code = await exit;
  const lines = terminal
    .stdout()
    .split("\n")
    .filter((line) => line !== "");
  return {
    exit: code,
    out: terminal.stdout(),
    err: terminal.stderr(),
    json: () => lines.map((line) => JSON.parse(line)),
  };
}

/** Until the command has said it; the command itself decides when. */
async function said(text: () => string, part: string): Promise<void> {
  while (!text().includes(part)) await turn();
}

describe("the cluster", () => {
  it("status tells health first", async () => {
    const { out, exit } = await ringfold("status");
    expect(out).toContain(
      "Healthy\n\nnodes    1 up\nfiles    2 files, 8 B, 2 blocks\njobs     none running\n",
    );
    expect(exit).toBe(0);
    expect((await ringfold("status", "--json")).json()).toMatchObject([
      { health: { state: "healthy" } },
    ]);
  });

  it("nodes are a table, or a line each", async () => {
    expect((await ringfold("nodes")).out).toMatch(/^name .*\none \(this\) \(leader\) .* up /);
    expect((await ringfold("nodes", "--json")).json()).toMatchObject([
      { name: "one", state: "up" },
    ]);
  });

  it("join-token prints the token alone", async () => {
    expect(await ringfold("join-token", "--ttl", "5m")).toMatchObject({
      out: "rf1.abc\n",
      err: "",
      exit: 0,
    });
    expect((await ringfold("join-token", "--json")).json()).toMatchObject([{ token: "rf1.abc" }]);
  });

  it("leave waits until the node has left", async () => {
    expect((await ringfold("leave", "--json")).json()).toEqual([{ event: "left" }]);
  });
});

describe("files", () => {
  it("are put, listed, shown, read and removed", async () => {
    const put = await ringfold("put", "a.txt", "empty.txt", "--as", "x/", "--replicas", "all");
    expect(put.out).toContain("x/a.txt  6 B, 1 block, replicas: 2 (all)\n");
    expect(put.out).toContain("x/empty.txt  0 B\n");
    expect((await ringfold("ls", "x/*")).out).toMatch(/^name +size .*\nx\/a.txt +6 B /);
    expect((await ringfold("ls", "--json")).json().map((file) => file.name)).toEqual([
      "books/a.txt",
      "books/b.txt",
      "x/a.txt",
      "x/empty.txt",
    ]);
    expect((await ringfold("stat", "x/a.txt")).out).toMatch(/held by\n +0 .* one$/m);
    expect((await ringfold("cat", "x/*", "books/a.txt")).out).toBe("hello\none\n");
    expect((await ringfold("rm", "x/*")).out).toBe("removed x/a.txt\nremoved x/empty.txt\n");
    expect((await ringfold("cat", "x/a.txt")).exit).toBe(1);
  });

  it("sends nothing when one of the local files is missing", async () => {
    const { exit, err } = await ringfold("put", "a.txt", "gone.txt");
    expect(err).toContain("gone.txt: there is no such file or folder (local-file)");
    expect([exit, cluster.stored.has("a.txt")]).toEqual([1, false]);
  });

  it("get writes a whole file or none", async () => {
    expect((await ringfold("get", "books/a.txt", "got.txt")).exit).toBe(0);
    expect(readFileSync(join(folder, "got.txt"), "utf8")).toBe("one\n");
    const missing = await ringfold("get", "books/nope", "never.txt");
    expect(missing).toMatchObject({ exit: 1, err: expect.stringContaining("(no-such-file)") });
    expect(existsSync(join(folder, "never.txt"))).toBe(false);
    const nowhere = await ringfold("get", "books/a.txt", "no/such/folder.txt");
    expect(nowhere).toMatchObject({ exit: 1, err: expect.stringContaining("(local-file)") });
    expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
    expect((await ringfold("get", "books/a.txt", "-")).out).toBe("one\n");
  });
});

describe("run", () => {
  const job = ["run", "job.ts", "--input", "books/*"];

  it("streams the result, with how it went beside it", async () => {
    const { out, err, exit } = await ringfold(...job);
    expect([exit, out]).toEqual([0, "one\ntwo\n"]);
    expect(err).toBe("copy: 2 tasks in 400 ms; output: jobs/j000000000001 (j000000000001)\n");
  });

  it("writes parts to a folder, and does not mix two runs", async () => {
    expect(await ringfold(...job, "--to", "out")).toMatchObject({ exit: 0, out: "" });
    const parts = () => readdirSync(join(folder, "out")).sort();
    expect(parts()).toEqual(["part-00000", "part-00001"]);
    expect(readFileSync(join(folder, "out/part-00001"), "utf8")).toBe("two\n");
    const again = await ringfold(...job, "--to", "out");
    expect(again).toMatchObject({ exit: 4, err: expect.stringContaining("(output-exists)") });
    const one = await ringfold("run", "job.ts", "--input", "books/b*", "--to", "out", "--force");
    expect(one.exit).toBe(0);
    expect(parts()).toEqual(["part-00000"]);
  });

  it("ends with one line for programs", async () => {
    const lines = (await ringfold(...job, "--output", "kept/", "--json")).json();
    expect(lines[0]).toEqual({ event: "submitted", job: "j000000000001" });
    expect(lines.at(-1)).toEqual({
      event: "done",
      job: "j000000000001",
      ms: 400,
      tasks: 2,
      attempts: 2,
      output: "kept",
      counters: {},
      result: null,
    });
    expect((await ringfold("cat", "kept/*")).out).toBe("one\ntwo\n");
  });

  it("hands the job's own flags to the job", async () => {
    await ringfold(...job, "--name", "mine", "--reducers", "3", "--json");
    expect((await ringfold("jobs", "--json")).json()).toMatchObject([
      { name: "mine", state: "done" },
    ]);
    expect((await ringfold("run", "job.ts", "--help-job")).out).toContain("--top <int> ");
  });

  it("says why a job failed, and which", async () => {
    cluster.nextJob = "failed";
    const { exit, err, json } = await ringfold(...job, "--json");
    expect(exit).toBe(1);
    expect(err).toContain(
      "job j000000000001: map of books/a.txt: boom at job.ts:3 (job-threw)\n→ fix: ",
    );
    expect(json().at(-1)).toMatchObject({
      event: "error",
      code: "job-threw",
      job: "j000000000001",
    });
    expect((await ringfold("job", "j000000000001")).out).toContain("boom at job.ts:3");
  });

  it("refuses a job file that is missing or does not compile, and input that matches nothing", async () => {
    expect(await ringfold("run", "gone.ts")).toMatchObject({
      exit: 1,
      err: expect.stringContaining("(local-file)"),
    });
    const broken = await ringfold("run", "broken.ts");
    expect(broken).toMatchObject({
      exit: 2,
      err: expect.stringMatching(/broken\.ts:1:17.*\(job-compile\)/),
    });
    const empty = await ringfold("run", "job.ts", "--input", "nope/*");
    expect(empty).toMatchObject({
      exit: 1,
      err: expect.stringContaining("no file matches nope/* (no-input)"),
    });
  });

  it("--detach prints the id and goes", async () => {
    cluster.nextJob = "running";
    expect(await ringfold(...job, "--detach")).toMatchObject({ out: "j000000000001\n", exit: 0 });
    expect((await ringfold("cancel", "j000000000001")).out).toBe("j000000000001 is cancelled.\n");
    expect((await ringfold("cancel", "j000000000001", "--json")).json()).toMatchObject([
      { event: "cancelled" },
    ]);
  });

  it("Ctrl-C in a script leaves the job running and says how to find it", async () => {
    cluster.nextJob = "running";
    const { terminal, exit } = start([...job, "--json"]);
    await said(terminal.stdout, "submitted");
    await said(terminal.stdout, "progress");
    terminal.interrupt();
    expect(await exit).toBe(130);
    expect(terminal.stderr()).toContain(
      "See it: ringfold job j000000000001. Stop it: ringfold cancel j000000000001.",
    );
    expect((await ringfold("jobs", "--json")).json()).toMatchObject([{ state: "running" }]);
  });

  it("Ctrl-C asks a person: no goes on, yes cancels", async () => {
    cluster.nextJob = "running";
    const { terminal, exit } = start([...job, "--json"], { interactive: true });
    await said(terminal.stdout, "progress");
    terminal.interrupt();
    await said(terminal.stderr, "cancel the job j000000000001? [y/N] ");
    terminal.keys.write("n\n");
    const before = terminal.stdout().length;
    await said(() => terminal.stdout().slice(before), "progress");
    terminal.interrupt();
    await said(() => terminal.stderr().split("\n").at(-1) ?? "", "[y/N] ");
    terminal.keys.write("y\n");
    expect(await exit).toBe(1);
    expect(terminal.stderr()).toContain("job j000000000001 was cancelled (cancelled)");
  });

  it("Ctrl-C twice leaves a person's job running", async () => {
    cluster.nextJob = "running";
    const { terminal, exit } = start([...job, "--json"], { interactive: true });
    await said(terminal.stdout, "progress");
    terminal.interrupt();
    terminal.interrupt();
    expect(await exit).toBe(130);
    expect((await ringfold("jobs", "--json")).json()).toMatchObject([{ state: "running" }]);
  });

  it("says that the job goes on when the node is lost", async () => {
    cluster.nextJob = "running";
    const { terminal, exit } = start([...job, "--json"]);
    await said(terminal.stdout, "progress");
    await gateway.close();
    expect(await exit).toBe(3);
    expect(terminal.stderr()).toContain(
      "the job goes on: ringfold job j000000000001 (not-reachable)",
    );
  });
});
