import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { ChildNodes } from "../../src/cli/child-node.ts";

const HOLDER = join(import.meta.dirname, "child-nodes-holder.ts");

interface Held {
  readonly dir: string;
  readonly child: number;
  readonly grandchild: number;
}

async function holder(...args: string[]) {
  const process = spawn("node", [HOLDER, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(process, "exit");
  const [line] = await once(process.stdout, "data");
  return { process, exited, held: JSON.parse(String(line)) as Held };
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const nothingLeft = ({ dir, child, grandchild }: Held) =>
  vi.waitFor(
    () => {
      expect({ child: lives(child), grandchild: lives(grandchild) }).toEqual({
        child: false,
        grandchild: false,
      });
      expect(existsSync(dir)).toBe(false);
    },
    { timeout: 10_000, interval: 20 },
  );

describe("child nodes leave no process and no file", () => {
  test("when their owner is killed with SIGKILL", async () => {
    const { process, exited, held } = await holder();
    expect([held.child, held.grandchild].map(lives)).toEqual([true, true]);
    expect(existsSync(held.dir)).toBe(true);
    process.kill("SIGKILL");
    await exited;
    await nothingLeft(held);
  });

  test("when they are closed, at once", async () => {
    const { exited, held } = await holder("close");
    const [code] = await exited;
    expect(code).toBe(0);
    expect(existsSync(held.dir)).toBe(false);
    await nothingLeft(held);
  });

  test("and none can be started after that", async () => {
    const nodes = new ChildNodes("closed");
    await nodes.close();
    expect(() => nodes.spawn("true", [])).toThrow(expect.objectContaining({ code: "cancelled" }));
    await nodes.close();
  });
});
