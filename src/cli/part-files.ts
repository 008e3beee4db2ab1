/** A job's output as local files: `part-00000 …` in one folder. */
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { RingfoldError } from "../base/errors.ts";
import type { JobView } from "../contract/job-view.ts";
import type { Cluster } from "../sdk/client.ts";
import { download } from "./download.ts";
import { localError } from "./local-error.ts";
import { ByteProgress } from "./progress.ts";
import { counted } from "./quantity.ts";
import type { Terminal } from "./terminal.ts";

const PART = /^part-\d{5,}$/;
const AT_ONCE = 4;

/**
 * Before the job runs: the folder can be made, and holds no other part files unless `force`.
 * @throws output-exists, local-file
 */
export async function prepareFolder(folder: string, force: boolean): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    if (force) return;
    for (const name of (await readdir(folder)).filter((one) => PART.test(one))) {
      if ((await stat(join(folder, name))).size === 0) continue;
      throw new RingfoldError(
        "output-exists",
        `${folder} holds ${name} of another run: name another folder, or use --force`,
      );
    }
  } catch (error) {
    throw localError(error, folder);
  }
}

/**
 * Downloads all parts; with old ones of an earlier, longer run removed, so that the folder holds
 * this output alone.
 */
export async function writeParts(
  cluster: Cluster,
  view: JobView,
  folder: string,
  terminal: Terminal,
): Promise<void> {
  const { files } = view.output;
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  const progress = new ByteProgress(terminal, `get ${counted(files.length, "part")}`, total);
  const waiting = files[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (const { name } of waiting) {
      await download(cluster, { name, path: join(folder, basename(name)) }, (n) => progress.add(n));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work)).finally(() => progress.clear());
  const written = new Set(files.map((file) => basename(file.name)));
  const old = (await readdir(folder)).filter((name) => PART.test(name) && !written.has(name));
  for (const name of old) await rm(join(folder, name));
}
