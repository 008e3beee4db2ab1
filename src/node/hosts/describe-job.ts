/** What a bundle's job is: found by loading it in a task host, never in a node's or a client's own process. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RingfoldError } from "../../base/errors.ts";
import type { JobBundle } from "./bundle-job.ts";
import type { HostPool } from "./host-pool.ts";
import type { JobDescription } from "./task-order.ts";

/**
 * The job's plan.
 * @throws RingfoldError `job-file` when the default export is no job, `job-threw`, `job-forbidden`, `task-timeout`, …
 */
export async function describeJob(
  pool: HostPool,
  bundle: Pick<JobBundle, "bytes">,
): Promise<JobDescription> {
  const host = await pool.lease();
  try {
    await writeFile(join(host.paths.in, "job.mjs"), bundle.bytes);
    const answer = await host.run({ type: "describe", job: { bundle: "job.mjs" } });
    if (answer.type === "failed") throw new RingfoldError(answer.code, answer.message);
    return answer.description;
  } finally {
    await host.close();
  }
}
