import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { HostPool, type PoolOptions } from "./host-pool.ts";

const folders: string[] = [];
const pools: HostPool[] = [];

function pool(options: Partial<PoolOptions>): HostPool {
  const folder = mkdtempSync(join(tmpdir(), "ringfold-pool-"));
  folders.push(folder);
  const made = new HostPool({ slots: 2, scratchRoot: join(folder, "scratch"), ...options });
  pools.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(pools.splice(0).map((one) => one.close()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe("task hosts are started when work is near", () => {
  test("none before the first job is announced", async () => {
    const hosts = pool({});
    expect(hosts.ready).toEqual([]);
    hosts.wake();
    await vi.waitFor(() => expect(hosts.ready.length).toBe(1));
  });

  test("new ones wait after a job, and end when no other comes", async () => {
    const hosts = pool({ linger: 50, warm: 2 });
    const host = await hosts.lease();
    await host.close();
    await vi.waitFor(() => expect(hosts.ready.length).toBe(2));
    const pids = hosts.ready.map((one) => one.pid as number);
    await vi.waitFor(() => expect(hosts.ready).toEqual([]), { timeout: 5000 });
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
  });

  test("a lease waits for a free slot, in order", async () => {
    const hosts = pool({ slots: 1 });
    const first = await hosts.lease();
    const order: string[] = [];
    const named = async (name: string) => {
      const host = await hosts.lease();
      order.push(name);
      return host;
    };
    const second = named("second");
    const third = named("third");
    await first.close();
    await (await second).close();
    await (await third).close();
    expect(order).toEqual(["second", "third"]);
  });
});
