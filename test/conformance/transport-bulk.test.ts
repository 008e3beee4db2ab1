/** What the bulk transport promises (src/node/transport/transport.ts), on real sockets. */
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { RingfoldError } from "../../src/base/errors.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { seededRandom } from "../../src/base/random.ts";
import { newIdentity } from "../../src/node/identity/identity.ts";
import type { BulkBytes, BulkStream } from "../../src/node/transport/transport.ts";
import { encode } from "../../src/wire/cbor.ts";
import { encodeFrame, FRAME, frameHeader } from "../../src/wire/frames.ts";
import { bulk, closeAll, helloFrame, intruder, untilClosed } from "./transport-fixture.ts";

afterEach(closeAll);

const soon = { deadline: 5000 };
const code = (name: string) => expect.objectContaining({ code: name });
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

function randomBytes(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => random.below(256));
}

async function all(stream: BulkBytes): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  // Pieces are the reader's to keep.
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function settled(stream: BulkStream): Promise<void> {
  while ((await stream.read()) !== undefined);
  stream.release();
}

async function finished(stream: BulkStream): Promise<BulkStream> {
  await stream.end();
  return stream;
}

describe("streams", () => {
  it("carry a header and bytes there, and a header and bytes back", async () => {
    const [a, b] = [await bulk(), await bulk()];
    b.transport.handleStream(async (header, stream, from) => {
      const got = await all(stream);
      await stream.respond({ header, from: from.node, sha256: sha256Hex(got) });
      await stream.write(got.subarray(0, 100_000));
      await stream.write(got.subarray(100_000));
    });
    const sent = randomBytes(3_000_001, 1);
    const stream = await a.transport.open(b.at, { put: "x" }, soon);
    await stream.write(sent.subarray(0, 7));
    await stream.writeAll([sent.subarray(7, 2_000_000), sent.subarray(2_000_000)]);
    await stream.end();
    expect(await stream.response()).toEqual({
      header: { put: "x" },
      from: a.identity.node,
      sha256: sha256Hex(sent),
    });
    expect(sha256Hex(await all(stream))).toBe(sha256Hex(sent));
    stream.release();
  });

  it("are read exactly, into one's own memory, and piece by piece, in any mixture", async () => {
    const [a, b] = [await bulk(), await bulk()];
    const sent = randomBytes(1_500_000, 2);
    b.transport.handleStream(async (_, stream) => {
      for (let at = 0; at < sent.length; at += 33_333) {
        await stream.write(sent.subarray(at, at + 33_333));
      }
    });
    const random = seededRandom(3);
    const stream = await a.transport.open(b.at, null, soon);
    expect(await stream.response()).toBeNull();
    const got: Uint8Array[] = [];
    let left = sent.length;
    while (left > 0) {
      const want = Math.min(left, 1 + random.below(200_000));
      const piece = random.below(2) === 0 ? await stream.readExactly(want) : await stream.read();
      if (piece === undefined) break;
      got.push(piece);
      left -= piece.length;
    }
    expect(left).toBe(0);
    expect(await stream.read()).toBeUndefined();
    expect(sha256Hex(Buffer.concat(got))).toBe(sha256Hex(sent));
    stream.release();
  });

  it("say so when the other side ends before what was to be read exactly", async () => {
    const [a, b] = [await bulk(), await bulk()];
    b.transport.handleStream((_, stream) => stream.write(new Uint8Array(10)));
    const stream = await a.transport.open(b.at, {}, soon);
    expect(await failure(stream.readExactly(11))).toMatchObject({
      code: "protocol",
      message: "the stream ended after 10 of 11 bytes",
    });
    expect(await stream.readExactly(0)).toHaveLength(0);
    stream.release();
  });

  it("use one connection again and again, one after the other, and more only at once", async () => {
    const [a, b] = [await bulk(), await bulk()];
    b.transport.handleStream(async (_, stream) => {
      await stream.write(await all(stream));
    });
    for (let i = 0; i < 5; i++) {
      const stream = await a.transport.open(b.at, {}, soon);
      await stream.write(Buffer.from(String(i)));
      await stream.end();
      expect((await all(stream)).toString()).toBe(String(i));
    }
    expect(a.transport.stats()).toMatchObject({ dials: 1, streamsOpened: 5 });
    const streams = await Promise.all([1, 2, 3].map(() => a.transport.open(b.at, {}, soon)));
    expect(a.transport.stats().dials).toBe(3);
    for (const stream of streams) await stream.end();
    await Promise.all(streams.map(settled));
    await settled(await finished(await a.transport.open(b.at, {}, soon)));
    expect(a.transport.stats().dials).toBe(3);
  });

  it("use the connection again after an error, after a release, and after an unread body", async () => {
    const [a, b] = [await bulk(), await bulk()];
    b.transport.handleStream(async (header, stream) => {
      if (header === "fail") throw new RingfoldError("block-missing", "no such block");
      if (header === "send") await stream.write(new Uint8Array(100_000));
    });
    const failing = await a.transport.open(b.at, "fail", soon);
    expect(await failure(failing.response())).toMatchObject({
      code: "block-missing",
      message: "no such block",
    });
    expect(await failure(failing.read())).toEqual(code("block-missing"));
    const released = await a.transport.open(b.at, "send", soon);
    await released.response();
    released.release();
    await expect.poll(() => a.transport.stats().bytesIn).toBeGreaterThan(100_000);
    const unread = await a.transport.open(b.at, "ignore", soon);
    await unread.write(new Uint8Array(500_000));
    await unread.end();
    expect(await unread.response()).toBeNull();
    await settled(unread);
    await settled(await finished(await a.transport.open(b.at, "ignore", soon)));
    expect(a.transport.stats().dials).toBe(1);
  });

  it("stop a writer whose reader failed, with the reader's error", async () => {
    const [a, b] = [await bulk(), await bulk()];
    b.transport.handleStream(async (_, stream) => {
      await stream.read();
      throw new RingfoldError("disk-full", "3 bytes are left");
    });
    const stream = await a.transport.open(b.at, {}, soon);
    const chunk = new Uint8Array(256 * 1024);
    const endless = async (): Promise<void> => {
      for (;;) await stream.write(chunk);
    };
    expect(await failure(endless())).toEqual(code("disk-full"));
    expect(await failure(stream.response())).toEqual(code("disk-full"));
    await settled(await finished(await a.transport.open(b.at, {}, soon))).catch(() => undefined);
    expect(a.transport.stats().dials).toBe(1);
  });
});

describe("T5: back-pressure", () => {
  const chunk = new Uint8Array(1024 * 1024);
  const MIB = 1024 * 1024;
  const LIMIT = 64 * MIB;
  /** More than both sides' sockets and pipes can hold; far less than the 1 GiB offered. */
  const stalls = async (write: (chunk: Uint8Array) => Promise<void>): Promise<number> => {
    let written = 0;
    let moved = true;
    while (moved && written < 1024 * MIB) {
      const wrote = write(chunk).then(() => true);
      moved = await Promise.race([wrote, quiet()]);
      if (moved) written += chunk.length;
      else wrote.catch(() => undefined);
    }
    return written;
  };
  /** False after a time in which a loopback socket that can move has moved. */
  const quiet = (): Promise<boolean> =>
    new Promise((resolve) => setTimeout(() => resolve(false), 500));

  it("a handler that does not read stops the caller, and reading lets it go on", async () => {
    const [a, b] = [await bulk(), await bulk()];
    const [gate, total] = [Promise.withResolvers<void>(), Promise.withResolvers<number>()];
    b.transport.handleStream(async (_, stream) => {
      await gate.promise;
      let bytes = 0;
      for await (const piece of stream) bytes += piece.length;
      total.resolve(bytes);
    });
    const stream = await a.transport.open(b.at, {}, soon);
    const written = await stalls((bytes) => stream.write(bytes));
    expect(written).toBeLessThan(LIMIT);
    expect(b.transport.stats().bytesIn).toBeLessThan(LIMIT);
    gate.resolve();
    await expect.poll(() => b.transport.stats().bytesIn).toBeGreaterThanOrEqual(written + MIB);
    await stream.end();
    expect(await total.promise).toBe(written + MIB);
    await settled(stream);
  });

  it("a caller that does not read stops the handler, and reading lets it go on", async () => {
    const [a, b] = [await bulk(), await bulk()];
    const stalled = Promise.withResolvers<number>();
    b.transport.handleStream(async (_, stream) => {
      stalled.resolve(await stalls((bytes) => stream.write(bytes)));
    });
    const stream = await a.transport.open(b.at, {}, soon);
    await stream.response();
    const written = await stalled.promise;
    expect(written).toBeLessThan(LIMIT);
    expect(await stream.readExactly(written + MIB)).toHaveLength(written + MIB);
    await stream.end();
    await settled(stream);
  });
});

describe("broken streams", () => {
  it("abort breaks its own stream only, and the handler is told", async () => {
    const [a, b] = [await bulk(), await bulk()];
    const told = Promise.withResolvers<unknown>();
    b.transport.handleStream(async (header, stream, from) => {
      if (header === "abort") from.signal.addEventListener("abort", () => told.resolve(null));
      await stream.write(await all(stream));
    });
    const good = await a.transport.open(b.at, "good", soon);
    const bad = await a.transport.open(b.at, "abort", soon);
    await bad.write(new Uint8Array(100));
    await expect.poll(() => b.transport.stats().streamsServed).toBe(2);
    const reading = failure(bad.read());
    bad.abort();
    expect(await reading).toEqual(code("cancelled"));
    expect(await failure(bad.response())).toEqual(code("cancelled"));
    expect(await failure(bad.write(new Uint8Array(1)))).toEqual(code("cancelled"));
    await told.promise;
    await good.write(Buffer.from("still here"));
    await good.end();
    expect((await all(good)).toString()).toBe("still here");
  });

  it("are aborted by their signal, also before they begin", async () => {
    const [a, b] = [await bulk(), await bulk()];
    b.transport.handleStream(() => new Promise(() => undefined));
    const controller = new AbortController();
    const stream = await a.transport.open(b.at, {}, { ...soon, signal: controller.signal });
    const answer = failure(stream.response());
    controller.abort();
    expect(await answer).toEqual(code("cancelled"));
    const again = a.transport.open(b.at, {}, { ...soon, signal: controller.signal });
    expect(await failure(again)).toEqual(code("cancelled"));
  });

  it("P3: end at their deadline when the other side makes no progress", async () => {
    const [a, b] = [await bulk(), await bulk({ serveDeadline: 30 })];
    const handled = Promise.withResolvers<unknown>();
    b.transport.handleStream(async (header, stream) => {
      if (header === "warm") return;
      if (header === "caller") await new Promise(() => undefined);
      handled.resolve(await failure(all(stream)));
    });
    await settled(await finished(await a.transport.open(b.at, "warm", soon)));
    const unanswered = await a.transport.open(b.at, "caller", { deadline: 30 });
    expect(await failure(unanswered.response())).toEqual(code("deadline"));
    const unfinished = await a.transport.open(b.at, "handler", soon);
    expect(await handled.promise).toEqual(code("deadline"));
    expect(await failure(unfinished.response())).toEqual(code("peer-unreachable"));
  });

  it("fail with peer-unreachable on both sides when the connection is cut", async () => {
    const [a, b] = [await bulk(), await bulk()];
    const handled = Promise.withResolvers<unknown>();
    b.transport.handleStream(async (_, stream) => {
      handled.resolve(await failure(all(stream)));
    });
    const stream = await a.transport.open(b.at, {}, soon);
    await expect.poll(() => b.transport.stats().streamsServed).toBe(1);
    await a.transport.close();
    expect(await handled.promise).toEqual(code("peer-unreachable"));
    expect(await failure(stream.read())).toEqual(code("peer-unreachable"));
    expect(await failure(stream.write(new Uint8Array(1)))).toEqual(code("peer-unreachable"));
    expect(await failure(stream.end())).toEqual(code("peer-unreachable"));
  });

  it("give the connection up when more than a little is left unread", async () => {
    const [a, b] = [await bulk(), await bulk()];
    const handled = Promise.withResolvers<unknown>();
    b.transport.handleStream(async (_, stream) => {
      const endless = async (): Promise<void> => {
        for (;;) await stream.write(new Uint8Array(1024 * 1024));
      };
      handled.resolve(await failure(endless()));
    });
    const stream = await a.transport.open(b.at, {}, soon);
    await stream.response();
    stream.release();
    expect(await handled.promise).toEqual(code("peer-unreachable"));
  });
});

describe("who may open streams, and what may be in them", () => {
  it("T1, T2: a wrong key is not dialled, a stranger gets no stream", async () => {
    const [a, b] = [await bulk(), await bulk({ admit: () => false })];
    const impostor = { node: newIdentity().node, address: b.at.address };
    expect(await failure(a.transport.open(impostor, {}, soon))).toEqual(code("peer-unreachable"));
    expect(await failure(a.transport.open(b.at, {}, soon))).toEqual(code("not-a-member"));
    expect(b.transport.stats().streamsServed).toBe(0);
  });

  it("T2: a node that was removed gets no stream on the connection that it still has", async () => {
    let member = true;
    const [a, b] = [await bulk(), await bulk({ admit: () => member })];
    b.transport.handleStream((_, stream) => all(stream).then(() => undefined));
    await settled(await finished(await a.transport.open(b.at, {}, soon)));
    member = false;
    const stream = await a.transport.open(b.at, {}, soon);
    expect(await failure(stream.response())).toEqual(code("not-a-member"));
    expect(a.transport.stats().dials).toBe(1);
  });

  it("refuses more streams at once to one peer than the limit", async () => {
    const [a, b] = [await bulk(), await bulk()];
    b.transport.handleStream(async (_, stream) => {
      await all(stream);
    });
    const opening = Array.from({ length: 65 }, () => a.transport.open(b.at, {}, soon));
    const results = await Promise.allSettled(opening);
    const refused = results.filter((result) => result.status === "rejected");
    expect(refused).toHaveLength(1);
    expect(refused[0]?.reason).toEqual(code("overloaded"));
  });

  const identity = newIdentity();
  const header = encodeFrame(FRAME.header, 1, encode({}));
  it.each([
    ["bytes without a stream", [encodeFrame(FRAME.data, 1, Buffer.alloc(9))]],
    ["a second header", [header, header]],
    ["bytes of another stream", [header, encodeFrame(FRAME.data, 2, Buffer.alloc(9))]],
    ["a header beyond its limit", [frameHeader(FRAME.header, 1, 1024 * 1024)]],
    ["data beyond 1 MiB in one frame", [header, frameHeader(FRAME.data, 1, 1024 * 1024 + 1)]],
    ["a control request", [encodeFrame(FRAME.request, 1, encode(["wait"]))]],
    ["a header that is not CBOR", [encodeFrame(FRAME.header, 1, Buffer.alloc(9, 255))]],
    [
      "a frame beyond the end",
      [header, encodeFrame(FRAME.end, 1), encodeFrame(FRAME.data, 1, header)],
    ],
  ])("T4: %s ends the connection, not the node", async (_name, sent) => {
    const a = await bulk();
    a.transport.handleStream(() => new Promise(() => undefined));
    const socket = await intruder(a.at.address, identity);
    socket.write(helloFrame(identity));
    await once(socket, "data");
    for (const bytes of sent) socket.write(bytes);
    await untilClosed(socket);
    expect(a.transport.stats().closed).toEqual({ protocol: 1 });
    const friend = await bulk();
    a.transport.handleStream((_, stream) => stream.write(Buffer.from("ok")));
    const stream = await friend.transport.open(a.at, {}, soon);
    await stream.end();
    expect((await all(stream)).toString()).toBe("ok");
  });

  it("T6: close leaves nothing, in the middle of streams", async () => {
    const before = process.getActiveResourcesInfo().length;
    const [a, b] = [await bulk(), await bulk()];
    b.transport.handleStream((_, stream) => all(stream).then(() => undefined));
    const streams = await Promise.all([1, 2].map(() => a.transport.open(b.at, {}, soon)));
    const reads = streams.map((stream) => failure(stream.read()));
    await Promise.all([a.transport.close(), b.transport.close()]);
    expect(await Promise.all(reads)).toEqual([code("peer-unreachable"), code("peer-unreachable")]);
    expect(await failure(a.transport.open(b.at, {}, soon))).toEqual(code("peer-unreachable"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before);
  });
});
