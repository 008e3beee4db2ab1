/** Writes a file front to back in large synchronous pieces. */
import { closeSync, openSync, writeSync } from "node:fs";
import { RingfoldError } from "../base/errors.ts";

const PIECE = 1 << 18;
/** The buffer of a closed writer, for the next one: tasks may be small, and many. */
let spare: Buffer | undefined;

export class FileWriter {
  /** Bytes so far. */
  offset = 0;
  private readonly path: string;
  private readonly fd: number;
  private readonly piece: Buffer;
  private fill = 0;

  /** @throws RingfoldError `disk-full` or `disk-failed`, here and from every method */
  constructor(path: string) {
    this.path = path;
    this.fd = guarded(path, () => openSync(path, "w"));
    this.piece = spare ?? Buffer.allocUnsafeSlow(PIECE);
    spare = undefined;
  }

  write(bytes: Uint8Array): void {
    this.offset += bytes.length;
    if (bytes.length > PIECE - this.fill) this.flush();
    if (bytes.length > PIECE) {
      this.put(bytes);
      return;
    }
    this.piece.set(bytes, this.fill);
    this.fill += bytes.length;
  }

  close(): void {
    this.flush();
    closeSync(this.fd);
    spare = this.piece;
  }

  private flush(): void {
    this.put(this.piece.subarray(0, this.fill));
    this.fill = 0;
  }

  private put(bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) {
      done += guarded(this.path, () => writeSync(this.fd, bytes, done));
    }
  }
}

function guarded<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
    const full = code === "ENOSPC" || code === "EDQUOT";
    throw new RingfoldError(full ? "disk-full" : "disk-failed", `cannot write ${path}: ${code}`, {
      cause,
    });
  }
}
