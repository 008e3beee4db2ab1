import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { blockId, jobId } from "../../base/ids.ts";
import { HostPool } from "../hosts/host-pool.ts";
import { JobHosts } from "./job-hosts.ts";

const one = jobId("jaaaaaaaaaaaa");
const other = jobId("jbbbbbbbbbbbb");
/** Bytes of input: worth a host of its own, and not. */
const LARGE = 4 * 1024 * 1024;
const SMALL = 1000;
const bundle = blockId("0".repeat(64));

let folder = "";
let hosts: JobHosts;

function start(slots: number): void {
  folder = mkdtempSync(join(tmpdir(), "ringfold-job-hosts-"));
  const pool = new HostPool({ slots, scratchRoot: join(folder, "scratch"), warm: 0 });
  const none = (): HostPool => expect.unreachable("nothing is described here");
  hosts = new JobHosts(pool, slots, none, async () => Buffer.from("a bundle"));
}

afterEach(async () => {
  await hosts.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("on a node of one slot, a host that has done its task", () => {
  beforeEach(() => start(1));

  test("does the next task of its job", async () => {
    const first = await hosts.lease(one, bundle, LARGE);
    await hosts.release(first);
    const next = await hosts.lease(one, bundle, LARGE);
    expect(next.host).toBe(first.host);
    await hosts.release(next);
  });

  test("gives way to a task of another job", async () => {
    const first = await hosts.lease(one, bundle, LARGE);
    await hosts.release(first);
    const next = await hosts.lease(other, bundle, LARGE);
    expect(next.host).not.toBe(first.host);
    expect(existsSync(first.host.paths.root)).toBe(false);
    await hosts.release(next);
  });

  // After a restart of the coordinator an attempt is ordered while the lost one before it still runs.
  test.each([
    ["its own", one],
    ["another", other],
  ])("does not keep the slot from a task of %s job that waits already", async (_whose, job) => {
    const first = await hosts.lease(one, bundle, LARGE);
    const waiting = hosts.lease(job, bundle, LARGE);
    await hosts.release(first);
    await hosts.release(await waiting);
    expect(hosts.pids).toHaveLength(1);
  });
});

describe("on a node of two slots", () => {
  beforeEach(() => start(2));

  test("a small task takes over the host that its job's other task is done with", async () => {
    const first = await hosts.lease(one, bundle, SMALL);
    const waiting = hosts.lease(one, bundle, SMALL);
    await hosts.release(first);
    const second = await waiting;
    expect(second.host).toBe(first.host);
    await hosts.release(second);
  });

  test("a small task does not wait for long, a large one and another job's not at all", async () => {
    const first = await hosts.lease(one, bundle, LARGE);
    const late = await hosts.lease(one, bundle, SMALL);
    expect(late.host).not.toBe(first.host);
    await hosts.release(late);
    const large = await hosts.lease(one, bundle, LARGE);
    expect(large.host).toBe(late.host);
    await hosts.release(first);
    await hosts.release(large);
    const foreign = await hosts.lease(other, bundle, SMALL);
    expect([first.host, large.host]).not.toContain(foreign.host);
    await hosts.release(foreign);
  });

  test("the end of a job lets nobody wait", async () => {
    const first = await hosts.lease(one, bundle, SMALL);
    const waiting = hosts.lease(one, bundle, SMALL);
    await hosts.endJob(one);
    const second = await waiting;
    expect(second.host).not.toBe(first.host);
    await hosts.release(first);
    await hosts.release(second);
  });
});
