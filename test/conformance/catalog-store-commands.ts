/**
 * Random commands over few names, so that they meet, and the naive model that says what they must
 * do.
 */
import fc from "fast-check";
import { blockId, fileName, jobId, type NodeId, nodeId, ringId } from "../../src/base/ids.ts";
import type { Command, CommandOf, FileContent, Outcome } from "../../src/catalog/commands.ts";
import type { JobSubmission } from "../../src/catalog/records.ts";

const NODES = ["a", "b", "c"].map((c) => nodeId(c.repeat(64)));
const TOKENS = ["1", "2"].map((c) => c.repeat(64));
const NAMES = ["out/a", "out/b", "out", "x", "y/z", "\u{ff5e}", "\u{1f600}"].map(fileName);
const JOBS = ["jaaaaaaaaaaaa", "jbbbbbbbbbbbb", "jcccccccccccc"].map(jobId);
const OUTPUTS = ["out", "out/sub", "y", "z"].map(fileName);
const RINGS = ["1", "2"].map((c) => ringId(c.repeat(32)));

const blocks = fc.constantFrom("0", "1", "2").map((c) => blockId(c.repeat(64)));
const addresses = fc
  .constantFrom("127.0.0.1:1", "127.0.0.1:2")
  .map((at) => ({ control: at, bulk: at, http: at }));
const small = fc.integer({ min: 1, max: 3 });
const node = fc.constantFrom(...NODES);
const name = fc.constantFrom(...NAMES);
const job = fc.constantFrom(...JOBS);
const version = fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined });
const taskRef = { stage: fc.constantFrom("map", "reduce"), task: fc.integer({ min: 0, max: 2 }) };

const content: fc.Arbitrary<FileContent> = fc.record({
  manifest: blocks,
  manifestBytes: small,
  bytes: small,
  blocks: small,
  replicas: fc.constantFrom<(number | "all")[]>(1, 2, "all"),
  contentType: fc.constant("text/plain"),
});

const member = fc.record({
  id: node,
  name: fc.constantFrom("n1", "n2"),
  zone: fc.constant("z"),
  weight: fc.constantFrom(0, 1),
  slots: small,
  position: fc.constantFrom("0", "8", "f").map((c) => c.repeat(40)),
  addresses,
  incarnation: small,
});

const submission: fc.Arbitrary<JobSubmission> = fc.record({
  id: job,
  name: fc.constant("count"),
  bundle: blocks,
  plan: blocks,
  mapTasks: small,
  reduceTasks: small,
  output: fc.constantFrom(...OUTPUTS),
  replicas: fc.constant(2),
  params: fc.constant({ top: 3 }),
  submittedBy: fc.constant("test"),
  input: fc.constant(["x"]),
});

const doneTask = fc.record({
  ...taskRef,
  attempt: small,
  node,
  output: fc.constantFrom(null, "segment", [1, { two: Uint8Array.of(3) }]),
  counters: fc.constantFrom({}, { words: 2 }, { words: 1, lines: 1 }),
});

const of = <T extends Command["type"]>(
  type: T,
  fields: { [K in keyof Omit<CommandOf<T>, "type">]: fc.Arbitrary<CommandOf<T>[K]> },
): fc.Arbitrary<Command> =>
  // The fields are those of the command of this type.
  fc.record({
    type: fc.constant(type),
    ...fields,
  }) as fc.Arbitrary<unknown> as fc.Arbitrary<Command>;

const tokenHash = fc.option(fc.constantFrom(...TOKENS), { nil: undefined });
const ends = fc.constantFrom<("done" | "failed" | "cancelled")[]>(
  "done",
  "done",
  "failed",
  "cancelled",
);
const outputFiles = fc.array(
  fc.tuple(name, content).map(([file, about]) => ({ name: file, ...about })),
  { maxLength: 2 },
);

export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 1, arbitrary: of("cluster-init", { ringId: fc.constantFrom(...RINGS) }) },
  {
    weight: 3,
    arbitrary: of("token-add", {
      hash: fc.constantFrom(...TOKENS),
      expiresAt: fc.integer({ min: 0, max: 200 }),
      uses: small,
    }),
  },
  { weight: 4, arbitrary: of("member-admit", { member, tokenHash }) },
  {
    weight: 3,
    arbitrary: of("member-up", {
      id: node,
      incarnation: small,
      addresses,
      slots: small,
      weight: fc.constantFrom(undefined, 1),
      zone: fc.constant(undefined),
      name: fc.constant(undefined),
    }),
  },
  {
    weight: 2,
    arbitrary: of("member-down", { id: node, incarnation: small, reason: fc.constant("lost") }),
  },
  { weight: 1, arbitrary: of("member-leaving", { id: node }) },
  { weight: 1, arbitrary: of("member-remove", { id: node }) },
  {
    weight: 2,
    arbitrary: of("table-set", {
      table: small.map((v) => ({ version: v, partitions: 1, hosts: [], rows: [[]] })),
      basedOn: fc.integer({ min: 0, max: 2 }),
    }),
  },
  { weight: 5, arbitrary: of("file-put", { name, expected: version, content }) },
  { weight: 3, arbitrary: of("file-remove", { name, expected: version }) },
  { weight: 5, arbitrary: of("job-submit", { job: submission }) },
  {
    weight: 5,
    arbitrary: of("job-tasks-done", { job, tasks: fc.array(doneTask, { maxLength: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: of("job-tasks-lost", {
      job,
      tasks: fc.array(fc.record({ ...taskRef, attempt: small }), { maxLength: 2 }),
    }),
  },
  {
    weight: 4,
    arbitrary: of("job-end", {
      job,
      state: ends,
      error: fc.constant(undefined),
      files: outputFiles,
      stats: fc.constant({ attempts: 3 }),
    }),
  },
);

interface ModelJob {
  output: string;
  content: string;
  state: string;
  tasks: Map<string, { attempt: number; counters: Record<string, number> }>;
}

/** What a command did, as far as the model says: why it was refused, or a few plain facts. */
export type Verdict = string | Record<string, unknown>;

/** Expired tokens are swept when one is added, so that both answers are right. */
const EXPIRED = "token-expired or token-wrong";

/**
 * The catalog as one would write it on a napkin: plain maps, one paragraph for each command, no
 * thought for speed.
 */
export class Model {
  ring: string | undefined;
  epoch = 0;
  filesVersion = 0;
  table = 0;
  tokens = new Map<string, { expiresAt: number; uses: number }>();
  members = new Map<
    NodeId,
    { incarnation: number; state: string; position: string; told: string }
  >();
  /** Current and kept versions, current first. */
  files = new Map<string, number[]>();
  /** The last version that a name ever had. */
  last = new Map<string, number>();
  jobs = new Map<string, ModelJob>();

  apply(c: Command, now: number): Verdict {
    if (c.type === "cluster-init") {
      this.ring ??= c.ringId;
      return this.ring === c.ringId ? {} : "wrong-cluster";
    }
    if (this.ring === undefined) return "wrong-cluster";
    switch (c.type) {
      case "token-add":
        if (c.expiresAt <= now) return "bad-request";
        this.tokens.set(c.hash, { expiresAt: c.expiresAt, uses: c.uses });
        return {};
      case "member-admit": {
        if (this.members.has(c.member.id)) return this.#up(c.member);
        if (c.tokenHash === undefined && this.epoch > 0) return "token-wrong";
        const token = this.tokens.get(c.tokenHash ?? "");
        if (c.tokenHash !== undefined && (token === undefined || token.uses === 0))
          return "token-wrong";
        if (token !== undefined && token.expiresAt <= now) return EXPIRED;
        const places = [...this.members.values()].map((m) => m.position);
        if (places.includes(c.member.position)) return "version-conflict";
        if (token !== undefined) token.uses--;
        this.members.set(c.member.id, {
          incarnation: c.member.incarnation,
          state: "up",
          position: c.member.position,
          told: JSON.stringify([
            c.member.addresses,
            c.member.slots,
            c.member.weight,
            c.member.name,
          ]),
        });
        return { epoch: ++this.epoch };
      }
      case "member-up":
        return this.members.has(c.id) ? this.#up(c) : "not-a-member";
      case "member-down": {
        const known = this.members.get(c.id);
        if (known === undefined || known.state === "down") return { epoch: this.epoch };
        if (known.incarnation > c.incarnation) return { epoch: this.epoch };
        known.state = "down";
        return { epoch: ++this.epoch };
      }
      case "member-leaving": {
        const known = this.members.get(c.id);
        if (known === undefined) return "no-such-node";
        if (known.state !== "up") return { epoch: this.epoch };
        known.state = "leaving";
        return { epoch: ++this.epoch };
      }
      case "member-remove":
        return this.members.delete(c.id) ? { epoch: ++this.epoch } : "no-such-node";
      case "table-set":
        if (c.basedOn !== this.table || c.table.version <= this.table) return "version-conflict";
        this.table = c.table.version;
        return { version: this.table };
      case "file-put":
        if (this.#conflicts(c)) return "version-conflict";
        this.filesVersion++;
        return { version: this.#write(c.name) };
      case "file-remove":
        if (!this.files.has(c.name)) return "no-such-file";
        if (this.#conflicts(c)) return "version-conflict";
        this.files.delete(c.name);
        this.filesVersion++;
        return { version: this.last.get(c.name) };
      case "job-submit":
        return this.#submit(c.job);
      case "job-tasks-done": {
        const job = this.jobs.get(c.job);
        let recorded = 0;
        for (const { stage, task, attempt, counters } of c.tasks) {
          const key = `${stage} ${task}`;
          if (job?.state !== "running" || job.tasks.has(key)) continue;
          job.tasks.set(key, { attempt, counters });
          recorded++;
        }
        return { recorded };
      }
      case "job-tasks-lost": {
        const job = this.jobs.get(c.job);
        let removed = 0;
        for (const { stage, task, attempt } of c.tasks) {
          const key = `${stage} ${task}`;
          if (job?.state !== "running" || job.tasks.get(key)?.attempt !== attempt) continue;
          job.tasks.delete(key);
          removed++;
        }
        return { removed };
      }
      case "job-end":
        return this.#end(c);
    }
  }

  #up(c: Omit<CommandOf<"member-up">, "type">): Verdict {
    const known = this.members.get(c.id);
    if (known === undefined) return "not-a-member";
    if (c.incarnation < known.incarnation) return "data-dir-in-use";
    const [, , weight, title] = JSON.parse(known.told) as unknown[];
    const told = JSON.stringify([c.addresses, c.slots, c.weight ?? weight, c.name ?? title]);
    const stays = known.state === "leaving" && c.incarnation === known.incarnation;
    const state = stays ? "leaving" : "up";
    const same =
      told === known.told && state === known.state && c.incarnation === known.incarnation;
    Object.assign(known, { told, state, incarnation: c.incarnation });
    return { epoch: same ? this.epoch : ++this.epoch };
  }

  #conflicts({ name: file, expected }: { name: string; expected?: number | undefined }): boolean {
    return expected !== undefined && expected !== (this.files.get(file)?.[0] ?? 0);
  }

  #write(file: string): number {
    const next = (this.last.get(file) ?? 0) + 1;
    this.last.set(file, next);
    this.files.set(file, [next, ...(this.files.get(file) ?? [])].slice(0, 4));
    return next;
  }

  #submit(c: JobSubmission): Verdict {
    const known = this.jobs.get(c.id);
    const same = `${c.bundle} ${c.plan}`;
    if (known !== undefined) return known.content === same ? { fresh: false } : "bad-request";
    const under = (file: string): boolean => file === c.output || file.startsWith(`${c.output}/`);
    if ([...this.files.keys()].some(under)) return "output-exists";
    for (const { output, state } of this.jobs.values()) {
      const nested = output === c.output || under(output) || c.output.startsWith(`${output}/`);
      if (state === "running" && nested) return "output-exists";
    }
    this.jobs.set(c.id, { output: c.output, content: same, state: "running", tasks: new Map() });
    return { fresh: true };
  }

  #end(c: CommandOf<"job-end">): Verdict {
    const known = this.jobs.get(c.job);
    if (known === undefined) return "no-such-job";
    if (known.state !== "running") return "job-ended";
    if (c.state !== "done" && c.files.length > 0) return "bad-request";
    const names = c.files.map((file) => file.name);
    for (const [i, file] of names.entries()) {
      if (!file.startsWith(`${known.output}/`) || names.indexOf(file) < i) return "bad-request";
      if (this.files.has(file)) return "output-exists";
    }
    for (const file of names) this.#write(file);
    if (names.length > 0) this.filesVersion++;
    known.state = c.state;
    let words = 0;
    for (const { counters } of known.tasks.values()) words += counters["words"] ?? 0;
    known.tasks.clear();
    return { words };
  }
}

/** A real outcome in the model's words. */
export function verdictOf(c: Command, outcome: Outcome, expected: Verdict): Verdict {
  if (!outcome.ok) {
    const { why } = outcome.refusal;
    if (typeof expected === "string" && expected.split(" or ").includes(why)) {
      return expected;
    }
    return why;
  }
  const r: Record<string, unknown> = { ...outcome.result };
  if ("file" in r) return { version: (r["file"] as { version: number }).version };
  if ("counters" in r) return { words: (r["counters"] as Record<string, number>)["words"] ?? 0 };
  if ("fresh" in r) return { fresh: r["fresh"] };
  if ("recorded" in r) return { recorded: (r["recorded"] as unknown[]).length };
  if ("removed" in r) return { removed: (r["removed"] as unknown[]).length };
  if ("epoch" in r) return { epoch: r["epoch"] };
  if (c.type === "table-set" || c.type === "file-remove") return { version: r["version"] };
  return {};
}
