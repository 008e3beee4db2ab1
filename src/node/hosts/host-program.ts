/**
 * The task host's program as one file, so that a host starts by reading one file and may read nothing else of the node.
 * It is bundled when a version of the sources is first run, and kept under their hash: later starts load no bundler.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sha256Hex } from "../../base/hash.ts";
import { withEsbuild } from "./esbuild-service.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const entry = here("./task-host-main.ts");
/** All that the program can import (tools/rooms.ts). */
const rooms = [here("."), here("../../base"), here("../../engine"), here("../../sdk")];
const root = here("../../..");
/** Without symbolic links: Node's module loader would need leave to read each of them. */
const at = (folder: string, name: string): string => join(realpathSync(folder), name);

/** Where what is made from the sources is kept; tried in order. */
const caches = (scratch: string): string[] => [
  join(root, "node_modules", ".cache", "ringfold"),
  scratch,
];

/**
 * The program's path.
 * @param scratch absolute; where it is written when the package's own folder cannot be
 */
export async function hostProgram(
  scratch: string,
  folders: readonly string[] = caches(scratch),
): Promise<string> {
  const name = `task-host-${sourcesHash()}.mjs`;
  for (const folder of folders) {
    if (existsSync(join(folder, name))) return at(folder, name);
  }
  const text = await bundled();
  for (const folder of folders) {
    const kept = await keep(folder, name, text).catch(() => undefined);
    if (kept !== undefined) return kept;
  }
  return keep(scratch, name, text);
}

function sourcesHash(): string {
  const files = rooms.flatMap((room) =>
    readdirSync(room)
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .sort()
      .map((name) => join(room, name)),
  );
  return sha256Hex(files.map((file) => sha256Hex(readFileSync(file))).join()).slice(0, 24);
}

async function bundled(): Promise<string> {
  const built = await withEsbuild(({ build }) =>
    build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      platform: "node",
      format: "esm",
      target: "node24",
      minifyWhitespace: true,
      legalComments: "none",
      logLevel: "silent",
    }),
  );
  return built.outputFiles[0]?.text ?? "";
}

/** Whole or not at all: others may be starting from the same folder. */
async function keep(folder: string, name: string, text: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `${name}.${process.pid}.tmp`);
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, join(folder, name));
  return at(folder, name);
}
