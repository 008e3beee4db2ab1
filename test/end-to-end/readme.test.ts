/**
 * What the README says is true: its commands are run as they stand, its job compiles, its table is
 * the command line's.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { countDifferences, countWords, parseCounts } from "../../src/cli/demo-count.ts";
import { callsInSentences, commandsOf, commandTable, jobExample, README, ROOT } from "./readme.ts";

/** A checkout as the reader's shell sees it, with a home of its own. */
const dir = mkdtempSync(join(tmpdir(), "ringfold-readme-"));
const started: ChildProcess[] = [];
let env: NodeJS.ProcessEnv = {
  ...process.env,
  HOME: dir,
  // Free ports instead of the usual ones, which may be taken on this machine.
  RINGFOLD_LISTEN: "127.0.0.1:0",
  RINGFOLD_HTTP: "127.0.0.1:0",
};

beforeAll(() => {
  mkdirSync(join(dir, "bin"));
  mkdirSync(join(dir, "books"));
  writeFileSync(join(dir, "package.json"), JSON.stringify({ type: "module" }));
  mkdirSync(join(dir, "node_modules"));
  symlinkSync(join(ROOT, "bin/ringfold"), join(dir, "bin/ringfold"));
  for (const name of ["examples", "README.md"]) symlinkSync(join(ROOT, name), join(dir, name));
  symlinkSync(ROOT, join(dir, "node_modules/ringfold"));
  writeFileSync(
    join(dir, "books/one.txt"),
    "It was the best of times,\nit was the worst of times.\n",
  );
  writeFileSync(join(dir, "books/two.txt"), "Ärger is the word;\nthe word is naïve.");
});

afterAll(async () => {
  for (const child of started) child.kill("SIGTERM");
  for (const child of started) if (child.exitCode === null) await once(child, "exit");
  rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

async function shell(command: string): Promise<Ended> {
  const child = spawn("sh", ["-c", command], { cwd: dir, env, stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(child, "close");
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await closed;
  return { code, output, errors };
}

/** A command that stays: gives its first words as soon as it says `wanted`. */
async function background(command: string, wanted: RegExp): Promise<string> {
  const child = spawn("sh", ["-c", `exec ${command}`], { cwd: dir, env, stdio: "pipe" });
  started.push(child);
  let said = "";
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (wanted.test(said)) resolve(said);
    });
  }
  child.on("exit", (code) => reject(new Error(`${command} ended with ${code}: ${said}`)));
  return await promise;
}

const succeeded = (ended: Ended, command: string): void =>
  expect(ended, command).toMatchObject({ code: 0 });

const booksCount = () => countWords(["one.txt", "two.txt"].map((name) => join(dir, "books", name)));

describe("the README", () => {
  test("shows a first cluster: each command does what it says", async () => {
    const commands = commandsOf("A first cluster");
    const ups = commands.filter((one) => one.startsWith("bin/ringfold up"));
    const others = commands.filter((one) => !ups.includes(one));
    expect([ups.length, others.length]).toEqual([2, 3]);
    const [first = "", second = ""] = ups;
    const welcome = await background(first, /--join \S+/);
    const http = /http:\/\/[\d.:]+/.exec(welcome)?.[0];
    env = { ...env, RINGFOLD_NODE: http };
    const token = (await shell("bin/ringfold join-token")).output.trim();
    expect(second).toContain("TOKEN");
    await background(second.replace("TOKEN", token), /is up/);
    for (const command of others) {
      const once = async (): Promise<string> => {
        const ended = await shell(command);
        succeeded(ended, command);
        return ended.output;
      };
      if (!command.endsWith("status")) await once();
      // Right after a put the copies are still being counted.
      else await expect.poll(once, { timeout: 30_000 }).toMatch(/^Healthy\n[\s\S]*2 up/);
    }
    const parts = readdirSync(join(dir, "out")).map((name) => join(dir, "out", name));
    const found = parseCounts(parts.map((path) => readFileSync(path, "utf8")).join(""));
    expect(countDifferences(await booksCount(), found)).toEqual([]);
  });

  test("names calls in its sentences that work without a cluster", async () => {
    const calls = callsInSentences();
    expect(calls.length).toBeGreaterThan(0);
    for (const call of calls) {
      const ended = await shell(call);
      succeeded(ended, call);
      expect(ended.output).toMatch(/^Ringfold \d+$/m);
    }
  });

  test("has every command of --help in its table, and no other", async () => {
    const { output } = await shell("bin/ringfold --help");
    const listed = [...output.matchAll(/^ {2}([a-z][a-z-]*)\b/gm)].map(([, name = ""]) => name);
    const commands = listed.filter((name) => name !== "help");
    expect(commands.length).toBeGreaterThan(10);
    expect(commandTable().sort()).toEqual(commands.sort());
  });

  test("says of every command that it has --json and examples, and it has", async () => {
    for (const name of commandTable()) {
      const { code, output } = await shell(`bin/ringfold ${name} --help`);
      expect({ name, code }).toEqual({ name, code: 0 });
      expect(output, name).toMatch(/--json/);
      expect(output, name).toMatch(new RegExp(`\\$ ringfold ${name}\\b`));
    }
  });

  test("promises the exit codes of --help", async () => {
    const { output } = await shell("bin/ringfold --help");
    const codes = "0 done, 1 failed, 2 wrong use, 3 not reachable, 4 refused";
    expect(README.replace(/\s+/g, " ")).toContain(codes);
    expect(output).toContain(codes);
  });
});

describe("the job in the README", () => {
  const compile = async (job: string): Promise<Ended> => {
    writeFileSync(join(dir, "job.ts"), job);
    const config = { extends: join(ROOT, "tsconfig.json"), include: ["job.ts"] };
    const types = { types: ["node"], typeRoots: [join(ROOT, "node_modules/@types")] };
    const options = { ...config, compilerOptions: types };
    writeFileSync(join(dir, "tsconfig.json"), JSON.stringify(options));
    return await shell(`"${join(ROOT, "node_modules/.bin/tsc")}" -p tsconfig.json`);
  };

  test("compiles as it stands", async () => {
    expect(await compile(jobExample())).toEqual({ code: 0, output: "", errors: "" });
  });

  test("does not compile with the mistake that the README names", async () => {
    const wrong = jobExample().replace("emit(word, 1)", 'emit(word, "one")');
    const { code, output } = await compile(wrong);
    expect(code).not.toBe(0);
    expect(output).toMatch(/'string' is not assignable to parameter of type 'number'/);
  });

  test("counts words", async () => {
    writeFileSync(join(dir, "job.ts"), jobExample());
    const ended = await shell(
      "bin/ringfold run job.ts --local --input books/one.txt books/two.txt",
    );
    succeeded(ended, "run --local");
    expect(countDifferences(await booksCount(), parseCounts(ended.output))).toEqual([]);
  });
});
