/** A full disk, real: a small file system of its own. Needs root to mount it, and says so elsewhere. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChildNodes, RINGFOLD } from "../../src/cli/child-node.ts";
import { expectRefusal, ringfold } from "./bad-input.ts";
import { type Ended, waitFor } from "./cluster.ts";

/** The node keeps 64 MiB of it for itself. */
const SIZE = "160m";
const LARGE = randomBytes(60 << 20);

const root = mkdtempSync(join(tmpdir(), "ringfold-full-"));
const disk = join(root, "disk");
const cwd = join(root, "work");
mkdirSync(disk);
mkdirSync(cwd);
const mounted =
  process.platform === "linux" &&
  spawnSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE}`, "tmpfs", disk]).status === 0;

let nodes: ChildNodes;
let http: string;

beforeAll(async () => {
  nodes = new ChildNodes("full-disk");
  if (!mounted) return;
  writeFileSync(join(cwd, "large"), LARGE);
  writeFileSync(join(cwd, "other"), randomBytes(60 << 20));
  writeFileSync(join(cwd, "small.txt"), "one two\n");
  http = await started();
  const stored = await run("put", "large", "--replicas", "1");
  expect(stored.code, stored.errors).toBe(0);
});

afterAll(async () => {
  await nodes.close();
  // Killed processes let go of the disk a moment later.
  if (mounted) await waitFor("the unmount", async () => spawnSync("umount", [disk]).status === 0);
  rmSync(root, { recursive: true });
});

const run = (...args: string[]): Promise<Ended> => ringfold(args, { cwd, node: http });

async function started(): Promise<string> {
  const data = join(disk, "node");
  const ports = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
  const { stdout } = nodes.spawn(RINGFOLD, ["up", "--json", "--data", data, ...ports]);
  if (stdout === null) throw new Error("it did not start");
  const [line] = (await once(stdout, "data")) as [Buffer];
  return (JSON.parse(line.toString()) as { http: string }).http;
}

describe.skipIf(!mounted)("on a full disk (needs root to mount one)", () => {
  test("put is refused, nothing half stored is seen, and what was stored can be read", async () => {
    expectRefusal(await run("put", "other", "--replicas", "1"), "disk-full", [disk, "free"]);
    expectRefusal(await run("stat", "other"), "no-such-file", ["other"]);
    expect((await run("ls", "--json")).output.trim().split("\n")).toHaveLength(1);
    expect((await run("get", "large", "back")).code).toBe(0);
    expect(readFileSync(join(cwd, "back")).equals(LARGE)).toBe(true);
  });

  test("without a byte left the catalog and jobs are refused too, and the node lives", async () => {
    const filler = join(disk, "filler");
    const filled = spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"]);
    expect(filled.stderr.toString()).toContain("No space left");
    expectRefusal(await run("join-token"), "disk-full", ["catalog"]);
    expectRefusal(await run("put", "small.txt"), "disk-full", [disk]);
    expectRefusal(await run("rm", "large"), "disk-full", ["catalog"]);
    expect((await run("get", "large", "back")).code).toBe(0);
    expect(readFileSync(join(cwd, "back")).equals(LARGE)).toBe(true);
    expect((await run("status")).code).toBe(0);
    rmSync(filler);
    await waitFor(
      "the node to store again",
      async () => (await run("put", "small.txt")).code === 0,
    );
    expect((await run("cat", "small.txt")).output).toBe("one two\n");
  });
});
