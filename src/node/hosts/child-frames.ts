/**
 * The child's end of the two pipes: synchronous reads and writes of fds 0 and 1, never `process.stdin` or `stdout`,
 * whose constructors would give job code a socket. A frame is its length (u32, little-endian) and CBOR.
 */
import { readSync, writeSync } from "node:fs";
import { decode, encode } from "cborg";
import type { TaskOrder, TaskProgress, TaskResult } from "./task-order.ts";

/** What a child tells its parent. */
export type HostMessage =
  | { readonly type: "ready" }
  | ({ readonly type: "progress" } & TaskProgress)
  | { readonly type: "log"; readonly text: string }
  | TaskResult;

/** Nothing to read yet, on a pipe that does not block. */
const AGAIN = "EAGAIN";
const nap = new Int32Array(new SharedArrayBuffer(4));

/** The next order; undefined when the parent closed the pipe or is gone. */
export function nextOrder(): TaskOrder | undefined {
  const head = readExactly(4);
  if (head === undefined) return undefined;
  const body = readExactly(head.readUInt32LE(0));
  return body === undefined ? undefined : (decode(body) as TaskOrder);
}

function readExactly(length: number): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const got = readSome(bytes, done);
    if (got === 0) return undefined;
    done += got;
  }
  return bytes;
}

function readSome(bytes: Buffer, from: number): number {
  for (;;) {
    try {
      return readSync(0, bytes, from, bytes.length - from, null);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== AGAIN) return 0;
      Atomics.wait(nap, 0, 0, 1);
    }
  }
}

/** Sends a frame. @throws the system's error when the parent is gone: the process then ends */
export function tellParent(message: HostMessage): void {
  const body = encode(message);
  const frame = Buffer.allocUnsafe(4 + body.length);
  frame.writeUInt32LE(body.length, 0);
  frame.set(body, 4);
  let done = 0;
  while (done < frame.length) {
    try {
      done += writeSync(1, frame, done);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== AGAIN) throw thrown;
      Atomics.wait(nap, 0, 0, 1);
    }
  }
}
