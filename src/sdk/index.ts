/**
 * The package's public entry: what a job file imports. Inside a job's bundle `ringfold` is `job-side.ts` alone; the
 * client (`connect`) is for programs, never for jobs.
 */
export * from "./job-side.ts";
