/**
 * A job from its bundle to the ledger: what the job declares, its parameters, its input's blocks, its plan. Runs on the
 * node that was asked; from the ledger entry on, nobody needs that node.
 */
import { randomBytes } from "node:crypto";
import { mapLimited } from "../../base/concurrency.ts";
import { RingfoldError } from "../../base/errors.ts";
import {
  type BlockId,
  type FileName,
  fileName,
  type JobId,
  jobId,
  type NodeId,
} from "../../base/ids.ts";
import { blockOffsets, wholeRecords } from "../../blocks/manifest.ts";
import type { FileRecord, FileVersion, JobParams } from "../../catalog/records.ts";
import {
  type JobLimits,
  type JobPlan,
  type JobSource,
  planJob,
  type SourceFile,
} from "../../jobs/plan.ts";
import { holders } from "../../ring/holders.ts";
import { encodePlan } from "../../wire/jobs.ts";
import type { DataPort } from "../data/data-port.ts";
import { decodeManifest } from "../data/manifest-block.ts";
import type { JobDescription, ParamDescription, ParamValue } from "../hosts/task-order.ts";
import type { Submission } from "../http/control-api.ts";
import type { CatalogAccess } from "./catalog-access.ts";
import type { ViewHolder } from "./view-holder.ts";

/** Copies of a job's plan and bundle: losing them would lose the job. */
const PLAN_COPIES = 3;
const DEFAULT_REPLICAS = 2;
/** Manifests read at once. */
const READERS = 16;
const PAGE = 1000;
const MAX_INPUT_FILES = 100_000;

export interface SubmitParts {
  readonly self: NodeId;
  readonly catalog: CatalogAccess;
  readonly data: DataPort;
  readonly describe: (bundle: BlockId) => Promise<JobDescription>;
  readonly view: ViewHolder;
}

/** Enters the job in the ledger. @throws RingfoldError `no-input`, `job-param`, `output-exists`, `job-file` … */
export async function submitJob(parts: SubmitParts, asked: Submission): Promise<JobId> {
  const description = await parts.describe(asked.bundle);
  const id = newJobId();
  const output: FileName = asked.output ?? fileName(`jobs/${id}`);
  const params = parseParams(description.params, asked.params ?? {});
  const plan = await makePlan(parts, asked, description, id, output);
  const stored = await parts.data.putSmall(encodePlan(plan), PLAN_COPIES);
  await parts.catalog.propose({
    type: "job-submit",
    job: {
      id,
      name: description.name,
      bundle: asked.bundle,
      plan: stored.id,
      mapTasks: plan.maps.length,
      reduceTasks: plan.partitions,
      output,
      replicas: plan.replicas,
      params,
      submittedBy: parts.self,
      input: [...asked.inputs],
    },
  });
  return id;
}

async function makePlan(
  parts: SubmitParts,
  asked: Submission,
  description: JobDescription,
  id: JobId,
  output: FileName,
): Promise<JobPlan> {
  const stage = description.stages[0];
  if (stage === undefined) throw new RingfoldError("job-file", "the job has no stage");
  const reducers = asked.reducers ?? stage.tasks;
  return planJob({
    id,
    name: description.name,
    stage: stage.name,
    source: await sourceOf(parts, asked.inputs, description),
    slots: slotsOf(parts.view),
    ...(reducers !== undefined && { reducers }),
    hasReduce: !stage.mapOnly,
    replicas: asked.replicas ?? DEFAULT_REPLICAS,
    output,
    limits: limitsOf(asked),
  });
}

function limitsOf({ limits }: Submission): Partial<JobLimits> {
  return {
    ...(limits?.timeoutMs !== undefined && { taskTimeout: Math.round(limits.timeoutMs) }),
    ...(limits?.memoryBytes !== undefined && { taskMemory: limits.memoryBytes }),
    ...(limits?.diskBytes !== undefined && { taskDisk: limits.diskBytes }),
    ...(limits?.attempts !== undefined && { maxAttempts: limits.attempts }),
  };
}

async function sourceOf(
  parts: SubmitParts,
  inputs: readonly string[],
  { name, source }: JobDescription,
): Promise<JobSource> {
  if (source.kind === "range") {
    if (inputs.length > 0) {
      throw new RingfoldError("bad-option", `${name} makes its own input: it takes no --input`);
    }
    return { kind: "range", count: source.count };
  }
  if (inputs.length === 0) {
    throw new RingfoldError("no-input", `${name} reads files: name them with --input`);
  }
  const records = await inputFiles(parts.catalog, inputs);
  const files = await mapLimited(records, READERS, (record) =>
    sourceFile(parts, record, source.split === "block"),
  );
  return { kind: "blocks", split: source.split, files };
}

/** All files of all patterns, each once, in the order of their names. */
async function inputFiles(catalog: CatalogAccess, globs: readonly string[]): Promise<FileRecord[]> {
  const found = new Map<string, FileRecord>();
  for (const glob of globs) {
    let after: string | undefined;
    let any = false;
    do {
      const page = await catalog.query({ type: "files", glob, after, limit: PAGE });
      for (const file of page.files) found.set(file.name, file);
      any ||= page.files.length > 0;
      after = page.next;
      if (found.size > MAX_INPUT_FILES) {
        throw new RingfoldError("too-large", `the input has more than ${MAX_INPUT_FILES} files`);
      }
    } while (after !== undefined);
    if (!any) throw new RingfoldError("no-input", `no file in the cluster matches "${glob}"`);
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Tasks that the live nodes run at once. */
const slotsOf = ({ members }: ViewHolder): number =>
  members.members.reduce((sum, { state, slots }) => sum + (state === "up" ? slots : 0), 0) || 1;

async function sourceFile(
  { data, view }: SubmitParts,
  record: FileRecord,
  byBlock: boolean,
): Promise<SourceFile> {
  const manifest = await readManifest(data, record.versions[0]);
  if (byBlock) wholeRecords(manifest, record.name);
  const offsets = blockOffsets(manifest);
  const current = view.current;
  const homeOf = (id: BlockId): { readonly home?: string } => {
    const [home] = current ? holders(current.table, current.members.members, id, 1) : [];
    return home === undefined ? {} : { home };
  };
  return {
    name: record.name,
    manifestBlocks: manifest.blocks.map(({ id, length, continues }, index) => ({
      id,
      length,
      offset: offsets[index] ?? 0,
      ...(continues && { continues }),
      ...homeOf(id),
    })),
  };
}

/** A file version's list of blocks. @throws RingfoldError `block-missing`, `block-corrupt` */
export async function readManifest(data: DataPort, version: FileVersion) {
  return decodeManifest(version.manifest, await data.getSmall(version.manifest));
}

/** @throws RingfoldError `job-param`, naming the parameter and what it takes */
function parseParams(
  declared: readonly ParamDescription[],
  given: Readonly<Record<string, string>>,
): JobParams {
  const unknown = Object.keys(given).find((name) => !declared.some((p) => p.name === name));
  if (unknown !== undefined) {
    const names = declared.map((param) => `--${param.name}`).join(", ");
    throw new RingfoldError(
      "job-param",
      `the job has no parameter --${unknown}; ${names === "" ? "it has none" : `it has ${names}`}`,
    );
  }
  return Object.fromEntries(
    declared.map((param) => [param.name, parseParam(param, given[param.name])]),
  );
}

function parseParam(param: ParamDescription, text: string | undefined): ParamValue {
  if (text === undefined) return param.def;
  const fault = (what: string): RingfoldError =>
    new RingfoldError("job-param", `--${param.name} takes ${what}, not "${text.slice(0, 80)}"`);
  switch (param.type) {
    case "string":
      return text;
    case "flag":
      if (text === "true" || text === "") return true;
      if (text === "false") return false;
      throw fault("true or false");
    case "int":
      if (!/^[+-]?\d{1,15}$/.test(text)) throw fault("a whole number");
      return Number(text);
    case "number":
      if (text.trim() === "" || !Number.isFinite(Number(text))) throw fault("a number");
      return Number(text);
  }
}

function newJobId(): JobId {
  const letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  const random = [...randomBytes(12)].map((byte) => letters[byte % letters.length]);
  return jobId(`j${random.join("")}`);
}
