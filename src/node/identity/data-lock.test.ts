import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockDataDirectory } from "./data-lock.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "ringfold-lock-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const script = `
  const { lockDataDirectory } = await import(process.argv[1]);
  try {
    lockDataDirectory(process.argv[2]);
    process.stdout.write("locked\\n");
    process.stdin.resume(); // lives until the test kills it, or ends
  } catch (error) {
    process.stdout.write(error.code + "\\n");
  }`;

async function starter(): Promise<{ kill: () => Promise<void>; says: string; pid: number }> {
  const module = new URL("data-lock.ts", import.meta.url).href;
  const args = ["--no-warnings", "--input-type=module", "-e", script, module, dir];
  const child = spawn(process.execPath, args, { stdio: "pipe" });
  const exited = once(child, "exit");
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  return { kill, says: line.toString().trim(), pid: child.pid ?? 0 };
}

describe("lockDataDirectory", () => {
  it("makes the directory, and refuses a second owner in the same process until released", () => {
    const path = join(dir, "deep", "data");
    const lock = lockDataDirectory(path);
    expect(() => lockDataDirectory(path)).toThrow(
      expect.objectContaining({ code: "data-dir-in-use" }),
    );
    lock.release();
    lock.release();
    lockDataDirectory(path).release();
  });

  it("names the process that has it, and is free at once when that is killed", async () => {
    const owner = await starter();
    expect(owner.says).toBe("locked");
    expect(() => lockDataDirectory(dir)).toThrow(`in use by process ${owner.pid}`);
    await owner.kill();
    lockDataDirectory(dir).release();
  });

  it("is won by exactly one of several processes that start at once", async () => {
    const starters = await Promise.all([starter(), starter(), starter()]);
    expect(starters.map((one) => one.says).toSorted()).toEqual([
      "data-dir-in-use",
      "data-dir-in-use",
      "locked",
    ]);
    await Promise.all(starters.map((one) => one.kill()));
  });

  it("does not take a directory that is a file, or a lock that is not one", () => {
    const file = join(dir, "file");
    writeFileSync(file, "");
    expect(() => lockDataDirectory(file)).toThrow(expect.objectContaining({ code: "data-dir" }));
  });
});
