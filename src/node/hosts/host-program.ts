/**
 * The task host's program as one file: bundled with esbuild once per version and kept in a cache folder under its hash,
 * so that a host starts by reading one file and may read nothing else of the node.
 */
import { existsSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sha256Hex } from "../../base/hash.ts";

const entry = fileURLToPath(new URL("./task-host-main.ts", import.meta.url));

/**
 * The program's path, written to `cacheDir` unless it is there.
 * @param cacheDir an absolute folder; made when missing
 */
export async function hostProgram(cacheDir: string): Promise<string> {
  const { build } = await import("esbuild");
  const built = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node24",
    minifyWhitespace: true,
    legalComments: "none",
    logLevel: "silent",
  });
  const text = built.outputFiles[0]?.text ?? "";
  const path = join(cacheDir, `task-host-${sha256Hex(text).slice(0, 16)}.mjs`);
  if (existsSync(path)) return path;
  await mkdir(cacheDir, { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, path);
  return path;
}
