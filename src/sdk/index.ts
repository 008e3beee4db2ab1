/**
 * The package's public entry. In a job's bundle `ringfold` is `job-side.ts` alone: the client is
 * for programs, not for jobs.
 */
export { type Cluster, type ConnectOptions, connect } from "./client.ts";
export * from "./job-side.ts";
export { parseParams } from "./params.ts";
