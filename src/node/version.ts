import { readFileSync } from "node:fs";

/** The program's version, from its package. */
export const SOFTWARE_VERSION: string = (
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    readonly version: string;
  }
).version;

/** Version of what a job's bundle may expect of the task host. Grows when an old bundle would not run any more. */
export const JOB_API_VERSION = 1;
