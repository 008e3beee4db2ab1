import { describe, expect, it } from "vitest";
import { jobId } from "../../base/ids.ts";
import { JobScopes } from "./job-scopes.ts";

const job = jobId("j000000000001");
const other = jobId("j000000000002");
const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

describe("a job's work in data", () => {
  it("ends as cancelled when the job is dropped, that of other jobs goes on", async () => {
    const scopes = new JobScopes();
    const first = scopes.run(job, untilAborted);
    const second = scopes.run(job, untilAborted);
    let going = true;
    const third = scopes.run(other, untilAborted).finally(() => {
      going = false;
    });
    scopes.drop(job);
    await expect(first).rejects.toMatchObject({ code: "cancelled" });
    await expect(second).rejects.toMatchObject({ code: "cancelled" });
    expect(going).toBe(true);
    scopes.dropAll();
    await expect(third).rejects.toMatchObject({ code: "cancelled" });
  });

  it("can start anew after a drop", async () => {
    const scopes = new JobScopes();
    scopes.drop(job);
    expect(await scopes.run(job, async (signal) => signal.aborted)).toBe(false);
  });
});
