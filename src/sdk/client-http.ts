/**
 * HTTP to one node, on node:http alone: the command line starts with every call, and each library
 * would cost more than the call. Connections are kept; errors come back as RingfoldError with the
 * node's own code and message.
 */
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { errorFromNote, isErrorCode, RingfoldError } from "../base/errors.ts";
import type { Millis } from "../base/ids.ts";
import type { ErrorBody } from "../contract/error-body.ts";

/**
 * A node that has not begun to answer by then is judged gone. Waits that the caller asks for come
 * on top.
 */
const ANSWER_MS = 30_000;
/** An answer that is not a body of a file. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface HttpCall {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With leading slash and query, or a full URL as a redirect gives it. */
  readonly path: string;
  readonly json?: unknown;
  readonly body?: Readable | Uint8Array;
  readonly contentType?: string;
  readonly length?: number;
  /** How long the node may take before it answers, beyond the usual. */
  readonly patience?: Millis;
  readonly signal?: AbortSignal | undefined;
}

export class NodeHttp {
  readonly base: string;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 64 });

  /** @param base such as http://127.0.0.1:7700 @throws bad-option */
  constructor(base: string) {
    this.base = baseUrl(base);
  }

  /** @throws RingfoldError as the node answers it, or not-reachable, deadline, protocol */
  async json<T>(call: HttpCall): Promise<T> {
    const response = await this.send(call);
    const text = await readText(response, this.base);
    if (isSuccess(response)) return parseAnswer<T>(text, this.base);
    throw refusalOf(response, text, this.base);
  }

  /** A response whose body the caller reads. */
  async open(call: HttpCall): Promise<IncomingMessage> {
    const response = await this.send(call);
    if (isSuccess(response)) return response;
    throw refusalOf(response, await readText(response, this.base), this.base);
  }

  /** Where the node sends this call's body or bytes to: the Location of its 307. */
  async redirect(call: HttpCall): Promise<string> {
    const response = await this.send(call);
    const text = await readText(response, this.base);
    const to = response.headers.location;
    if (response.statusCode === 307 && to !== undefined) return to;
    throw refusalOf(response, text, this.base);
  }

  close(): void {
    this.agent.destroy();
  }

  private send(call: HttpCall): Promise<IncomingMessage> {
    const url = new URL(call.path, this.base);
    const payload = call.json === undefined ? undefined : Buffer.from(JSON.stringify(call.json));
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = httpRequest(url, {
      method: call.method,
      // A stream cannot be sent again: it gets a connection that nobody is about to close.
      agent: isStream(call.body) ? false : this.agent,
      headers: headersOf(call, payload),
      signal: call.signal,
    });
    let answered = false;
    const wait = ANSWER_MS + (call.patience ?? 0);
    const deadline = setTimeout(() => request.destroy(lateError(url, wait)), wait);
    request.on("response", (response) => {
      answered = true;
      clearTimeout(deadline);
      // A node that refuses before it has read the body will not read the rest.
      if (!isSuccess(response)) response.on("end", () => request.destroy());
      resolve(response);
    });
    const fail = (error: unknown): void => {
      clearTimeout(deadline);
      if (answered) return;
      if (request.reusedSocket && wasClosed(error)) resolve(this.send(call));
      else reject(connectionError(error, url, call.signal));
    };
    request.on("error", fail);
    if (isStream(call.body)) {
      // The deadline is for an answer; a body may take as long as it makes progress.
      clearTimeout(deadline);
      pipeline(call.body, request).catch((error) =>
        settleUpload(error, request, () => answered, fail),
      );
    } else request.end(payload ?? call.body);
    return promise;
  }
}

const isStream = (body: HttpCall["body"]): body is Readable =>
  body !== undefined && !(body instanceof Uint8Array);

/**
 * On a connection that was kept: the node closed it, idle as it was, while our request was on its
 * way and not read (nodejs.org/api/http.html, request.reusedSocket).
 */
function wasClosed(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ECONNRESET" || code === "EPIPE";
}

/**
 * A node that refuses a body in the middle answers and closes. The write then fails a moment before
 * the answer is read, so an answer under way gets its chance; an error of the body's own source
 * counts at once.
 */
function settleUpload(
  error: unknown,
  request: { destroy(): unknown },
  answered: () => boolean,
  fail: (error: unknown) => void,
): void {
  const connection =
    wasClosed(error) || (error as NodeJS.ErrnoException).code === "ERR_STREAM_PREMATURE_CLOSE";
  const end = (): void => {
    if (answered()) return;
    fail(error);
    request.destroy();
  };
  if (connection) setTimeout(end, 200);
  else end();
}

function headersOf(call: HttpCall, payload: Buffer | undefined): Record<string, string | number> {
  const json = call.method === "POST" && call.contentType === undefined;
  const type = json ? "application/json" : call.contentType;
  const known =
    payload?.length ?? (call.body instanceof Uint8Array ? call.body.length : call.length);
  const length = known ?? (call.body === undefined && call.method !== "GET" ? 0 : undefined);
  return {
    ...(type === undefined ? {} : { "content-type": type }),
    ...(length === undefined ? {} : { "content-length": length }),
  };
}

function baseUrl(text: string): string {
  const url = URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || url.protocol !== "http:") {
    throw new RingfoldError(
      "bad-option",
      `"${text.slice(0, 80)}" is not the http:// address of a node`,
    );
  }
  return url.origin;
}

/**
 * What the bytes of a body are, while they come; its own error when the connection ends before
 * them.
 */
export async function* bodyChunks(
  response: IncomingMessage,
  where: string,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } catch (error) {
    throw new RingfoldError(
      "not-reachable",
      `${where}: the connection ended before all bytes had come`,
      {
        cause: error,
      },
    );
  }
}

async function readText(response: IncomingMessage, where: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of bodyChunks(response, where)) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw notRingfold(where);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const isSuccess = ({ statusCode = 0 }: IncomingMessage): boolean =>
  statusCode >= 200 && statusCode < 300;

function parseAnswer<T>(text: string, where: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw notRingfold(where);
  }
}

function refusalOf(response: IncomingMessage, text: string, where: string): RingfoldError {
  const { error } = tryParse<Partial<ErrorBody>>(text);
  if (error === undefined || typeof error.message !== "string") {
    return notRingfold(`${where} (HTTP ${response.statusCode})`);
  }
  if (isErrorCode(error.code)) return errorFromNote({ code: error.code, message: error.message });
  const newer = `${error.message} (${error.code})`;
  return new RingfoldError("protocol", newer);
}

function tryParse<T extends object>(text: string): T {
  try {
    return (JSON.parse(text) ?? {}) as T;
  } catch {
    return {} as T;
  }
}

const notRingfold = (where: string): RingfoldError =>
  new RingfoldError("not-reachable", `what answers at ${where} is not a Ringfold node`);

const lateError = (url: URL, wait: Millis): RingfoldError =>
  new RingfoldError(
    "deadline",
    `the node at ${url.origin} gave no answer within ${Math.round(wait / 1000)} s`,
  );

const WHY: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "it closed the connection",
  EPIPE: "it closed the connection",
  ENOTFOUND: "the name is not known",
  EAI_AGAIN: "the name is not known just now",
  EHOSTUNREACH: "no way to that host",
  ENETUNREACH: "no way to that network",
  ETIMEDOUT: "it does not answer",
};

function connectionError(error: unknown, url: URL, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) return signal.reason;
  if (error instanceof RingfoldError) return error;
  const { code = "", message } = firstOf(error) as NodeJS.ErrnoException;
  if (
    !Object.hasOwn(WHY, code) &&
    (error as NodeJS.ErrnoException).syscall === undefined &&
    code !== "HPE_INVALID_CONSTANT"
  ) {
    return error;
  }
  const why = WHY[code] ?? (code === "" ? message : code);
  return new RingfoldError("not-reachable", `no node answers at ${url.origin}: ${why}`, {
    cause: error,
  });
}

/** A name with several addresses fails once per address; the first says enough. */
const firstOf = (error: unknown): unknown =>
  error instanceof AggregateError ? error.errors[0] : error;
