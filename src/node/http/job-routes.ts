/** Routes about jobs: submit, list, watch, logs, cancel. */
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { blockId, fileName, jobId } from "../../base/ids.ts";
import { errorBody } from "../../contract/error-body.ts";
import { describeRequest, jobDescription } from "../../contract/job-description.ts";
import { type JobSubmit, jobSubmit } from "../../contract/job-submit.ts";
import { jobList, jobQuery, jobView } from "../../contract/job-view.ts";
import { logQuery, taskLogs } from "../../contract/task-log.ts";
import type { ControlApi, Submission } from "./control-api.ts";

const idParam = z.object({ id: z.string() });

export const jobRoutes =
  (api: ControlApi): FastifyPluginAsyncZod =>
  async (app) => {
    app.post(
      "/jobs",
      {
        schema: {
          ...head("Submits a job; it is in the ledger when this answers"),
          body: jobSubmit,
          response: { 201: jobView, default: errorBody },
        },
      },
      async ({ body }, reply) => reply.code(201).send(await api.submitJob(submissionOf(body))),
    );
    app.post(
      "/jobs/describe",
      {
        schema: {
          ...head("What the job in a bundle declares: parameters, counters"),
          body: describeRequest,
          response: { 200: jobDescription, default: errorBody },
        },
      },
      ({ body }) => api.describeJob(blockId(body.bundle)),
    );
    app.get(
      "/jobs",
      { schema: { ...head("Newest first"), response: { 200: jobList, default: errorBody } } },
      () => api.jobs(),
    );
    app.get(
      "/jobs/:id",
      {
        schema: {
          ...head("One job; with ?after and ?waitMs it waits for a change"),
          params: idParam,
          querystring: jobQuery,
          response: { 200: jobView, default: errorBody },
        },
      },
      ({ params, query }) =>
        api.job(jobId(params.id), {
          tasks: query.tasks !== "0",
          wait: query.waitMs ?? 0,
          ...(query.after === undefined ? {} : { after: query.after }),
        }),
    );
    app.get(
      "/jobs/:id/logs",
      {
        schema: {
          ...head("What its tasks wrote"),
          params: idParam,
          querystring: logQuery,
          response: { 200: taskLogs, default: errorBody },
        },
      },
      ({ params, query }) => api.taskLogs(jobId(params.id), query.task),
    );
    app.post(
      "/jobs/:id/cancel",
      {
        schema: {
          ...head("Stops it; answers when it is over"),
          params: idParam,
          body: z.strictObject({}),
          response: { 200: jobView, default: errorBody },
        },
      },
      ({ params }) => api.cancelJob(jobId(params.id)),
    );
  };

function submissionOf({ bundle, output, ...rest }: JobSubmit): Submission {
  const job = { ...rest, bundle: blockId(bundle) };
  return output === undefined ? job : { ...job, output: fileName(output) };
}

const head = (summary: string) => ({ tags: ["jobs"], summary });
