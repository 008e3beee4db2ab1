/**
 * The HTTP API of a node, `/api/v1/…` with probes beside it (see control-api.ts for what answers). It checks Host, Origin,
 * content type, sizes and shapes, turns every error into an ErrorBody, and holds no state of the cluster.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyServerOptions,
} from "fastify";
import {
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import { RingfoldError } from "../../base/errors.ts";
import { systemWords } from "../../base/system-error.ts";
import { clusterRoutes, eventRoutes, probeRoutes } from "./cluster-routes.ts";
import type { ControlApi } from "./control-api.ts";
import { contentRoutes, fileRoutes } from "./file-routes.ts";
import { checkCall, isLoopbackName } from "./guard.ts";
import { errorBodyOf, type HttpError, httpErrorOf } from "./http-error.ts";
import { jobRoutes } from "./job-routes.ts";
import { collectOpenApi } from "./openapi.ts";

/** Largest JSON body. The biggest honest one is a submission with a thousand globs. */
const MAX_JSON_BYTES = 1024 * 1024;
/** A name of 1024 bytes, each as %XX, and room. */
const MAX_PARAM_LENGTH = 3200;

export interface GatewayOptions {
  readonly api: ControlApi;
  /** Loopback only: anything else is refused with `http-exposed`. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Host names beside loopback under which the port may be called, without port. */
  readonly allowedHosts?: readonly string[];
  /** Told of each fault of ours, with the place; the caller logs it. */
  readonly onFault?: (fault: unknown, place: string) => void;
}

export interface Gateway {
  /** Such as http://127.0.0.1:7700, without slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Ends open event streams and connections; bounded. */
  close(): Promise<void>;
}

/** @throws http-exposed, port-in-use, listen-address */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  if (!isLoopbackName(options.host)) {
    throw new RingfoldError(
      "http-exposed",
      `the HTTP port may not listen on ${options.host}: it has no password`,
    );
  }
  const app = await buildGateway(options);
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (error) {
    await app.close();
    throw listenError(error, options);
  }
  const { port } = app.server.address() as AddressInfo;
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return { url: `http://${host}:${port}`, port, close: () => app.close() };
}

/** The application without a port, for {@link startGateway} and for tests. */
export async function buildGateway(
  options: Omit<GatewayOptions, "host" | "port">,
): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: MAX_JSON_BYTES,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    schemaController: { compilersFactory: zodCompilers },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, request, reply) => {
      const { status, body } = failureOf(options, error, request);
      // Here Fastify types the reply by a route that is not known yet.
      void (reply as FastifyReply).code(status).send(body);
    },
    clientErrorHandler: (_error, socket) => {
      if (socket.writable) socket.end(MALFORMED);
    },
  }).withTypeProvider<ZodTypeProvider>();
  app.setErrorHandler((error, request, reply) => {
    const { status, body } = failureOf(options, error, request);
    void reply.code(status).send(body);
  });
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send(errorBodyOf("bad-request", `${placeOf(request)}: there is no such address`)),
  );
  guardCalls(app, options.allowedHosts ?? []);
  acceptOnlyJson(app);
  await collectOpenApi(app);
  await addRoutes(app, options.api);
  await app.ready();
  return app;
}

type CompilersFactory = NonNullable<
  NonNullable<FastifyServerOptions["schemaController"]>["compilersFactory"]
>;

/** Given at the start, not set later: Fastify would load ajv first (114 modules, 36 ms, 4 MB), never to use it. */
const zodCompilers = {
  buildValidator: () => validatorCompiler,
  buildSerializer: () => serializerCompiler,
} as unknown as CompilersFactory;

async function addRoutes(app: FastifyInstance, api: ControlApi): Promise<void> {
  const prefix = "/api/v1";
  await app.register(probeRoutes(api));
  for (const routes of [clusterRoutes, eventRoutes, fileRoutes, contentRoutes, jobRoutes]) {
    await app.register(routes(api), { prefix });
  }
  app.get(`${prefix}/openapi.json`, { schema: { hide: true } }, () => app.swagger());
}

function guardCalls(app: FastifyInstance, allowed: readonly string[]): void {
  app.addHook("onRequest", async ({ method, headers }, reply) => {
    const fetchSite = headers["sec-fetch-site"];
    checkCall(
      {
        method,
        host: headers.host,
        origin: headers.origin,
        fetchSite: typeof fetchSite === "string" ? fetchSite : undefined,
      },
      allowed,
    );
    reply.header("x-content-type-options", "nosniff");
  });
  // A client that waits for leave to send a file's body must get the redirect instead, not the leave.
  app.server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    if (request.method !== "PUT") response.writeContinue();
    app.server.emit("request", request, response);
  });
}

/** A POST is JSON or refused, also without a body: other types are what a foreign page could send unasked. */
function acceptOnlyJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") done(null, {});
    else void parse(request, body as string, done);
  });
}

interface FailedRequest {
  readonly method: string;
  readonly url: string;
}

function failureOf(
  options: Pick<GatewayOptions, "onFault">,
  thrown: unknown,
  request: FailedRequest,
): HttpError {
  const place = placeOf(request);
  const failure = httpErrorOf(thrown, place);
  if (failure.body.error.code === "bug") options.onFault?.(thrown, place);
  return failure;
}

/** Method and path, cut to a length that a log can bear. */
const placeOf = ({ method, url }: FailedRequest): string =>
  `${method} ${(url.split("?")[0] ?? "").slice(0, 200)}`;

function listenError(error: unknown, { host, port }: GatewayOptions): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "EADDRINUSE") {
    const why = "the port is in use by another program";
    const message = `cannot listen on ${host}:${port} for HTTP: ${why}`;
    return new RingfoldError("port-in-use", message, { cause: error });
  }
  if (code === "EADDRNOTAVAIL" || code === "EACCES" || code === "ENOTFOUND") {
    return new RingfoldError(
      "listen-address",
      `cannot listen on ${host}:${port} for HTTP: ${systemWords(error)}`,
      { cause: error },
    );
  }
  return error;
}

const MALFORMED_BODY = JSON.stringify(
  errorBodyOf("bad-request", "the request is not HTTP that can be read"),
);
const MALFORMED =
  `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/json\r\n` +
  `content-length: ${Buffer.byteLength(MALFORMED_BODY)}\r\n\r\n${MALFORMED_BODY}`;
