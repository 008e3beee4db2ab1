/**
 * What `ringfold` means inside a job's bundle: the part of the SDK that a job file imports and that
 * runs in task hosts. No node builtins, no client, no contract: the bundle stays small.
 */

export type { Codec, Key, TypeOf } from "./codecs.ts";
export { t } from "./codecs.ts";
export { each, fold } from "./folds.ts";
export type { Emit, Job, MapOnlyStage, ShuffleStage, TaskContext } from "./job.ts";
export { defineJob } from "./job.ts";
export type { Param, ParamsOf } from "./params.ts";
export { param } from "./params.ts";
export type { Source, WholeFile } from "./sources.ts";
export { gen, text } from "./sources.ts";
