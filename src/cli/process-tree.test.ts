import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test, vi } from "vitest";
import { killProcess, processLives, processTree } from "./process-tree.ts";

test("a tree holds grandchildren, in sessions of their own too, and killing it ends them all", async () => {
  const script = `
    const { spawn } = require("node:child_process");
    const child = spawn("sleep", ["600"], { detached: true });
    console.log(child.pid);
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(child.stdout, "data");
  const grandchild = Number(String(line));
  const tree = processTree(process.pid);
  expect(tree[0]).toBe(process.pid);
  expect(tree).toEqual(expect.arrayContaining([child.pid, grandchild]));
  expect(processTree(child.pid ?? 0)).toEqual([child.pid, grandchild]);
  expect(processTree(child.pid ?? 0).map(killProcess)).toEqual([true, true]);
  await once(child, "exit");
  await vi.waitFor(() => expect(processLives(grandchild)).toBe(false), { timeout: 10_000 });
});
