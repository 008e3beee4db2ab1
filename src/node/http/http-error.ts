/** Every thrown value as an HTTP status and an ErrorBody: trouble by its code, Fastify's as bad-request, the rest as a bug. */
import { ERRORS, type ErrorCode, RingfoldError, unreachable } from "../../base/errors.ts";
import type { ErrorBody } from "../../contract/error-body.ts";

export interface HttpError {
  readonly status: number;
  readonly body: ErrorBody;
}

const STATUS: Partial<Record<ErrorCode, number>> = {
  "no-such-file": 404,
  "no-such-job": 404,
  "no-such-node": 404,
  "no-input": 422,
  "version-conflict": 409,
  "output-exists": 409,
  "host-refused": 403,
  "origin-refused": 403,
  "too-large": 413,
  overloaded: 429,
  "no-nodes": 503,
  "data-process": 503,
  "block-missing": 503,
  deadline: 504,
  "disk-full": 507,
  bug: 500,
};

/** 400 for wrong use, 409 for what the cluster refuses, 503 for what it cannot reach, 500 for what failed. */
export function httpStatusOf(code: ErrorCode): number {
  const known = STATUS[code];
  if (known !== undefined) return known;
  const { exit } = ERRORS[code];
  switch (exit) {
    case 1:
      return 500;
    case 2:
      return 400;
    case 3:
      return 503;
    case 4:
      return 409;
    default:
      return unreachable(exit);
  }
}

export const errorBodyOf = (code: ErrorCode, message: string): ErrorBody => ({
  error: { code, message, fix: ERRORS[code].fix },
});

interface ValidationIssue {
  readonly instancePath?: string;
  readonly message?: string;
}

/** The parts of Fastify's errors that we read. */
interface FastifyTrouble {
  readonly statusCode?: number;
  readonly code?: string;
  readonly message: string;
  readonly validation?: readonly ValidationIssue[];
  readonly validationContext?: string;
}

/** @param place method and path, for the message; never the query, which may hold a secret */
export function httpErrorOf(thrown: unknown, place: string): HttpError {
  if (thrown instanceof RingfoldError) {
    return { status: httpStatusOf(thrown.code), body: errorBodyOf(thrown.code, thrown.message) };
  }
  const refused = thrown as Partial<FastifyTrouble> | null;
  const status = refused?.statusCode;
  if (refused?.code?.startsWith("FST_") === true && status !== undefined && status < 500) {
    return { status, body: refusalOf(refused, status, place) };
  }
  return {
    status: 500,
    body: errorBodyOf("bug", `${place}: a fault in the node; its log has the details`),
  };
}

function refusalOf(refused: Partial<FastifyTrouble>, status: number, place: string): ErrorBody {
  if (refused.validation !== undefined) {
    const where = refused.validationContext ?? "request";
    return errorBodyOf(
      "bad-request",
      `${place}: ${refused.validation.map((i) => issueText(i, where)).join("; ")}`,
    );
  }
  if (status === 415) return errorBodyOf("bad-request", `${place}: send application/json`);
  const what = (refused.message ?? "refused").replace(/^body\/?/, "");
  return errorBodyOf(status === 413 ? "too-large" : "bad-request", `${place}: ${what}`);
}

function issueText(issue: ValidationIssue, where: string): string {
  const path = (issue.instancePath ?? "").replace(/^\//, "").replaceAll("/", ".");
  const at = path === "" ? where : `${where === "querystring" ? "query" : where}.${path}`;
  return `${at}: ${issue.message ?? "not accepted"}`;
}
