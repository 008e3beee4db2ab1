/**
 * Bodies over HTTP: the data process's own port, so that no byte of a file passes through control (4-interfaces.md).
 *
 *   PUT  /content/NAME?…   stores the body, has the name committed, answers FileStat
 *   GET  /content/NAME?manifest=ID&contentType=…   the bytes
 *   POST /blocks           stores a small block, answers StoredBlock
 *
 * Each request needs a link of capability.ts.
 *
 * H1: a body that ends before its time commits nothing (D3). Tested.
 * H2: a file that cannot be sent whole is never sent as if it were: the connection breaks. Tested.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { assert, RingfoldError } from "../../base/errors.ts";
import { type BlockId, type Bytes, blockId, type FileName, fileName } from "../../base/ids.ts";
import { type FileStat, type PutQuery, putQuery } from "../../contract/file-stat.ts";
import { httpErrorOf } from "../http/http-error.ts";
import { openLink } from "./capability.ts";
import type { Stored } from "./data-port.ts";
import type { LentBlock } from "./read-block.ts";

/** What the server asks of the data service. */
export interface Bodies {
  put(
    name: FileName,
    query: PutQuery,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<FileStat>;
  get(
    manifest: BlockId,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: Bytes; readonly content: AsyncIterable<LentBlock> }>;
  putSmall(bytes: Uint8Array): Promise<Stored>;
}

/** Largest body of `POST /blocks`. */
export const MAX_SMALL_BYTES: Bytes = 64 * 1024 * 1024;
/** After a refusal so much more of a body is read and dropped, so that the client sees the answer. */
const DRAIN_BYTES: Bytes = 64 * 1024 * 1024;

export class BodyServer {
  readonly #server: Server;
  readonly #bodies: Bodies;
  readonly #secret: Uint8Array;
  readonly #stopping = new AbortController();

  private constructor(bodies: Bodies, secret: Uint8Array) {
    this.#bodies = bodies;
    this.#secret = secret;
    this.#server = createServer({ requestTimeout: 0, highWaterMark: 1024 * 1024 });
    this.#server.on("request", (request, response) => void this.#answer(request, response));
  }

  /** @throws RingfoldError `port-in-use`, `listen-address` */
  static async listen(
    bodies: Bodies,
    options: { readonly host: string; readonly port: number; readonly secret: Uint8Array },
  ): Promise<BodyServer> {
    const server = new BodyServer(bodies, options.secret);
    server.#server.listen(options.port, options.host);
    try {
      await once(server.#server, "listening");
    } catch (error) {
      const inUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
      const place = `${options.host}:${options.port}`;
      throw new RingfoldError(
        inUse ? "port-in-use" : "listen-address",
        `cannot listen on ${place}`,
        {
          cause: error,
        },
      );
    }
    return server;
  }

  /** http://HOST:PORT */
  get url(): string {
    const { address, family, port } = this.#server.address() as AddressInfo;
    return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
  }

  async close(): Promise<void> {
    this.#stopping.abort(new RingfoldError("cancelled", "the node is stopping"));
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, this.#stopping.signal]);
    response.once("close", () => {
      if (!response.writableFinished) gone.abort(new RingfoldError("cancelled", "the client went"));
    });
    try {
      await this.#route(request, response, signal);
    } catch (error) {
      refuse(request, response, error);
    }
  }

  async #route(
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const method = request.method ?? "";
    const { path, query } = openLink(this.#secret, method, request.url ?? "", Date.now());
    if (method === "POST" && path === "/blocks") {
      const { id, bytes } = await this.#bodies.putSmall(await smallBody(request));
      return sendJson(response, 200, { id, bytes });
    }
    const name = nameIn(path);
    if (method === "PUT") {
      const stat = await this.#bodies.put(name, queryOf(query), bodyOf(request), signal);
      return sendJson(response, 200, stat);
    }
    await this.#send(query, response, signal);
  }

  async #send(
    query: URLSearchParams,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const manifest = blockId(query.get("manifest") ?? "");
    const { bytes, content } = await this.#bodies.get(manifest, signal);
    let sent = 0;
    for await (const block of content) {
      if (sent === 0) startBody(response, bytes, query.get("contentType"));
      sent += block.bytes.length;
      if (!response.write(block.bytes, () => block.release())) await drained(response, signal);
    }
    if (sent === 0) startBody(response, bytes, query.get("contentType"));
    assert(sent === bytes, "H2: a whole file is sent");
    response.end();
  }
}

function startBody(response: ServerResponse, bytes: Bytes, contentType: string | null): void {
  response.writeHead(200, {
    "content-length": bytes,
    "content-type": contentType ?? "application/octet-stream",
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox",
  });
}

/** Resolves at the socket's next drain; rejects when the client went. */
function drained(response: ServerResponse, signal: AbortSignal): Promise<unknown> {
  return once(response, "drain", { signal }).catch(() => signal.throwIfAborted());
}

function nameIn(path: string): FileName {
  const prefix = "/content/";
  if (!path.startsWith(prefix)) throw new RingfoldError("bad-request", `no such address: ${path}`);
  let text: string;
  try {
    text = decodeURIComponent(path.slice(prefix.length));
  } catch (cause) {
    throw new RingfoldError("bad-name", "the name in the address is badly encoded", { cause });
  }
  return fileName(text);
}

function queryOf(query: URLSearchParams): PutQuery {
  const result = putQuery.safeParse(Object.fromEntries(query));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new RingfoldError("bad-request", `query.${issue?.path.join(".")}: ${issue?.message}`);
}

/** The body; throws `cancelled` when the client goes before its end (H1). */
async function* bodyOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    // A put that fails must not destroy the request: its answer still has to go out on the same socket.
    const chunks = request.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) yield chunk as Uint8Array;
  } catch (cause) {
    throw new RingfoldError("cancelled", "the client went before the end of the body", { cause });
  }
  if (!request.complete) throw new RingfoldError("cancelled", "the body ended before its time");
}

async function smallBody(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of bodyOf(request)) {
    bytes += chunk.length;
    if (bytes > MAX_SMALL_BYTES) {
      throw new RingfoldError("too-large", `a block of more than ${MAX_SMALL_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  response.end(text);
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const place = `${request.method} ${(request.url ?? "").split("?")[0]}`;
  const { status, body } = httpErrorOf(error, place);
  if (request.complete || request.destroyed) return sendJson(response, status, body);
  const text = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": text.length,
  });
  response.write(text);
  drain(request, response);
}

/**
 * The answer is out whole, but not ended: with its end Node would close the socket, and what the
 * client still sends would reset the connection before the client has read why.
 */
function drain(request: IncomingMessage, response: ServerResponse): void {
  let dropped = 0;
  request.on("data", (chunk: Uint8Array) => {
    dropped += chunk.length;
    if (dropped > DRAIN_BYTES) request.destroy();
  });
  request.on("end", () => response.end());
  request.on("error", () => {});
  request.resume();
}
