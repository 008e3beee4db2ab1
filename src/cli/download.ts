/** Files of the cluster into local ones: a temporary name beside the target, renamed when all bytes are there. */

import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { RingfoldError } from "../base/errors.ts";
import type { Bytes } from "../base/ids.ts";
import type { Cluster } from "../sdk/client.ts";
import { localError } from "./local-error.ts";

export interface Download {
  readonly name: string;
  readonly path: string;
}

/**
 * @param grew told of each piece, for a progress bar
 * @returns the file's length
 * @throws no-such-file, not-reachable, local-file; the target is then as it was
 */
export async function download(
  cluster: Cluster,
  { name, path }: Download,
  grew: (bytes: Bytes) => void,
): Promise<Bytes> {
  const body = await cluster.get(name);
  const temporary = join(
    dirname(path),
    `.${basename(path)}.${randomBytes(6).toString("hex")}.part`,
  );
  try {
    const written = await writeNew(temporary, body.chunks, grew);
    if (!Number.isNaN(body.bytes) && written !== body.bytes) {
      throw new RingfoldError("not-reachable", `${name}: ${written} of ${body.bytes} bytes came`);
    }
    await rename(temporary, path);
    return written;
  } catch (error) {
    await rm(temporary, { force: true });
    throw localError(error, path);
  }
}

async function writeNew(
  path: string,
  chunks: AsyncIterable<Buffer>,
  grew: (bytes: Bytes) => void,
): Promise<Bytes> {
  const file = await open(path, "wx");
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      await file.appendFile(chunk);
      bytes += chunk.length;
      grew(chunk.length);
    }
    await file.datasync();
  } finally {
    await file.close();
  }
  return bytes;
}
