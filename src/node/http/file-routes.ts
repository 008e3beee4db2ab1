/** Routes about files. Their bytes never come through here: content answers 307 to the data process's own port. */
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { fileName } from "../../base/ids.ts";
import { errorBody } from "../../contract/error-body.ts";
import {
  fileList,
  fileQuery,
  fileStat,
  MAX_FILE_PAGE,
  putQuery,
  removed,
  statQuery,
} from "../../contract/file-stat.ts";
import { nameText } from "../../contract/scalar.ts";
import type { ControlApi } from "./control-api.ts";

const nameParam = z.object({ name: nameText.describe("one segment: slashes as %2F") });

export const fileRoutes =
  (api: ControlApi): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/files",
      {
        schema: {
          ...head("Names in order, by page"),
          querystring: fileQuery,
          response: { 200: fileList, default: errorBody },
        },
      },
      ({ query }) => api.files({ ...query, limit: query.limit ?? MAX_FILE_PAGE }),
    );
    app.get(
      "/files/:name",
      {
        schema: {
          ...head("One file"),
          params: nameParam,
          querystring: statQuery,
          response: { 200: fileStat, default: errorBody },
        },
      },
      ({ params, query }) => api.stat(fileName(params.name), { holders: query.holders === "1" }),
    );
    app.delete(
      "/files/:name",
      {
        schema: {
          ...head("Removes the name"),
          params: nameParam,
          response: { 200: removed, default: errorBody },
        },
      },
      ({ params }) => api.remove(fileName(params.name)),
    );
  };

/** Own plugin: these take any content type and never read a body. */
export const contentRoutes =
  (api: ControlApi): FastifyPluginAsyncZod =>
  async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _body, done) => done(null));
    const answers = {
      307: z.null().describe("the same method at Location, with the body"),
      default: errorBody,
    };
    app.put(
      "/files/:name/content",
      {
        schema: {
          ...head("Stores a new version"),
          params: nameParam,
          querystring: putQuery,
          response: answers,
        },
      },
      async ({ params, query }, reply) =>
        elsewhere(reply, await api.bodyUrl({ kind: "put", name: fileName(params.name), query })),
    );
    app.get(
      "/files/:name/content",
      {
        schema: {
          ...head("The bytes of the newest version"),
          params: nameParam,
          response: answers,
        },
      },
      async ({ params }, reply) =>
        elsewhere(reply, await api.bodyUrl({ kind: "get", name: fileName(params.name) })),
    );
    app.post(
      "/blocks",
      {
        schema: {
          ...head("Stores a small block such as a bundle; answers its id"),
          response: answers,
        },
      },
      async (_request, reply) => elsewhere(reply, await api.bodyUrl({ kind: "block" })),
    );
  };

interface Sent {
  then(done: () => void, failed: (error: Error) => void): void;
}

interface Redirecting {
  header(name: "connection" | "cache-control", value: string): unknown;
  redirect(url: string, code: 307): Sent;
}

/** The connection closes so that a body already under way is not read to its end. */
async function elsewhere(reply: Redirecting, url: string): Promise<void> {
  reply.header("connection", "close");
  reply.header("cache-control", "no-store");
  await reply.redirect(url, 307);
}

const head = (summary: string) => ({ tags: ["files"], summary });
