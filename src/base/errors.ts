/**
 * The three kinds of error.
 * Bug: a failed {@link assert}; the process ends with a note.
 * Refusal: data with a closed `why`, returned, not thrown.
 * Trouble: {@link RingfoldError}, with a stable code out of {@link ERRORS} and whether to try again.
 */

/** When trying again makes sense. */
export type Retry = "never" | "later" | "elsewhere";

/** How the command line ends: 1 failed, 2 wrong use, 3 not reachable, 4 refused. */
export type ExitCode = 1 | 2 | 3 | 4;

interface ErrorKind {
  readonly exit: ExitCode;
  readonly retry: Retry;
  /** What the user can do. One sentence, shown under the message and in docs/errors.md. */
  readonly fix: string;
}

/** Every code that Ringfold can answer, with what the user can do. `docs/errors.md` is this table. */
// biome-ignore format: one line for each code
export const ERRORS = {
  "bad-id": { exit: 2, retry: "never", fix: "Copy the id from `ringfold nodes`, `jobs` or `stat`." },
  "bad-name": { exit: 2, retry: "never", fix: "Use a relative name such as books/a.txt." },
  "bad-option": { exit: 2, retry: "never", fix: "See `ringfold COMMAND --help`." },
  "bad-request": { exit: 2, retry: "never", fix: "Compare the request with /api/v1/openapi.json." },
  "bad-glob": { exit: 2, retry: "never", fix: "Use *, ** and ? in names; quote the pattern." },
  "no-such-file": { exit: 1, retry: "never", fix: "List what is there with `ringfold ls`." },
  "no-such-job": { exit: 1, retry: "never", fix: "List the jobs with `ringfold jobs`." },
  "no-such-node": { exit: 1, retry: "never", fix: "List the nodes with `ringfold nodes`." },
  "no-input": { exit: 1, retry: "never", fix: "Check the pattern with `ringfold ls 'PATTERN'`." },
  "local-file": { exit: 1, retry: "never", fix: "Check the path and its permissions on this machine." },
  "version-conflict": { exit: 4, retry: "never", fix: "Somebody wrote the name meanwhile: read it again, then put again." },
  "output-exists": { exit: 4, retry: "never", fix: "Choose another --output, or remove the old files first." },
  "token-malformed": { exit: 2, retry: "never", fix: "Copy the whole join line that `ringfold join-token` prints." },
  "token-wrong": { exit: 4, retry: "never", fix: "Make a new one with `ringfold join-token` on a node of the cluster." },
  "token-expired": { exit: 4, retry: "never", fix: "Make a new one with `ringfold join-token` on a node of the cluster." },
  "token-foreign": { exit: 4, retry: "never", fix: "The token is another cluster's: make one on a node of the cluster that you mean." },
  "join-unreachable": { exit: 3, retry: "later", fix: "Start the node that made the token, or make one with `ringfold join-token` on a node that runs." },
  "wrong-cluster": { exit: 4, retry: "never", fix: "This data directory belongs to another cluster: use another --data, or remove it." },
  "not-a-member": { exit: 4, retry: "never", fix: "The node was removed from the cluster: join again with an empty --data." },
  "version-mismatch": { exit: 4, retry: "elsewhere", fix: "Run the same version of Ringfold on both nodes." },
  "port-in-use": { exit: 1, retry: "later", fix: "Choose another port with --listen or --http, or 0 for a free one." },
  "data-dir-in-use": { exit: 4, retry: "later", fix: "Another node runs on this directory: stop it, or use another --data." },
  "data-dir": { exit: 1, retry: "never", fix: "Check that the directory can be read and written by you." },
  "listen-address": { exit: 2, retry: "never", fix: "Give HOST:PORT, with a host of this machine." },
  "http-exposed": { exit: 4, retry: "never", fix: "Listen on loopback, and run the commands on a machine of the cluster." },
  "host-refused": { exit: 4, retry: "never", fix: "Call the node as 127.0.0.1, [::1] or localhost." },
  "origin-refused": { exit: 4, retry: "never", fix: "Call the API from the node's own page or a program, not from another site's page." },
  "not-reachable": { exit: 3, retry: "later", fix: "Start a node with `ringfold up`, or name one with --node URL or RINGFOLD_NODE." },
  "no-leader": { exit: 3, retry: "later", fix: "The catalog's node is down or starting: bring it back, then try again." },
  "peer-unreachable": { exit: 3, retry: "elsewhere", fix: "See `ringfold nodes`; the cluster tries another copy by itself." },
  "deadline": { exit: 3, retry: "later", fix: "The other side did not answer in time: see `ringfold status`, then try again." },
  "cancelled": { exit: 1, retry: "never", fix: "It was cancelled; run it again if that was not meant." },
  "body-url": { exit: 4, retry: "later", fix: "The link is wrong or has run out: ask the node for a new one." },
  "overloaded": { exit: 4, retry: "later", fix: "Too many requests at once: try again in a moment." },
  "protocol": { exit: 1, retry: "elsewhere", fix: "A peer sent what the protocol does not allow; see the node's log." },
  "too-large": { exit: 4, retry: "never", fix: "Make it smaller; docs/limits lists the limits." },
  "block-missing": { exit: 1, retry: "later", fix: "No copy answers: bring a stopped node back (`ringfold nodes`)." },
  "block-corrupt": { exit: 1, retry: "elsewhere", fix: "Another copy is used and the bad one replaced; check the disk if it happens again." },
  "line-too-long": { exit: 1, retry: "never", fix: "A line of a text input may have 64 MiB: put the file with --cut bytes, or break its lines." },
  "disk-full": { exit: 4, retry: "elsewhere", fix: "Free space on the disk of the data directory, or add a node." },
  "disk-failed": { exit: 1, retry: "elsewhere", fix: "Check the disk of the data directory; see the node's log." },
  "catalog-damaged": { exit: 1, retry: "elsewhere", fix: "Put back a copy of the file named, or start the node with an empty --data and join again." },
  "no-nodes": { exit: 4, retry: "later", fix: "No node can store or compute: start one, or give one a weight above 0." },
  "last-voter": { exit: 4, retry: "never", fix: "Let the other nodes leave instead; a later version moves the catalog by itself." },
  "data-process": { exit: 1, retry: "later", fix: "The node's data process restarts by itself: try again." },
  "job-file": { exit: 2, retry: "never", fix: "The default export must be defineJob({…}); see docs/jobs.md." },
  "job-compile": { exit: 2, retry: "never", fix: "Correct the job file at the place named." },
  "job-param": { exit: 2, retry: "never", fix: "See the job's parameters with `ringfold run JOB --help-job`." },
  "job-threw": { exit: 1, retry: "never", fix: "Correct the job's function at the place named; `ringfold logs ID` shows its output." },
  "job-codec": { exit: 1, retry: "never", fix: "Emit what the job's key, value and out codecs declare." },
  "segment-lost": { exit: 1, retry: "elsewhere", fix: "A map task's output was damaged: the cluster runs that task again by itself." },
  "task-timeout": { exit: 1, retry: "elsewhere", fix: "A task made no progress: look for an endless loop, or raise --task-timeout." },
  "task-memory": { exit: 1, retry: "elsewhere", fix: "A task passed its memory limit: keep less in memory, or raise --task-memory." },
  "task-died": { exit: 1, retry: "elsewhere", fix: "A task's process ended by itself; `ringfold logs ID` shows its last output." },
  "task-output": { exit: 1, retry: "never", fix: "A task wrote more than its limit: emit less, or raise --task-disk." },
  "job-ended": { exit: 4, retry: "never", fix: "See how it ended with `ringfold job ID`." },
  "job-forbidden": { exit: 1, retry: "never", fix: "Job code may not use the network, files or processes; take data from its input." },
  "answer-differs": { exit: 1, retry: "never", fix: "The cluster's answer is not the oracle's: please report it with the seed or input." },
  "bug": { exit: 1, retry: "never", fix: "This is a fault in Ringfold: please report it with the node's log." },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** Trouble: something outside the program went wrong, or was asked wrongly. The message says what and where. */
export class RingfoldError extends Error {
  readonly code: ErrorCode;
  readonly detail: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly detail?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RingfoldError";
    this.code = code;
    this.detail = options.detail ?? {};
  }

  get retry(): Retry {
    return ERRORS[this.code].retry;
  }

  get fix(): string {
    return ERRORS[this.code].fix;
  }

  get exit(): ExitCode {
    return ERRORS[this.code].exit;
  }
}

/** An error as it crosses a wire or a log. */
export interface ErrorNote {
  readonly code: ErrorCode;
  readonly message: string;
}

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERRORS, text);

/** Any thrown value as a note; what is not Trouble is a bug. */
export function errorNote(thrown: unknown): ErrorNote {
  if (thrown instanceof RingfoldError) return { code: thrown.code, message: thrown.message };
  return {
    code: "bug",
    message: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
  };
}

export const errorFromNote = (note: ErrorNote): RingfoldError =>
  new RingfoldError(note.code, note.message);

/** A promise of the code to itself was broken. Never caught except to end the process with a note. */
export class InvariantError extends Error {
  constructor(invariant: string) {
    super(`invariant broken: ${invariant}`);
    this.name = "InvariantError";
  }
}

/** Assertions stay on in production and name the invariant. */
export function assert(holds: boolean, invariant: string): asserts holds {
  if (!holds) throw new InvariantError(invariant);
}

/** The value, where the code knows that it is there. */
export function present<T>(value: T | undefined | null, invariant: string): T {
  if (value === undefined || value === null) throw new InvariantError(invariant);
  return value;
}

/** Ends every exhaustive switch. */
export function unreachable(value: never): never {
  throw new InvariantError(`a case is missing for ${JSON.stringify(value)}`);
}
