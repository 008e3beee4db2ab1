/** One abort signal for each job with work in data: dropping the job ends its fetches and stores at once. */
import { RingfoldError } from "../../base/errors.ts";
import type { JobId } from "../../base/ids.ts";

interface Scope {
  readonly controller: AbortController;
  users: number;
}

export class JobScopes {
  readonly #scopes = new Map<JobId, Scope>();

  /** Runs work for a job. @throws what the work throws; `cancelled` once the job is dropped */
  async run<T>(job: JobId, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const scope = this.#scopes.get(job) ?? { controller: new AbortController(), users: 0 };
    this.#scopes.set(job, scope);
    scope.users++;
    try {
      return await work(scope.controller.signal);
    } finally {
      scope.users--;
      if (scope.users === 0 && this.#scopes.get(job) === scope) this.#scopes.delete(job);
    }
  }

  drop(job: JobId): void {
    const scope = this.#scopes.get(job);
    this.#scopes.delete(job);
    scope?.controller.abort(new RingfoldError("cancelled", `job ${job} was dropped`));
  }

  dropAll(): void {
    for (const job of this.#scopes.keys()) this.drop(job);
  }
}
