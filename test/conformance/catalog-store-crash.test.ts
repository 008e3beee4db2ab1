import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import { fileName, nodeId } from "../../src/base/ids.ts";
import { openCatalog } from "../../src/node/catalog/catalog.ts";

const WRITER = new URL("./catalog-store-writer.ts", import.meta.url).pathname;

/** Starts a writer, kills it with SIGKILL after so many acknowledged names, and gives those. */
async function acknowledgedBeforeKill(dir: string, from: number, count: number): Promise<string[]> {
  const child: ChildProcess = spawn(process.execPath, [WRITER, dir, String(from)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const acknowledged: string[] = [];
  if (child.stdout === null) return acknowledged;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === count) child.kill("SIGKILL");
  }
  return acknowledged;
}

it("keeps every acknowledged command over SIGKILL at any moment, and starts again at once", async () => {
  const dir = mkdtempSync(join(tmpdir(), "ringfold-catalog-"));
  try {
    const acknowledged: string[] = [];
    for (let round = 0; round < 5; round++) {
      acknowledged.push(...(await acknowledgedBeforeKill(dir, round * 100_000, 50 + round * 211)));
    }
    expect(acknowledged.length).toBeGreaterThan(2000);
    const catalog = await openCatalog(dir, nodeId("a".repeat(64)));
    for (const name of acknowledged) {
      const { file } = await catalog.query({ type: "file", name: fileName(name) });
      expect(file?.versions[0].version).toBe(1);
    }
    await catalog.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
});
