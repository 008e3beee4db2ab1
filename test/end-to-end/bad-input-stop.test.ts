/** Ctrl-C and killed processes at any moment: nothing half done is left, the command says what is, the node lives on. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RINGFOLD } from "../../src/cli/child-node.ts";
import { ringfold } from "./bad-input.ts";
import { type Ended, TestCluster, waitFor } from "./cluster.ts";

const BIG = randomBytes(48 << 20);
const SEEN_MS = 20_000;
const LOOP = `import { defineJob, t, text } from "ringfold";
export default defineJob({ name: "loop", input: text.lines(), key: t.string, value: t.u32, map() { for (;;); } });
`;

let cluster: TestCluster;
let cwd: string;

beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 1 });
  cwd = join(cluster.temporary, "../work");
  mkdirSync(cwd);
  writeFileSync(join(cwd, "big"), BIG);
  writeFileSync(join(cwd, "small.txt"), "one two\n");
  writeFileSync(join(cwd, "loop.ts"), LOOP);
  const stored = await run(["put", "big", "small.txt", "--replicas", "1"]);
  expect(stored.code, stored.errors).toBe(0);
});
afterAll(() => cluster.close());

const run = (args: readonly string[], act?: (child: ChildProcess) => Promise<void>) =>
  ringfold(args, { cwd, node: cluster.first.http, ...(act === undefined ? {} : { act }) });

/** Ctrl-C as soon as something is seen, unless the command ends first. */
const interruptWhen =
  (what: string, seen: () => boolean | Promise<boolean>) =>
  async (child: ChildProcess): Promise<void> => {
    const over = (): boolean => child.exitCode !== null || child.signalCode !== null;
    await waitFor(what, async () => over() || (await seen()), SEEN_MS);
    if (!over()) child.kill("SIGINT");
  };

/** Again until the moment was met: a fast machine may be done before. */
async function interrupted(attempt: () => Promise<Ended>): Promise<Ended> {
  for (let tries = 0; tries < 10; tries++) {
    const ended = await attempt();
    if (ended.code === 130) return ended;
    expect(ended.code, ended.errors).toBe(0);
  }
  throw new Error("Ctrl-C always came late");
}

const dataPid = async (): Promise<number> =>
  (await cluster.first.client.status()).processes.find(({ kind }) => kind === "data")?.pid ?? 0;

const runningJobs = async (): Promise<string[]> =>
  (await cluster.first.client.jobs()).jobs
    .filter(({ state }) => state === "running")
    .map(({ id }) => id);

const local = (): string[] => readdirSync(cwd).sort();

describe("Ctrl-C", () => {
  test("during get leaves no part of a file, and the old one as it was", async () => {
    mkdirSync(join(cwd, "into"));
    const part = (): boolean =>
      readdirSync(join(cwd, "into")).some((name) => name.endsWith(".part"));
    const ended = await interrupted(() => {
      writeFileSync(join(cwd, "into/big"), "old");
      return run(["get", "big", "into/"], interruptWhen("a part", part));
    });
    expect(ended.errors).toContain("Stopped: ");
    expect(readdirSync(join(cwd, "into"))).toEqual(["big"]);
    expect(readFileSync(join(cwd, "into/big"), "utf8")).toBe("old");
  });

  test("during put stores nothing, and says so", async () => {
    const before = local();
    // A data process that stands still makes the moment last.
    const data = await dataPid();
    const sockets = (pid: number | undefined): number =>
      spawnSync("ls", ["-l", `/proc/${pid}/fd`])
        .stdout.toString()
        .split("socket:").length - 1;
    process.kill(data, "SIGSTOP");
    try {
      const put = (child: ChildProcess): Promise<void> =>
        interruptWhen("a connection", () => sockets(child.pid) >= 4)(child);
      const ended = await run(["put", "big", "--as", "never", "--replicas", "1"], put);
      expect(ended).toMatchObject({ code: 130, output: "" });
      expect(ended.errors).toContain("Stopped: 0 of 1 file stored.");
    } finally {
      process.kill(data, "SIGCONT");
    }
    expect(local()).toEqual(before);
    expect((await run(["stat", "never"])).errors).toContain("no-such-file");
    expect((await run(["put", "small.txt", "--as", "after", "--replicas", "1"])).code).toBe(0);
  });

  test("during run leaves the job as the message says", async () => {
    const seen = interruptWhen("the job", async () => (await runningJobs()).length > 0);
    const ended = await run(["run", "loop.ts", "--input", "small.txt"], seen);
    expect(ended).toMatchObject({ code: 130, output: "" });
    const [, id = ""] = /^The job (\w+) goes on\..*cancel \1\.$/m.exec(ended.errors) ?? [];
    expect(await runningJobs()).toEqual([id]);
    expect(await run(["cancel", id])).toMatchObject({ code: 0 });
    await waitFor("the end of the job", async () => (await runningJobs()).length === 0);
  });

  test("during run --local leaves no process and no folder", async () => {
    const before = local();
    let group = 0;
    const ended = await run(
      ["run", "loop.ts", "--local", "--input", "small.txt"],
      async (child) => {
        group = child.pid ?? 0;
        const folder = (): boolean => local().some((name) => name.startsWith("ringfold-local-"));
        await interruptWhen("the nodes", folder)(child);
      },
    );
    expect(ended.code).toBe(130);
    expect(local()).toEqual(before);
    const left = async (): Promise<boolean> => spawnSync("pgrep", ["-g", `${group}`]).status !== 0;
    await waitFor("the end of all its processes", left);
  });

  test("ends up in order, at its start too, and the next start takes it up", async () => {
    const up = [
      "up",
      "--json",
      "--data",
      "again",
      "--listen",
      "127.0.0.1:0",
      "--http",
      "127.0.0.1:0",
    ];
    const folder = (): boolean => local().includes("again");
    expect((await run(up, interruptWhen("its folder", folder))).code).toBe(130);
    for (let start = 0; start < 2; start++) {
      const ended = await run(up, async (child) => {
        if (child.stdout !== null) await once(child.stdout, "data");
        child.kill("SIGINT");
      });
      expect(ended).toMatchObject({ code: 130, errors: "" });
      expect(ended.output).toContain('"event":"ready"');
    }
  });

  const tmux = spawnSync("tmux", ["-V"]).status === 0;
  test.skipIf(!tmux)("asks in a terminal before it cancels (needs tmux)", async () => {
    const socket = join(cwd, "tmux");
    const call = (...args: string[]): string => {
      const { status, stdout, stderr } = spawnSync("tmux", [
        "-S",
        socket,
        "-f",
        "/dev/null",
        ...args,
      ]);
      if (status !== 0) throw new Error(`tmux ${args.join(" ")}: ${stderr.toString()}`);
      return stdout.toString();
    };
    const shown = (wanted: RegExp): Promise<string | undefined | false> =>
      waitFor(String(wanted), async () => {
        const screen = call("capture-pane", "-p");
        if (wanted.test(screen)) return screen;
        throw new Error(screen);
      });
    const shell = `${RINGFOLD} run loop.ts --input small.txt --node ${cluster.first.http}; echo "exit=$?"; stty -a; cat`;
    spawn(
      "tmux",
      ["-S", socket, "-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", shell],
      { cwd, stdio: "ignore" },
    );
    try {
      await waitFor("the job", async () => (await runningJobs()).length > 0);
      await shown(/loop: map 0\/1/);
      call("send-keys", "C-c");
      await shown(/cancel the job \w+\? \[y\/N\]/);
      call("send-keys", "y", "Enter");
      const screen = await shown(/exit=1/);
      expect(screen).toMatch(/was cancelled \(cancelled\)/);
      expect(String(await shown(/ icanon /))).toMatch(/ echo /);
      expect(await runningJobs()).toEqual([]);
    } finally {
      call("kill-server");
    }
  });
});

describe("a killed data process", () => {
  test.each([
    ["put", ["put", "big", "--as", "killed", "--replicas", "1"]],
    ["get", ["get", "big", "got"]],
  ] as const)(
    "during %s gives an answer or an error to try again, and is back by itself",
    async (_what, args) => {
      const kill = async (): Promise<void> =>
        void (await cluster.killProcesses(cluster.first, "data"));
      const ended = await run(args, kill);
      if (ended.code !== 0) {
        expect(ended.errors).toMatch(
          /^ringfold: .*\((data-process|not-reachable|block-missing|deadline)\)$/m,
        );
      }
      await waitFor(
        "the same command to succeed",
        async () => (await run(args)).code === 0,
        15_000,
      );
      expect(
        (await run(["get", args[1] === "big" && args[0] === "put" ? "killed" : "big", "back"]))
          .code,
      ).toBe(0);
      expect(readFileSync(join(cwd, "back")).equals(BIG)).toBe(true);
      expect(local().filter((name) => name.endsWith(".part"))).toEqual([]);
    },
  );
});
