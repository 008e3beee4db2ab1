import { once } from "node:events";
import { request as httpRequest } from "node:http";
import fc from "fast-check";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assert, RingfoldError } from "../../base/errors.ts";
import { buildGateway, type Gateway, startGateway } from "./gateway.ts";
import { checkCall } from "./guard.ts";
import { MemoryCluster } from "./memory-cluster.ts";

const HOST = "127.0.0.1:7700";
const faults: unknown[] = [];
let cluster: MemoryCluster;
let app: FastifyInstance;

beforeAll(async () => {
  cluster = await MemoryCluster.start();
  cluster.addFile("books/a.txt", "a b\n");
  app = await buildGateway({
    api: cluster,
    allowedHosts: ["node.example"],
    onFault: (fault) => faults.push(fault),
  });
});

afterAll(async () => {
  await app.close();
  await cluster.stop();
});

interface Call {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly url: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

async function call({ method = "GET", url, headers = {}, body }: Call) {
  const json = body === undefined ? {} : { "content-type": "application/json" };
  const answer = await app.inject({
    method,
    url,
    headers: { host: HOST, ...json, ...headers },
    ...(body === undefined
      ? {}
      : { payload: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = answer.body;
  return { status: answer.statusCode, headers: answer.headers, text, json: () => JSON.parse(text) };
}

async function refusal(wanted: Call): Promise<{ status: number; code: string; message: string }> {
  const answer = await call(wanted);
  const { error } = answer.json();
  expect(Object.keys(error)).toEqual(["code", "message", "fix"]);
  expect(error.fix).not.toBe("");
  expect(answer.text).not.toMatch(/\n {4}at |node_modules/);
  return { status: answer.status, code: error.code, message: error.message };
}

describe("answers", () => {
  it("gives the status with its health in words", async () => {
    const { status, json } = await call({ url: "/api/v1/status" });
    expect(status).toBe(200);
    expect(json()).toMatchObject({ health: { text: "Healthy" }, nodes: { up: 1 }, epoch: 3 });
  });

  it("lists files by glob and by page", async () => {
    cluster.addFile("pages/1", "x");
    cluster.addFile("pages/2", "x");
    const first = (await call({ url: "/api/v1/files?glob=pages/*&limit=1" })).json();
    expect(first).toMatchObject({ files: [{ name: "pages/1" }], next: "pages/1" });
    const rest = (await call({ url: "/api/v1/files?glob=pages/*&limit=1&after=pages/1" })).json();
    expect(rest).toMatchObject({ files: [{ name: "pages/2" }], next: null });
  });

  it("takes a name with slashes as one segment, and tells the holders when asked", async () => {
    const plain = (await call({ url: "/api/v1/files/books%2Fa.txt" })).json();
    expect(plain).toMatchObject({ name: "books/a.txt", bytes: 4 });
    expect(plain.blockRows).toBeUndefined();
    const full = (await call({ url: "/api/v1/files/books%2Fa.txt?holders=1" })).json();
    expect(full.blockRows).toMatchObject([
      { offset: 0, bytes: 4, holders: [{ name: "one", live: true }] },
    ]);
  });

  it("submits, shows, lists and cancels a job", async () => {
    const bundle = "a".repeat(64);
    cluster.blocks.set(bundle, Buffer.from("x"));
    const made = await call({
      method: "POST",
      url: "/api/v1/jobs",
      body: { bundle, inputs: ["books/*"] },
    });
    expect(made.status).toBe(201);
    const { id } = made.json();
    expect((await call({ url: `/api/v1/jobs/${id}?tasks=0` })).json()).toMatchObject({
      tasks: [],
      state: "running",
    });
    expect((await call({ url: "/api/v1/jobs" })).json().jobs).toMatchObject([{ id }]);
    expect((await call({ url: `/api/v1/jobs/${id}/logs?task=map-0` })).json().logs).toMatchObject([
      { text: "hello\n" },
    ]);
    const ended = await call({ method: "POST", url: `/api/v1/jobs/${id}/cancel`, body: "" });
    expect(ended.json()).toMatchObject({ state: "cancelled" });
  });

  it("answers probes and metrics beside the API", async () => {
    expect((await call({ url: "/healthz" })).json()).toEqual({ alive: true });
    expect((await call({ url: "/readyz" })).status).toBe(200);
    cluster.ready = { ready: false, why: "the data process is starting" };
    const starting = await call({ url: "/readyz" });
    cluster.ready = { ready: true, why: "" };
    expect([starting.status, starting.json().why]).toEqual([503, "the data process is starting"]);
    const metrics = await call({ url: "/metrics" });
    expect(metrics.headers["content-type"]).toContain("version=0.0.4");
    expect(metrics.text).toContain("ringfold_up 1");
  });
});

describe("bodies", () => {
  it("sends a put to the data process, with what it asked for and a capability", async () => {
    const answer = await call({
      method: "PUT",
      url: "/api/v1/files/books%2Fa.txt/content?replicas=all&blockSize=8192&expected=0",
      headers: { "content-type": "text/plain" },
    });
    expect(answer.status).toBe(307);
    const to = new URL(String(answer.headers["location"]));
    expect(to.pathname).toBe("/content/books%2Fa.txt");
    expect(Object.fromEntries(to.searchParams)).toEqual({
      replicas: "all",
      blockSize: "8192",
      expected: "0",
      token: "once",
    });
    expect(answer.headers["cache-control"]).toBe("no-store");
  });

  it("sends gets and bundles there too, and says first that a name does not exist", async () => {
    const get = await call({ url: "/api/v1/files/books%2Fa.txt/content" });
    expect([get.status, get.headers["location"]]).toEqual([
      307,
      expect.stringContaining("/content/books%2Fa.txt?"),
    ]);
    const block = await call({
      method: "POST",
      url: "/api/v1/blocks",
      headers: { "content-type": "application/octet-stream" },
    });
    expect([block.status, block.headers["location"]]).toEqual([
      307,
      expect.stringContaining("/blocks?"),
    ]);
    expect(await refusal({ url: "/api/v1/files/nope/content" })).toMatchObject({
      status: 404,
      code: "no-such-file",
    });
  });

  it("does not take a body in: a client that waits for leave gets the redirect, not the leave", async () => {
    const gateway = await startGateway({ api: cluster, host: "127.0.0.1", port: 0 });
    const put = httpRequest(`${gateway.url}/api/v1/files/x/content`, {
      method: "PUT",
      headers: {
        expect: "100-continue",
        "content-length": "1000000",
        "content-type": "text/plain",
      },
    });
    let continued = false;
    put.on("continue", () => {
      continued = true;
    });
    put.on("error", () => undefined);
    put.flushHeaders();
    const [response] = await once(put, "response");
    expect([response.statusCode, continued]).toEqual([307, false]);
    put.destroy();
    await gateway.close();
  });
});

describe("guard", () => {
  it.each([
    "127.0.0.1:7700",
    "127.9.9.9",
    "localhost:1",
    "[::1]:7700",
    "node.example:80",
    "LOCALHOST",
  ])("answers to the host %s", async (host) => {
    expect((await call({ url: "/api/v1/status", headers: { host } })).status).toBe(200);
  });

  it.each([
    "evil.example",
    "127.0.0.1.evil.example",
    "10.0.0.1:7700",
    "localhost:1:2",
    "localhost@evil.example",
    "[::2]",
  ])("refuses the host %j", async (host) => {
    for (const url of ["/api/v1/status", "/healthz", "/metrics", "/nowhere"]) {
      expect(await refusal({ url, headers: { host } })).toMatchObject({
        status: 403,
        code: "host-refused",
      });
    }
  });

  it("refuses a call that names no host", () => {
    for (const host of [undefined, ""]) {
      const nameless = { method: "GET", host, origin: undefined, fetchSite: undefined };
      expect(() => checkCall(nameless, [])).toThrow(
        expect.objectContaining({ code: "host-refused" }),
      );
    }
  });

  it.each([
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: "https://127.0.0.1:7700" },
    { origin: "http://127.0.0.1:9999" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ])("refuses a write of a foreign page: %j", async (headers) => {
    const write: Call = { method: "POST", url: "/api/v1/leave", headers, body: {} };
    expect(await refusal(write)).toMatchObject({ status: 403, code: "origin-refused" });
  });

  it("lets the node's own page write", async () => {
    const headers = { origin: `http://${HOST}`, "sec-fetch-site": "same-origin" };
    expect(
      (await call({ method: "POST", url: "/api/v1/join-token", headers, body: {} })).status,
    ).toBe(200);
  });

  it("sends no CORS header, whoever asks", async () => {
    const answer = await call({
      url: "/api/v1/status",
      headers: { origin: "http://evil.example" },
    });
    expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual(
      [],
    );
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])(
    "refuses a write of type %s",
    async (type) => {
      const write: Call = {
        method: "POST",
        url: "/api/v1/join-token",
        headers: { "content-type": type },
        body: "{}",
      };
      expect(await refusal(write)).toMatchObject({ status: 415, code: "bad-request" });
    },
  );

  it("refuses a write without a type", async () => {
    expect(await refusal({ method: "POST", url: "/api/v1/leave" })).toMatchObject({
      code: "bad-request",
    });
  });

  it("listens on loopback only", async () => {
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "example.org"]) {
      await expect(startGateway({ api: cluster, host, port: 0 })).rejects.toMatchObject({
        code: "http-exposed",
      });
    }
  });

  it("says that a port is taken", async () => {
    const first = await startGateway({ api: cluster, host: "127.0.0.1", port: 0 });
    const again = startGateway({ api: cluster, host: "127.0.0.1", port: first.port });
    await expect(again).rejects.toMatchObject({ code: "port-in-use" });
    await first.close();
  });
});

describe("refusals", () => {
  it.each([
    [{ url: "/api/v1/files?limit=0" }, "query.limit"],
    [{ url: "/api/v1/files?limit=ten" }, "query.limit"],
    [{ url: "/api/v1/files?golb=x" }, "golb"],
    [{ method: "POST", url: "/api/v1/jobs", body: { inputs: [] } }, "body.bundle"],
    [
      { method: "POST", url: "/api/v1/jobs", body: { bundle: "x", inputs: [] } },
      "64 lower-case hex digits",
    ],
    [
      {
        method: "POST",
        url: "/api/v1/jobs",
        body: { bundle: "a".repeat(64), inputs: [], colour: 1 },
      },
      "colour",
    ],
    [{ method: "POST", url: "/api/v1/jobs", body: "{not json" }, "JSON"],
    [{ method: "POST", url: "/api/v1/jobs", body: '{"__proto__":{"x":1}}' }, "JSON"],
    [{ method: "POST", url: "/api/v1/join-token", body: { ttlMs: -1 } }, "body.ttlMs"],
    [{ method: "PUT", url: "/api/v1/files/x/content?replicas=0" }, "query.replicas"],
    [{ method: "PUT", url: "/api/v1/files/x/content?cut=words" }, "query.cut"],
  ] as [Call, string][])("says what is wrong in %j", async (wrong, part) => {
    const { status, code, message } = await refusal(wrong);
    expect([status, code]).toEqual([400, "bad-request"]);
    expect(message).toContain(part);
  });

  it.each(["..%2Fx", "a%2F%2Fb", "a%00b", "%2Fetc", "a%5Cb", "a%2F..%2Fb"])(
    "refuses the name %s",
    async (name) => {
      for (const path of [name, `${name}/content`]) {
        expect(await refusal({ url: `/api/v1/files/${path}` })).toMatchObject({
          status: 400,
          code: "bad-name",
        });
      }
    },
  );

  it("refuses what is too large, malformed or nowhere", async () => {
    const large = {
      method: "POST",
      url: "/api/v1/jobs",
      body: `"${"x".repeat(1 << 20)}"`,
    } as const;
    expect(await refusal(large)).toMatchObject({ status: 413, code: "too-large" });
    expect(await refusal({ url: "/api/v1/files/%zz" })).toMatchObject({
      status: 400,
      code: "bad-request",
    });
    expect(await refusal({ url: "/api/v2/status" })).toMatchObject({ status: 404 });
    expect(await refusal({ url: "/api/v1/jobs/j1" })).toMatchObject({
      status: 400,
      code: "bad-id",
    });
    expect(await refusal({ url: "/api/v1/jobs/j0000000000zz" })).toMatchObject({
      status: 404,
      code: "no-such-job",
    });
  });

  it.each([
    ["no-leader", 503],
    ["version-conflict", 409],
    ["disk-full", 507],
    ["deadline", 504],
    ["overloaded", 429],
    ["data-process", 503],
    ["bad-glob", 400],
  ] as const)("answers %s with HTTP %i", async (code, status) => {
    cluster.fault = new RingfoldError(code, "what and where");
    expect(await refusal({ url: "/api/v1/status" })).toEqual({
      status,
      code,
      message: "what and where",
    });
  });

  it("tells a fault of ours as a bug, without its details, and reports it", async () => {
    cluster.fault = new TypeError("secret detail");
    faults.length = 0;
    const { status, code, message } = await refusal({ url: "/api/v1/status?" });
    expect([status, code]).toEqual([500, "bug"]);
    expect(message).not.toContain("secret");
    expect(faults).toHaveLength(1);
  });
});

describe("whatever comes", () => {
  const paths = [
    "/api/v1/files",
    "/api/v1/files/x",
    "/api/v1/jobs",
    "/api/v1/jobs/describe",
    "/api/v1/join-token",
    "/api/v1/blocks",
    "/",
  ];
  const wanted = fc.record({
    method: fc.constantFrom("GET", "POST", "PUT", "DELETE"),
    path: fc.oneof(
      fc.constantFrom(...paths),
      fc.webPath().map((path) => `/api/v1${path}`),
    ),
    query: fc.oneof(
      fc.constant(""),
      fc.webQueryParameters(),
      fc.constantFrom("limit=1e9", "replicas=all", "glob=%00", "after=.."),
    ),
    body: fc.oneof(
      fc.json(),
      fc.string(),
      fc.jsonValue().map((inputs) => JSON.stringify({ bundle: "0".repeat(64), inputs })),
    ),
  });

  it("is answered, or refused in words, and is never a fault of ours", async () => {
    faults.length = 0;
    await fc.assert(
      fc.asyncProperty(wanted, async ({ method, path, query, body }) => {
        if (/\/(events|leave)/.test(path)) return;
        const write = method === "POST" ? { body } : {};
        const answer = await call({ method: method as "GET", url: `${path}?${query}`, ...write });
        if (answer.status >= 400) expect(answer.json().error.code).not.toBe("bug");
      }),
      { numRuns: 300 },
    );
    expect(faults).toEqual([]);
  });
});

describe("events", () => {
  async function readEvents(
    gateway: Gateway,
    headers: Record<string, string>,
    until: string,
  ): Promise<string> {
    const response = await fetch(`${gateway.url}/api/v1/events`, { headers });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    assert(response.body !== null, "an event stream has a body");
    let text = "";
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (text.includes(until)) break;
    }
    return text;
  }

  it("streams them with their numbers, resumes after the last one, and ends with the gateway", async () => {
    const event = { at: 1, kind: "node-down" as const, subject: "one", text: "one is down" };
    cluster.happened.push({ id: 1, ...event }, { id: 2, ...event, text: "one is down again" });
    const gateway = await startGateway({ api: cluster, host: "127.0.0.1", port: 0 });
    const all = await readEvents(gateway, {}, "again");
    expect(all).toContain(`id: 1\nevent: node-down\ndata: {"id":1,`);
    const rest = await readEvents(gateway, { "last-event-id": "1" }, "again");
    expect(rest).not.toContain("id: 1\n");
    const open = await fetch(`${gateway.url}/api/v1/events`);
    await gateway.close();
    await open.text().catch(() => undefined);
  });
});
