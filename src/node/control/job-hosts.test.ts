import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { blockId, jobId } from "../../base/ids.ts";
import { HostPool } from "../hosts/host-pool.ts";
import { JobHosts } from "./job-hosts.ts";

const one = jobId("jaaaaaaaaaaaa");
const other = jobId("jbbbbbbbbbbbb");
const bundle = blockId("0".repeat(64));

let folder = "";
let hosts: JobHosts;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ringfold-job-hosts-"));
  const pool = new HostPool({ slots: 1, scratchRoot: join(folder, "scratch"), warm: 0 });
  const none = (): HostPool => expect.unreachable("nothing is described here");
  hosts = new JobHosts(pool, 1, none, async () => Buffer.from("a bundle"));
});
afterEach(async () => {
  await hosts.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("on a node of one slot, a host that has done its task", () => {
  test("does the next task of its job", async () => {
    const first = await hosts.lease(one, bundle);
    await hosts.release(first);
    const next = await hosts.lease(one, bundle);
    expect(next.host).toBe(first.host);
    await hosts.release(next);
  });

  test("gives way to a task of another job", async () => {
    const first = await hosts.lease(one, bundle);
    await hosts.release(first);
    const next = await hosts.lease(other, bundle);
    expect(next.host).not.toBe(first.host);
    expect(existsSync(first.host.paths.root)).toBe(false);
    await hosts.release(next);
  });

  // After a restart of the coordinator an attempt is ordered while the lost one before it still runs.
  test.each([
    ["its own", one],
    ["another", other],
  ])("does not keep the slot from a task of %s job that waits already", async (_whose, job) => {
    const first = await hosts.lease(one, bundle);
    const waiting = hosts.lease(job, bundle);
    await hosts.release(first);
    await hosts.release(await waiting);
    expect(hosts.pids).toHaveLength(1);
  });
});
