/** A job file and its imports as one ES module, named by its hash. Only the submitting side needs the job's files. */
import { existsSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildFailure, Message, Plugin } from "esbuild";
import { RingfoldError } from "../../base/errors.ts";
import { sha256Hex } from "../../base/hash.ts";
import { withEsbuild } from "./esbuild-service.ts";
import { harmlessList, isHarmless } from "./harmless-builtins.ts";

export interface JobBundle {
  readonly bytes: Uint8Array;
  /** SHA-256 of the bytes in hex. */
  readonly hash: string;
}

/** Largest bundle accepted. */
export const MAX_BUNDLE = 16 << 20;

const jobSide = fileURLToPath(new URL("../../sdk/job-side.ts", import.meta.url));

/**
 * Bundles a job file. Runs none of it.
 * @param path of the job file on this machine
 * @throws RingfoldError `local-file`, `job-compile` with file:line:column, `job-forbidden` for builtins that jobs may not use
 */
export async function bundleJob(path: string): Promise<JobBundle> {
  const file = resolve(path);
  if (!existsSync(file)) throw new RingfoldError("local-file", `there is no job file ${path}`);
  let text: string;
  try {
    const built = await withEsbuild(({ build }) =>
      build({
        entryPoints: [basename(file)],
        absWorkingDir: dirname(file),
        bundle: true,
        write: false,
        outfile: "job.mjs",
        platform: "neutral",
        mainFields: ["module", "main"],
        conditions: ["import"],
        format: "esm",
        target: "node24",
        charset: "utf8",
        sourcemap: "inline",
        sourcesContent: false,
        legalComments: "none",
        logLevel: "silent",
        plugins: [imports],
      }),
    );
    text = built.outputFiles[0]?.text ?? "";
  } catch (thrown) {
    throw compileFault(path, thrown);
  }
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > MAX_BUNDLE) {
    throw new RingfoldError("too-large", `the bundle of ${path} has ${bytes.length} bytes`);
  }
  return { bytes, hash: sha256Hex(bytes) };
}

/** `ringfold` is the SDK's job side; builtins stay outside the bundle, and only harmless ones. */
const imports: Plugin = {
  name: "ringfold-job",
  setup(build) {
    build.onResolve({ filter: /^ringfold$/ }, () => ({ path: jobSide }));
    build.onResolve({ filter: /^node:/ }, ({ path }) => builtin(path));
    build.onResolve({ filter: /^[a-z_]+(\/promises)?$/ }, ({ path }) =>
      BARE.has(path) ? builtin(`node:${path}`) : undefined,
    );
  },
};

const BARE = new Set(
  (
    "assert buffer child_process cluster crypto dgram dns events fs fs/promises http http2 https inspector module net " +
    "os path perf_hooks process querystring readline stream string_decoder tls url util v8 vm worker_threads zlib"
  ).split(" "),
);

const FORBIDDEN = "jobs may not import";

function builtin(path: string) {
  if (isHarmless(path)) return { path, external: true };
  const allowed = harmlessList().join(", ");
  return { errors: [{ text: `${FORBIDDEN} ${path}; they may import ${allowed}` }] };
}

function compileFault(path: string, thrown: unknown): RingfoldError {
  const errors = (thrown as Partial<BuildFailure>).errors ?? [];
  const first: Message | undefined = errors[0];
  if (first === undefined) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    return new RingfoldError("job-compile", `${path}: ${why}`, { cause: thrown });
  }
  const { location } = first;
  const place =
    location === null ? path : `${location.file}:${location.line}:${location.column + 1}`;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  const code = first.text.startsWith(FORBIDDEN) ? "job-forbidden" : "job-compile";
  return new RingfoldError(code, `${place}: ${first.text}${more}`);
}
