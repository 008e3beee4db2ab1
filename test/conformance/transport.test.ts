/** What the control transport promises (src/node/transport/transport.ts), on real sockets. */
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { RingfoldError } from "../../src/base/errors.ts";
import type { NodeId } from "../../src/base/ids.ts";
import { newIdentity } from "../../src/node/identity/identity.ts";
import type { PeerEvent } from "../../src/node/transport/transport.ts";
import { parseHostPort } from "../../src/wire/address.ts";
import { encode } from "../../src/wire/cbor.ts";
import { encodeFrame, FRAME, frameHeader } from "../../src/wire/frames.ts";
import {
  closeAll,
  control,
  helloFrame,
  intruder,
  OTHER_RING,
  untilClosed,
} from "./transport-fixture.ts";

afterEach(closeAll);

const soon = { deadline: 5000 };
const code = (name: string) => expect.objectContaining({ code: name });
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("requests", () => {
  it("bring the handler's answer, and tell the handler who asks", async () => {
    const [a, b] = [await control(), await control()];
    b.transport.handle("echo", async ({ text }, from) => ({ text: `${text} ${from.node}` }));
    const answer = await a.transport.request(b.at, "echo", { text: "hi" }, soon);
    expect(answer).toEqual({ text: `hi ${a.identity.node}` });
  });

  it("share one dial, and are answered in any order", async () => {
    const [a, b] = [await control(), await control()];
    const gates = Array.from({ length: 50 }, () => Promise.withResolvers<void>());
    b.transport.handle("echo", async ({ text }) => {
      await gates[Number(text)]?.promise;
      return { text };
    });
    const answers = gates.map((_, i) =>
      a.transport.request(b.at, "echo", { text: String(i) }, soon),
    );
    for (const gate of gates.toReversed()) gate.resolve();
    expect(await Promise.all(answers)).toEqual(gates.map((_, i) => ({ text: String(i) })));
    expect(a.transport.stats()).toMatchObject({ dials: 1, requestsSent: 50, connections: 1 });
    expect(b.transport.stats()).toMatchObject({ accepted: 1, requestsServed: 50 });
  });

  it("carry void bodies and answers, and byte strings of some megabytes", async () => {
    const [a, b] = [await control(), await control()];
    b.transport.handle("wait", async () => undefined);
    b.transport.handle("size", async ({ bytes }) => bytes.length);
    expect(await a.transport.request(b.at, "wait", undefined, soon)).toBeUndefined();
    const bytes = new Uint8Array(3_000_000);
    expect(await a.transport.request(b.at, "size", { bytes }, soon)).toBe(3_000_000);
  });

  it("rethrow the handler's error with its code and message", async () => {
    const [a, b] = [await control(), await control()];
    b.transport.handle("echo", async () => {
      throw new RingfoldError("no-leader", "the voter is away");
    });
    await expect(a.transport.request(b.at, "echo", { text: "" }, soon)).rejects.toMatchObject({
      code: "no-leader",
      message: "the voter is away",
    });
  });

  it("T3: end at their deadline, and the handler's signal is aborted", async () => {
    const [a, b] = [await control(), await control()];
    const aborted = Promise.withResolvers<void>();
    b.transport.handle("echo", async ({ text }) => ({ text }));
    b.transport.handle("wait", async (_, from) => {
      from.signal.addEventListener("abort", () => aborted.resolve());
      await aborted.promise;
    });
    await a.transport.request(b.at, "echo", { text: "the connection is there" }, soon);
    const late = a.transport.request(b.at, "wait", undefined, { deadline: 30 });
    await expect(late).rejects.toMatchObject({ code: "deadline" });
    await aborted.promise;
  });

  it("T3: end when they are cancelled, and the handler's signal is aborted", async () => {
    const [a, b] = [await control(), await control()];
    const [began, aborted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    b.transport.handle("wait", async (_, from) => {
      from.signal.addEventListener("abort", () => aborted.resolve());
      began.resolve();
      await aborted.promise;
    });
    const controller = new AbortController();
    const options = { ...soon, signal: controller.signal };
    const answer = failure(a.transport.request(b.at, "wait", undefined, options));
    await began.promise;
    controller.abort();
    expect(await answer).toEqual(code("cancelled"));
    await aborted.promise;
    expect(await failure(a.transport.request(b.at, "wait", undefined, options))).toEqual(
      code("cancelled"),
    );
  });

  it("are refused before they leave when they are too large or not what the method takes", async () => {
    const [a, b] = [await control(), await control()];
    const large = { bytes: new Uint8Array(5_000_000) };
    expect(await failure(a.transport.request(b.at, "size", large, soon))).toEqual(
      code("too-large"),
    );
    // @ts-expect-error -- the compiler refuses it as well
    const wrong = a.transport.request(b.at, "echo", { text: 1 }, soon);
    expect(await failure(wrong)).toMatchObject({ message: /request echo: text: / });
  });

  it("fail when the handler answers what the method does not give, and when there is none", async () => {
    const [a, b] = [await control(), await control()];
    expect(await failure(a.transport.request(b.at, "echo", { text: "" }, soon))).toMatchObject({
      message: "this node does not serve echo now",
    });
    // @ts-expect-error -- the compiler refuses it as well
    b.transport.handle("echo", async () => ({ text: 5 }));
    expect(await failure(a.transport.request(b.at, "echo", { text: "" }, soon))).toMatchObject({
      message: /response echo: text: /,
    });
  });
});

describe("peers", () => {
  it("T1: a node is reached by its key: another key at its address is not it", async () => {
    const [a, b] = [await control(), await control()];
    const impostor = { node: newIdentity().node, address: b.at.address };
    expect(await failure(a.transport.request(impostor, "wait", undefined, soon))).toMatchObject({
      code: "peer-unreachable",
      message: expect.stringContaining("another key answers there"),
    });
    expect(b.transport.stats().requestsServed).toBe(0);
  });

  it("T2: an unknown key reaches open methods only", async () => {
    const member = newIdentity();
    const a = await control({ identity: newIdentity(), joining: () => true });
    const b = await control({ admit: (node) => node === member.node });
    b.transport.handle("echo", async ({ text }) => ({ text }));
    b.transport.handle("join", async (_, from) => `member: ${from.member}`);
    expect(await failure(a.transport.request(b.at, "echo", { text: "" }, soon))).toEqual(
      code("not-a-member"),
    );
    const answer = await a.transport.request(b.at, "join", { secret: "s" }, soon);
    expect(answer).toBe("member: false");
    const big = { secret: "s".repeat(20_000) };
    expect(await failure(a.transport.request(b.at, "join", big, soon))).toEqual(code("protocol"));
  });

  it("T2: a node that joined is a member on the connection that it has", async () => {
    const members = new Set<NodeId>();
    const [a, b] = [await control(), await control({ admit: (node) => members.has(node) })];
    b.transport.handle("echo", async ({ text }) => ({ text }));
    b.transport.handle("join", async (_, from) => {
      members.add(from.node);
      return "welcome";
    });
    await a.transport.request(b.at, "join", { secret: "s" }, soon);
    await a.transport.request(b.at, "echo", { text: "x" }, soon);
    expect(a.transport.stats().dials).toBe(1);
  });

  it("T2: a node that was removed loses its connections", async () => {
    const members = new Set<NodeId>();
    const [a, b] = [await control(), await control({ admit: (node) => members.has(node) })];
    members.add(a.identity.node);
    b.transport.handle("wait", () => new Promise(() => undefined));
    const closed = Promise.withResolvers<PeerEvent>();
    const connected = Promise.withResolvers<void>();
    b.transport.onPeer((event) => {
      if (event.type === "connected") connected.resolve();
      else closed.resolve(event);
    });
    const pending = failure(a.transport.request(b.at, "wait", undefined, soon));
    await connected.promise;
    members.clear();
    b.transport.recheck();
    expect(await pending).toEqual(code("peer-unreachable"));
    expect(await closed.promise).toMatchObject({ reason: "removed", node: a.identity.node });
  });

  it("of other versions are refused with both versions named, on both sides", async () => {
    const [a, b] = [await control(), await control({ software: "0.9.0", jobApi: 2 })];
    const error = await failure(a.transport.request(b.at, "wait", undefined, soon));
    expect(error).toMatchObject({
      code: "version-mismatch",
      message: expect.stringMatching(/0\.1\.0 \(.*job API 1\).*|0\.9\.0 \(.*job API 2\)/),
    });
    expect((error as Error).message).toContain("0.9.0");
    expect((error as Error).message).toContain("0.1.0");
    expect(b.transport.stats().closed).toMatchObject({ refused: 1 });
  });

  it("of another cluster are refused: wrong-cluster, or token-foreign while joining", async () => {
    const a = await control();
    const b = await control({ ring: OTHER_RING });
    const joiner = await control({ joining: () => true });
    const ask = (from: typeof a) => failure(from.transport.request(b.at, "wait", undefined, soon));
    expect(await ask(a)).toEqual(code("wrong-cluster"));
    expect(await ask(joiner)).toEqual(code("token-foreign"));
  });

  it("are reported when they connect and when they are gone", async () => {
    const [a, b] = [await control(), await control()];
    b.transport.handle("wait", async () => undefined);
    const events: PeerEvent[] = [];
    const gone = Promise.withResolvers<void>();
    const stop = a.transport.onPeer((event) => {
      events.push(event);
      if (event.type === "closed") gone.resolve();
    });
    await a.transport.request(b.at, "wait", undefined, soon);
    expect(a.transport.connected(b.at.node)).toBe(true);
    await b.transport.close();
    await gone.promise;
    stop();
    expect(events).toEqual([
      { type: "connected", node: b.at.node, incarnation: 1 },
      { type: "closed", node: b.at.node, incarnation: 1, reason: "shutdown" },
    ]);
    expect(a.transport.connected(b.at.node)).toBe(false);
  });

  it("T3: a connection that is cut fails what is in flight at once, and is reported as lost", async () => {
    const a = await control();
    const intruding = newIdentity();
    const lost = Promise.withResolvers<PeerEvent>();
    const connected = Promise.withResolvers<void>();
    a.transport.onPeer((event) => {
      if (event.type === "connected") connected.resolve();
      else lost.resolve(event);
    });
    const aborted = Promise.withResolvers<void>();
    a.transport.handle("wait", async (_, from) => {
      from.signal.addEventListener("abort", () => aborted.resolve());
      await aborted.promise;
    });
    const socket = await intruder(a.at.address, intruding);
    socket.write(helloFrame(intruding));
    await connected.promise;
    socket.write(encodeFrame(FRAME.request, 1, encode(["wait"])));
    await once(socket, "data");
    socket.destroy();
    expect(await lost.promise).toMatchObject({ reason: "lost", node: intruding.node });
    await aborted.promise;
  });

  it("that come back with a higher incarnation supersede their old connections", async () => {
    const b = await control();
    b.transport.handle("wait", async () => undefined);
    const identity = newIdentity();
    const [old, young] = [
      await control({ identity }),
      await control({ identity: { ...identity, incarnation: 2 } }),
    ];
    await old.transport.request(b.at, "wait", undefined, soon);
    const superseded = Promise.withResolvers<PeerEvent>();
    old.transport.onPeer((event) => superseded.resolve(event));
    await young.transport.request(b.at, "wait", undefined, soon);
    expect(await superseded.promise).toMatchObject({ type: "closed", reason: "superseded" });
    expect(await failure(old.transport.request(b.at, "wait", undefined, soon))).toEqual(
      code("peer-unreachable"),
    );
  });

  it("that cannot be reached fail the request with where and why", async () => {
    const [a, b] = [await control(), await control()];
    await b.transport.close();
    expect(await failure(a.transport.request(b.at, "wait", undefined, soon))).toMatchObject({
      code: "peer-unreachable",
      message: expect.stringContaining("nothing listens there"),
    });
  });

  it("that moved are dialled at their new address", async () => {
    const a = await control();
    const identity = newIdentity();
    const first = await control({ identity });
    first.transport.handle("wait", async () => undefined);
    await a.transport.request(first.at, "wait", undefined, soon);
    await first.transport.close();
    const second = await control({ identity: { ...identity, incarnation: 2 } });
    second.transport.handle("wait", async () => undefined);
    await a.transport.request(second.at, "wait", undefined, soon);
    expect(a.transport.stats().dials).toBe(2);
  });

  it("that go silent are ended, and so are connections that nobody uses", async () => {
    const a = await control({ tick: 5 });
    const identity = newIdentity();
    const reasons: string[] = [];
    const both = Promise.withResolvers<void>();
    a.transport.onPeer((event) => {
      if (event.type === "closed" && reasons.push(event.reason) === 2) both.resolve();
    });
    const silent = await intruder(a.at.address, identity);
    silent.write(helloFrame(identity));
    const b = await control({ tick: 5 });
    b.transport.handle("wait", async () => undefined);
    await a.transport.request(b.at, "wait", undefined, soon);
    await both.promise;
    expect(reasons.toSorted()).toEqual(["idle", "silent"]);
    silent.destroy();
  });
});

describe("T4: what the protocol does not allow ends the connection, not the node", () => {
  const stillServes = async (a: Awaited<ReturnType<typeof control>>): Promise<void> => {
    const friend = await control();
    a.transport.handle("echo", async ({ text }) => ({ text }));
    expect(await friend.transport.request(a.at, "echo", { text: "ok" }, soon)).toEqual({
      text: "ok",
    });
  };

  it("bytes that are not TLS", async () => {
    const a = await control();
    const socket = connect(parseHostPort(a.at.address));
    socket.on("error", () => undefined).resume();
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
    expect(a.transport.stats().closed).toMatchObject({ refused: 1 });
    await stillServes(a);
  });

  it("a peer without a key", async () => {
    const a = await control();
    const tls = await import("node:tls");
    const socket = tls.connect({ ...parseHostPort(a.at.address), rejectUnauthorized: false });
    socket.on("error", () => undefined);
    await untilClosed(socket);
    expect(a.transport.stats().closed).toMatchObject({ refused: 1 });
    await stillServes(a);
  });

  const identity = newIdentity();
  const hello = helloFrame(identity);
  it.each([
    ["garbage instead of hello", [Buffer.alloc(500, 1)], "protocol"],
    ["another protocol version", [Buffer.from([2, 0, 0])], "refused"],
    ["a hello beyond 16 KiB", [frameHeader(FRAME.hello, 0, 16 * 1024 + 1)], "protocol"],
    ["a hello for another node", [helloFrame(identity, { node: "e".repeat(64) })], "refused"],
    ["a hello without a ring", [helloFrame(identity, { ring: undefined })], "protocol"],
    ["a request before hello", [encodeFrame(FRAME.request, 1, encode(["wait"]))], "protocol"],
    [
      "a frame beyond 4 MiB",
      [hello, frameHeader(FRAME.request, 1, 4 * 1024 * 1024 + 1)],
      "protocol",
    ],
    ["a second hello", [hello, hello], "protocol"],
    [
      "a request that is not CBOR",
      [hello, encodeFrame(FRAME.request, 1, Buffer.alloc(9, 255))],
      "protocol",
    ],
    [
      "a body that the schema refuses",
      [hello, encodeFrame(FRAME.request, 1, encode(["echo", { text: 1 }]))],
      "protocol",
    ],
    ["bulk data", [hello, encodeFrame(FRAME.data, 1, Buffer.alloc(9))], "protocol"],
  ])("%s", async (_name, sent, reason) => {
    const a = await control();
    a.transport.handle("wait", async () => undefined);
    a.transport.handle("echo", async ({ text }) => ({ text }));
    const socket = await intruder(a.at.address, identity);
    for (const bytes of sent) socket.write(bytes);
    await untilClosed(socket);
    expect(a.transport.stats().closed).toEqual({ [reason]: 1 });
    await stillServes(a);
  });

  it("a peer that never says hello", async () => {
    const a = await control({ helloDeadline: 20 });
    await untilClosed(await intruder(a.at.address));
    expect(a.transport.stats().closed).toEqual({ refused: 1 });
  });

  it("a method that does not exist, without ending the connection", async () => {
    const a = await control();
    const socket = await intruder(a.at.address, identity);
    socket.write(hello);
    for (const name of ["nothing", "__proto__", "toString"]) {
      socket.write(encodeFrame(FRAME.request, 1, encode([name, {}])));
    }
    const chunks: Buffer[] = [];
    while (Buffer.concat(chunks).toString().split("there is no method").length < 4) {
      chunks.push(...((await once(socket, "data")) as [Buffer]));
    }
    expect(a.transport.stats().closed).toEqual({});
    socket.destroy();
  });
});

describe("listening and closing", () => {
  it("says which port is in use, and which host is not ours", async () => {
    const a = await control();
    expect(await failure(control({ listen: a.at.address }))).toEqual(code("port-in-use"));
    expect(await failure(control({ listen: "192.0.2.1:0" }))).toEqual(code("listen-address"));
    expect(await failure(control({ listen: "nowhere" }))).toEqual(code("listen-address"));
  });

  it("T6: close fails what is in flight, twice does no harm, and leaves nothing", async () => {
    const before = process.getActiveResourcesInfo().length;
    const [a, b] = [await control(), await control()];
    b.transport.handle("wait", () => new Promise(() => undefined));
    const began = Promise.withResolvers<void>();
    b.transport.onPeer(() => began.resolve());
    const pending = failure(a.transport.request(b.at, "wait", undefined, soon));
    await began.promise;
    await Promise.all([a.transport.close(), a.transport.close(), b.transport.close()]);
    expect(await pending).toEqual(code("peer-unreachable"));
    expect(await failure(a.transport.request(b.at, "wait", undefined, soon))).toEqual(
      code("peer-unreachable"),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before);
  });
});
