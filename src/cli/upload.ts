/** Local files into the cluster, several at once. */
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { RingfoldError } from "../base/errors.ts";
import type { Bytes } from "../base/ids.ts";
import type { FileStat } from "../contract/file-stat.ts";
import type { Cut, Replicas } from "../contract/scalar.ts";
import type { Cluster } from "../sdk/client.ts";
import { localError } from "./local-error.ts";
import { type LocalFile, looksLikeText } from "./local-files.ts";

const READ_BYTES = 1024 * 1024;
const AT_ONCE = 4;

export interface UploadOptions {
  readonly replicas?: Replicas;
  readonly blockSize?: Bytes;
  /** Default: at line ends when the file looks like text. */
  readonly cut?: Cut;
}

/**
 * @param stored told of each file as it is committed
 * @throws the first error, once the files under way have ended; those after it are not begun
 */
export async function upload(
  cluster: Cluster,
  files: readonly LocalFile[],
  options: UploadOptions,
  told: {
    readonly grew: (bytes: Bytes) => void;
    readonly stored: (file: FileStat) => Promise<void>;
  },
): Promise<void> {
  const waiting = files[Symbol.iterator]();
  const errors: unknown[] = [];
  const work = async (): Promise<void> => {
    for (const file of waiting) {
      if (errors.length > 0) return;
      await uploadOne(cluster, file, options, told.grew).then(told.stored, (error) =>
        errors.push(error),
      );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (errors.length > 0) throw errors[0];
}

async function uploadOne(
  cluster: Cluster,
  file: LocalFile,
  options: UploadOptions,
  grew: (bytes: Bytes) => void,
): Promise<FileStat> {
  const text = await looksLikeText(file.path);
  const contentType = text ? "text/plain; charset=utf-8" : "application/octet-stream";
  const query = { cut: text ? ("lines" as const) : ("bytes" as const), ...options, contentType };
  if (file.bytes === 0) return await cluster.put(file.name, new Uint8Array(0), query);
  const body = Readable.from(contentOf(file, grew), {
    objectMode: false,
    highWaterMark: READ_BYTES,
  });
  return await cluster.put(file.name, body, { ...query, length: file.bytes });
}

/**
 * Exactly the bytes that were there when it was looked at.
 * @throws local-file when it became shorter or unreadable
 */
async function* contentOf(
  { path, bytes }: LocalFile,
  grew: (bytes: Bytes) => void,
): AsyncGenerator<Buffer> {
  let sent = 0;
  try {
    for await (const chunk of createReadStream(path, {
      highWaterMark: READ_BYTES,
      end: bytes - 1,
    })) {
      sent += (chunk as Buffer).length;
      yield chunk as Buffer;
      grew((chunk as Buffer).length);
    }
  } catch (error) {
    throw localError(error, path);
  }
  if (sent < bytes)
    throw new RingfoldError("local-file", `${path}: it became shorter while it was read`);
}
