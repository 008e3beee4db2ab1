/** Routes about the cluster and this node: status, nodes, join token, leave, events, probes, metrics. */
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { RingfoldError } from "../../base/errors.ts";
import { errorBody } from "../../contract/error-body.ts";
import { joinToken, joinTokenRequest } from "../../contract/join-token.ts";
import { leaveProgress, nodeList } from "../../contract/node-row.ts";
import { readiness, status } from "../../contract/status.ts";
import type { ControlApi } from "./control-api.ts";
import { writeEvents } from "./event-stream.ts";

/** Streams of events open at once; each costs a timer and a subscription. */
const MAX_EVENT_STREAMS = 64;

const eventQuery = z.strictObject({ since: z.coerce.number().int().min(0).optional() });

export const clusterRoutes =
  (api: ControlApi): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/status",
      { schema: schemaOf("cluster", "Health in plain words, with counts", status) },
      () => api.status(),
    );
    app.get("/nodes", { schema: schemaOf("cluster", "Every node", nodeList) }, () => api.nodes());
    app.post(
      "/join-token",
      {
        schema: {
          ...schemaOf("cluster", "A join line that expires", joinToken),
          body: joinTokenRequest,
        },
      },
      ({ body }) => api.joinToken(body.ttlMs === undefined ? {} : { ttl: body.ttlMs }),
    );
    app.post(
      "/leave",
      {
        schema: {
          ...schemaOf(
            "cluster",
            "This node hands over what it holds and goes; ask again for progress",
            leaveProgress,
          ),
          body: z.strictObject({}),
        },
      },
      () => api.leave(),
    );
  };

/** Events are their own plugin: they must end when the gateway closes. */
export const eventRoutes =
  (api: ControlApi): FastifyPluginAsyncZod =>
  async (app) => {
    const open = new Set<AbortController>();
    app.addHook("preClose", async () => {
      for (const stream of open) stream.abort();
    });
    app.get(
      "/events",
      {
        schema: {
          tags: ["cluster"],
          summary: "Server-sent events; resume with the header Last-Event-ID or ?since=",
          querystring: eventQuery,
        },
      },
      async (request, reply) => {
        if (open.size >= MAX_EVENT_STREAMS) {
          throw new RingfoldError("overloaded", `${open.size} event streams are open on this node`);
        }
        const since = lastEventId(request.headers["last-event-id"]) ?? request.query.since;
        const stream = new AbortController();
        open.add(stream);
        reply.hijack();
        reply.raw.on("close", () => stream.abort());
        try {
          await writeEvents(reply.raw, api.events(since, stream.signal), stream.signal);
        } finally {
          open.delete(stream);
        }
      },
    );
  };

export const probeRoutes =
  (api: ControlApi): FastifyPluginAsyncZod =>
  async (app) => {
    const alive = z.object({ alive: z.literal(true) });
    app.get(
      "/healthz",
      { schema: { tags: ["probes"], summary: "The process answers", response: { 200: alive } } },
      () => ({
        alive: true as const,
      }),
    );
    app.get(
      "/readyz",
      {
        schema: {
          tags: ["probes"],
          summary: "The node can serve",
          response: { 200: readiness, 503: readiness },
        },
      },
      async (_request, reply) => {
        const answer = api.readiness();
        await reply.code(answer.ready ? 200 : 503).send(answer);
      },
    );
    app.get(
      "/metrics",
      { schema: { tags: ["probes"], summary: "Prometheus text" } },
      async (_request, reply) =>
        reply.type("text/plain; version=0.0.4; charset=utf-8").send(await api.metrics()),
    );
  };

/** Browsers send back what they got; anything else is ignored as the standard says. */
function lastEventId(header: string | string[] | undefined): number | undefined {
  if (typeof header !== "string" || !/^\d{1,15}$/.test(header)) return undefined;
  return Number(header);
}

function schemaOf<T extends z.ZodType>(tag: string, summary: string, answer: T) {
  return { tags: [tag], summary, response: { 200: answer, default: errorBody } };
}
