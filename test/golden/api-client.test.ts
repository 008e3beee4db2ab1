/** The client against the gateway, over real sockets. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RingfoldError } from "../../src/base/errors.ts";
import { type Gateway, startGateway } from "../../src/node/http/gateway.ts";
import { MemoryCluster } from "../../src/node/http/memory-cluster.ts";
import { type Cluster, connect } from "../../src/sdk/client.ts";

let memory: MemoryCluster;
let gateway: Gateway;
let cluster: Cluster;

beforeAll(async () => {
  memory = await MemoryCluster.start();
  gateway = await startGateway({ api: memory, host: "127.0.0.1", port: 0 });
  cluster = connect({ node: gateway.url });
});

afterAll(async () => {
  cluster.close();
  await gateway.close();
  await memory.stop();
});

const bundle = Buffer.from("a job's bundle");
/** Array.fromAsync, which the compiler's library does not know yet. */
async function collect<T>(from: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of from) all.push(one);
  return all;
}

const read = async (name: string): Promise<string> =>
  Buffer.concat(await collect((await cluster.get(name)).chunks)).toString();

/** A server of another kind, until the test is over. */
async function foreign(
  answer: Parameters<typeof createServer>[1],
): Promise<{ url: string; server: Server }> {
  const server = createServer(answer as never).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

describe("files", () => {
  it("come back as they went, from bytes, from streams, empty ones too", async () => {
    const text = "é\n".repeat(200_000);
    await cluster.put("x/bytes", Buffer.from(text), { replicas: "all" });
    await cluster.put("x/stream", Readable.from([Buffer.from(text), Buffer.from("end")]));
    await cluster.put("x/empty", new Uint8Array(0));
    expect(await read("x/bytes")).toBe(text);
    expect(await read("x/stream")).toBe(`${text}end`);
    expect(await read("x/empty")).toBe("");
    expect((await cluster.stat("x/bytes")).replicas).toBe("all");
  });

  it("keep their names, whatever is in them", async () => {
    for (const name of ["a b/%2F#?&", "ü/日本", "x".repeat(1000), "..a/...", "it's"]) {
      await cluster.put(name, Buffer.from(name));
      expect(await read(name)).toBe(name);
      expect((await cluster.remove(name)).name).toBe(name);
    }
  });

  it("are listed over all pages", async () => {
    const names = Array.from({ length: 2500 }, (_, i) => `many/${String(i).padStart(4, "0")}`);
    for (const name of names) memory.addFile(name, "");
    const found = await collect(cluster.allFiles("many/*"));
    expect(found.map((file) => file.name)).toEqual(names);
    for (const name of names) memory.stored.delete(name);
  });

  it("refuse a put on a version that has changed, with the node's own message", async () => {
    await cluster.put("v", Buffer.from("1"), { expected: 0 });
    const late = cluster.put("v", Readable.from([Buffer.from("2")]), { expected: 0 });
    await expect(late).rejects.toMatchObject({
      code: "version-conflict",
      message: "v has version 1",
    });
    expect(await read("v")).toBe("1");
  });

  it("throw what their source throws", async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from("some");
        throw new RingfoldError("local-file", "it is gone");
      })(),
    );
    await expect(cluster.put("broken", broken)).rejects.toMatchObject({ code: "local-file" });
    expect(memory.stored.has("broken")).toBe(false);
  });

  it("refuse bad names here, before a URL could fold them", async () => {
    for (const name of ["..", "a/../b", "/a", ""]) {
      await expect(async () => cluster.stat(name)).rejects.toMatchObject({ code: "bad-name" });
    }
  });
});

describe("jobs", () => {
  it("are submitted, watched to their end, and read", async () => {
    memory.nextJob = "done";
    memory.addFile("in/a", "one\n");
    memory.addFile("in/b", "two\n");
    const { id } = await cluster.submit(await cluster.putBundle(bundle), {
      inputs: ["in/*"],
      output: "out",
    });
    const states: string[] = [];
    for await (const view of cluster.watch(id)) states.push(view.state);
    expect(states.at(-1)).toBe("done");
    expect(states.slice(0, -1).every((state) => state === "running")).toBe(true);
    const done = await cluster.wait(id);
    expect(Buffer.concat(await collect(cluster.results(done))).toString()).toBe("one\ntwo\n");
    expect((await cluster.jobs()).jobs[0]).toMatchObject({ id, state: "done" });
    expect((await cluster.taskLogs(id, "map-1")).logs).toHaveLength(1);
  });

  it("are cancelled, and the watch ends", async () => {
    memory.nextJob = "running";
    const { id } = await cluster.submit(await cluster.putBundle(bundle), { inputs: [] });
    const watching = cluster.wait(id);
    await cluster.cancel(id);
    expect((await watching).state).toBe("cancelled");
  });

  it("stop being watched when the signal says so", async () => {
    memory.nextJob = "running";
    const { id } = await cluster.submit(await cluster.putBundle(bundle), { inputs: [] });
    const stop = new AbortController();
    const watching = cluster.wait(id, stop.signal);
    const reason = new RingfoldError("cancelled", "enough");
    stop.abort(reason);
    await expect(watching).rejects.toBe(reason);
    await cluster.cancel(id);
  });

  it("with input that is not there are refused", async () => {
    const job = cluster.submit(await cluster.putBundle(bundle), { inputs: ["nope/*"] });
    await expect(job).rejects.toMatchObject({ code: "no-input" });
    await expect(cluster.submit("f".repeat(64), { inputs: [] })).rejects.toMatchObject({
      code: "block-missing",
    });
  });
});

describe("events", () => {
  it("come in order, and the reader may go away", async () => {
    const event = { at: 1, kind: "node-up" as const, subject: "one", text: "one\nis up" };
    memory.happened.push({ id: 1, ...event }, { id: 2, ...event });
    for await (const one of cluster.events({ since: 1 })) {
      expect(one).toEqual({ id: 2, ...event });
      break;
    }
  });
});

describe("what is not a node", () => {
  it("is told from one that answers", async () => {
    const { url, server } = await foreign((_request, response) => response.end("<html>"));
    const other = connect({ node: url });
    await expect(other.status()).rejects.toMatchObject({
      code: "not-reachable",
      message: expect.stringContaining("not a Ringfold node"),
    });
    await expect(other.get("x")).rejects.toMatchObject({ code: "not-reachable" });
    other.close();
    server.close();
  });

  it("closes idle connections just as the next call comes: it is made again on a new one", async () => {
    const seen = new WeakSet();
    const { url, server } = await foreign((request, response) => {
      if (seen.has(request.socket)) request.socket.destroy();
      else response.end(JSON.stringify({ epoch: 1 }));
      seen.add(request.socket);
    });
    const other = connect({ node: url });
    for (let call = 0; call < 3; call++) {
      expect(await other.status()).toEqual({ epoch: 1 });
      expect(await other.joinToken()).toEqual({ epoch: 1 });
    }
    other.close();
    server.close();
  });

  it("closes in the middle: an error, never a short file", async () => {
    const { url, server } = await foreign((request, response) => {
      if (request.url?.startsWith("/api") === true)
        response.writeHead(307, { location: `${url}/content` }).end();
      else {
        response.writeHead(200, { "content-length": "100" });
        response.write("ten bytes.", () => response.destroy());
      }
    });
    const other = connect({ node: url });
    const { bytes, chunks } = await other.get("x");
    expect(bytes).toBe(100);
    await expect(collect(chunks)).rejects.toMatchObject({ code: "not-reachable" });
    other.close();
    server.close();
  });

  it("refuses in the middle of a body: its answer counts, not the broken pipe", async () => {
    const answer = JSON.stringify({
      error: { code: "disk-full", message: "node one is full", fix: "" },
    });
    const { url, server } = await foreign((request, response) => {
      if (request.url?.startsWith("/api") === true)
        response.writeHead(307, { location: `${url}/content` }).end();
      else request.once("data", () => response.writeHead(507, { connection: "close" }).end(answer));
    });
    const other = connect({ node: url });
    const endless = Readable.from(
      (async function* () {
        for (let i = 0; i < 4096; i++) yield Buffer.alloc(1 << 16);
      })(),
    );
    await expect(other.put("x", endless)).rejects.toMatchObject({
      code: "disk-full",
      message: "node one is full",
    });
    other.close();
    server.close();
  });

  it("is named by RINGFOLD_NODE or an address without http://", async () => {
    const before = process.env["RINGFOLD_NODE"];
    process.env["RINGFOLD_NODE"] = gateway.url.slice("http://".length);
    expect(connect().node).toBe(gateway.url);
    process.env["RINGFOLD_NODE"] = "";
    expect(connect().node).toBe("http://127.0.0.1:7700");
    if (before === undefined) delete process.env["RINGFOLD_NODE"];
    else process.env["RINGFOLD_NODE"] = before;
    for (const node of ["https://127.0.0.1", "nonsense://x", "http://", "http://a b"]) {
      expect(() => connect({ node })).toThrow(expect.objectContaining({ code: "bad-option" }));
    }
  });
});
