/**
 * Files of the cluster into local ones: a temporary name beside the target, renamed when all bytes
 * are there.
 */

import { randomBytes } from "node:crypto";
import { createWriteStream, rmSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { RingfoldError } from "../base/errors.ts";
import type { Bytes } from "../base/ids.ts";
import type { Cluster } from "../sdk/client.ts";
import { localError } from "./local-error.ts";

/** Pieces that came meanwhile are written together. */
const WRITE_BYTES = 4 * 1024 * 1024;

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
  halfWritten.add(temporary);
  try {
    const written = await writeNew(temporary, body.chunks, grew);
    if (!Number.isNaN(body.bytes) && written !== body.bytes) {
      throw new RingfoldError("not-reachable", `${name}: ${written} of ${body.bytes} bytes came`);
    }
    await rename(temporary, path);
    return written;
  } catch (error) {
    // Whatever keeps it from being removed is not what went wrong first.
    await rm(temporary, { force: true }).catch(() => undefined);
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw localError(error, missing ? dirname(path) : path);
  } finally {
    halfWritten.delete(temporary);
  }
}

/** Ctrl-C ends the program in the middle: what is half written goes with it. */
const halfWritten = new Set<string>();
process.on("exit", () => {
  for (const path of halfWritten) rmSync(path, { force: true });
});

/** Not synced: after a crash of this machine the file can be had again. */
async function writeNew(
  path: string,
  chunks: AsyncIterable<Buffer>,
  grew: (bytes: Bytes) => void,
): Promise<Bytes> {
  const file = createWriteStream(path, { flags: "wx", highWaterMark: WRITE_BYTES });
  let bytes = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      grew(chunk.length);
      yield chunk;
    }
  };
  await pipeline(counted, file);
  return bytes;
}
