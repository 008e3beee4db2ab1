/** A local file as a stream of large pieces: `createReadStream` of 64 KiB costs twelve times as much (3-engine.md). */
import { RingfoldError } from "../../base/errors.ts";
import type { Bytes } from "../../base/ids.ts";
import type { Disk } from "./disk.ts";

const READ_BYTES: Bytes = 1024 * 1024;

/** A file's bytes in large pieces. @throws RingfoldError `local-file` when it is not there */
export async function* readWhole(disk: Disk, path: string): AsyncGenerator<Uint8Array> {
  const file = await disk.open(path);
  if (file === undefined) throw new RingfoldError("local-file", `${path} does not exist`);
  try {
    for (let at = 0; ; ) {
      const piece = Buffer.allocUnsafe(READ_BYTES);
      const bytes = await file.read(piece, at);
      if (bytes > 0) yield piece.subarray(0, bytes);
      if (bytes < READ_BYTES) return;
      at += bytes;
    }
  } finally {
    await file.close();
  }
}
