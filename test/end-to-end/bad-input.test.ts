/** Bad input to a real node: files, names, options, job files, HTTP. Each is refused in one message; the node lives on. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ErrorCode } from "../../src/base/errors.ts";
import { expectRefusal, ringfold } from "./bad-input.ts";
import { type Ended, TestCluster } from "./cluster.ts";

let cluster: TestCluster;
let cwd: string;

beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 1, slots: 2 });
  cwd = join(cluster.temporary, "../work");
  mkdirSync(cwd);
  writeFileSync(join(cwd, "small.txt"), "one two\nthree\n");
  for (const [name, source] of Object.entries(JOBS)) writeFileSync(join(cwd, `${name}.ts`), source);
  await run("put", "small.txt", "--replicas", "1");
});
afterAll(() => cluster.close());

const run = (...args: string[]): Promise<Ended> =>
  ringfold(args, { cwd, node: cluster.first.http });

async function refused(line: string, code: ErrorCode, ...says: (string | RegExp)[]): Promise<void> {
  expectRefusal(await run(...line.split(" ").filter((word) => word !== "")), code, says);
}

describe("files and names", () => {
  test.concurrent.each([
    ["put nofile", "local-file", "nofile: there is no such file"],
    ["put nofile small.txt", "local-file", "nofile"],
    ["put *.nothing", "local-file", "no local file matches"],
    ["put /dev/null", "local-file", "neither a file nor a folder"],
    ["put small.txt --as ../x", "bad-name", '"../x".*segment ".."'],
    ["put small.txt --as a/../b", "bad-name", 'segment ".."'],
    ["put small.txt --as /abs", "bad-name", '"/abs"'],
    ["get ../x", "bad-name", 'segment ".."'],
    ["get nosuch", "no-such-file", '"nosuch"'],
    ["cat nosuch", "no-such-file", '"nosuch"'],
    ["stat nosuch", "no-such-file", '"nosuch"'],
    ["rm nosuch", "no-such-file", '"nosuch"'],
    ["rm nosuch*", "no-such-file", "nosuch"],
    ["get small.txt nodir/x", "local-file", "nodir: there is no such file or folder"],
    ["get small.txt small.txt/x", "local-file", "not a folder"],
    ["job nosuch", "bad-id", "nosuch"],
    ["logs nosuch", "bad-id", "nosuch"],
    ["cancel j00000000000", "bad-id", ""],
  ] as const)("ringfold %s → %s", async (line, code, says) => {
    await refused(line, code, new RegExp(says));
    expect(readdirSync(cwd)).not.toContain("nosuch");
  });

  test("an empty file, invalid UTF-8 and a line of 100 MB are stored and come back byte for byte", async () => {
    const files = {
      "empty.txt": Buffer.alloc(0),
      "utf8.txt": Buffer.from([0x61, 0xff, 0xfe, 0x62, 0x0a, 0xc3]),
      "line.txt": Buffer.alloc(100_000_000, "x"),
    };
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(cwd, name), bytes);
    const stored = await run("put", ...Object.keys(files), "--as", "odd/", "--replicas", "1");
    expect(stored).toMatchObject({ code: 0 });
    for (const [name, bytes] of Object.entries(files)) {
      expect(await run("get", `odd/${name}`, "back")).toMatchObject({ code: 0 });
      expect(readFileSync(join(cwd, "back")).equals(bytes)).toBe(true);
    }
    await refused("run count.ts --input odd/line.txt", "line-too-long", "odd/line.txt", "64 MiB");
    expect(await run("run", "count.ts", "--input", "odd/empty.txt")).toMatchObject({
      code: 0,
      output: "",
    });
    // Bytes that are no UTF-8 are read as U+FFFD, as docs/jobs.md says.
    const { code, output } = await run("run", "count.ts", "--input", "odd/utf8.txt");
    expect({ code, output }).toEqual({ code: 0, output: "a\ufffd\ufffdb 1\n\ufffd 1\n" });
  });
});

describe("options", () => {
  test.concurrent.each([
    ["put", "bad-option", "put: missing required argument"],
    ["stauts", "bad-option", "did you mean status"],
    ["put --repliacs 2 x", "bad-option", "did you mean --replicas"],
    ["put small.txt --replicas 0", "bad-option", "from 1 to 64"],
    ["put small.txt --block-size 1", "bad-option", "8KiB to 64MiB"],
    ["ls a b c d e f g h i j k l", "bad-option", "got 12: quote a pattern"],
    ["join-token --ttl 0", "bad-option", "--ttl 0: give 1s to 7d"],
    ["join-token --ttl soon", "bad-option", "--ttl"],
    ["status --node ftp://x", "bad-option", "ftp://x"],
    ["status --node http://127.0.0.1:1", "not-reachable", "127.0.0.1:1: nothing listens there"],
    ["run", "bad-option", "missing required argument 'job'"],
    ["run count.ts two.ts", "bad-option", "one word too many"],
    ["run count.ts --input small.txt --redcers 2", "job-param", "did you mean --reducers"],
    ["run count.ts --input small.txt --to small.txt", "local-file", "in the way"],
    ["run count.ts --input ../x", "bad-glob", 'segment ".."'],
    ["run count.ts --input nosuch*", "no-input", "nosuch"],
    ["run count.ts", "no-input", "name them with --input"],
    ["run count.ts --input small.txt --output ../up", "bad-name", 'segment ".."'],
    ["run count.ts --input small.txt --output small.txt", "output-exists", "small.txt"],
    ["run count.ts --local --input nosuch.txt", "local-file", "nosuch.txt"],
  ] as const)("ringfold %s → %s", async (line, code, says) => {
    await refused(line, code, says);
  });
});

const HEAD = 'import { defineJob, t, text } from "ringfold";\n';
const job = (name: string, map: string): string =>
  `${HEAD}export default defineJob({ name: "${name}", input: text.lines(), key: t.string, value: t.u32,\n` +
  `  map(line, emit) {\n    ${map}\n  },\n});\n`;

const JOBS: Readonly<Record<string, string>> = {
  count: job("count", "emit(line, 1);").replace("},\n})", "},\n  combine: (a, b) => a + b,\n})"),
  syntax: "export default { name: 1 ",
  noimport: 'import x from "./nosuch.ts"; export default x;',
  nodefault: "export const x = 1;",
  empty: "",
  incomplete: `${HEAD}export default defineJob({ name: "x" });`,
  loadthrow: 'throw new Error("at load");',
  throws: job("throws", 'throw new Error("no good line");'),
  number: job("number", "emit(line, -1);"),
  key: job("key", "emit(undefined, 1);"),
  loop: job("loop", "for (;;);"),
  loud: job("loud", "for (;;) console.log(line);"),
  memory: job("memory", "const all = []; for (;;) all.push(new Array(1e5).fill(all.length));"),
  network: job("network", 'fetch("http://127.0.0.1:1"); emit(line, 1);'),
  process: job("process", "process.exit(0); emit(line, 1);"),
  files: `import fs from "node:fs";\n${job("files", 'fs.readFileSync("/etc/passwd"); emit(line, 1);')}`,
  children: `import { spawn } from "child_process";\n${job("children", 'spawn("ls"); emit(line, 1);')}`,
};

describe("job files", () => {
  test.concurrent.each([
    ["run nosuch.ts", "local-file", "nosuch.ts"],
    ["run syntax.ts", "job-compile", "syntax.ts:1:26: Expected"],
    ["run noimport.ts", "job-compile", 'noimport.ts:1:15: .*"./nosuch.ts"'],
    ["run nodefault.ts --input small.txt", "job-file", "no default export"],
    ["run empty.ts --input small.txt", "job-file", "no default export"],
    ["run incomplete.ts --input small.txt", "job-file", "input"],
    ["run loadthrow.ts --input small.txt", "job-threw", "loadthrow.ts:1:7 .*at load"],
    [
      "run throws.ts --input small.txt",
      "job-threw",
      "map-0 .*throws.ts:4:11: .*small.txt.* line 1: map threw Error: no good line",
    ],
    [
      "run number.ts --input small.txt",
      "job-codec",
      "number.ts:4:5: .*small.txt.* line 1: t.u32 does not accept -1",
    ],
    ["run key.ts --input small.txt", "job-codec", "t.string does not accept"],
    ["run network.ts --input small.txt", "job-forbidden", "network.ts:4:5: .*fetch"],
    ["run process.ts --input small.txt", "job-forbidden", "process.exit"],
    [
      "run files.ts --input small.txt",
      "job-forbidden",
      "files.ts:1:16: jobs may not import node:fs",
    ],
    ["run children.ts --input small.txt", "job-forbidden", "may not import node:child_process"],
    ["run memory.ts --input small.txt --task-memory 150MB", "task-memory", 'job "memory" used'],
    ["run throws.ts --local --input small.txt", "job-threw", "throws.ts:4:11"],
  ] as const)("ringfold %s → %s", async (line, code, says) => {
    const { code: exit, output, errors } = await run(...line.split(" "));
    // "undefined" may be what a job emitted.
    expectRefusal({ code: exit, output, errors: errors.replaceAll("undefined", "nothing") }, code, [
      new RegExp(says),
    ]);
  });

  test.concurrent.each(["loop", "loud"])(
    "%s, without end, is stopped by the task's timeout, and the next job runs",
    async (name) => {
      await refused(
        `run ${name}.ts --input small.txt --task-timeout 500ms`,
        "task-timeout",
        "map-0",
        "no progress for",
      );
      const { code, output } = await run("run", "count.ts", "--input", "small.txt");
      expect({ code, output }).toEqual({ code: 0, output: "one two 1\nthree 1\n" });
    },
  );

  test("a flood of output ends the job in good time, and its logs are cut", async () => {
    const flood =
      'for (let i = 0; i < 300000; i++) console.log("line number " + i); emit(line, 1);';
    writeFileSync(join(cwd, "flood.ts"), job("flood", flood));
    const ended = await run("run", "flood.ts", "--input", "small.txt", "--json");
    expect(ended.code, ended.errors).toBe(0);
    const id = /"job":"(\w+)"/.exec(ended.output)?.[1] ?? "";
    const { code, output } = await run("logs", id);
    expect(code).toBe(0);
    expect(output.length).toBeLessThan(600_000);
    expect(output).toContain("printed more than 1 MB");
  });
});

describe("HTTP", () => {
  const post = (path: string, init: RequestInit) =>
    fetch(`${cluster.first.http}/api/v1/${path}`, { method: "POST", ...init });
  const json = { "content-type": "application/json" };

  test.concurrent.each([
    ["malformed JSON", { headers: json, body: "{bad" }, 400, "bad-request", "not valid JSON"],
    ["a wrong content type", { body: "x=1" }, 415, "bad-request", "send application/json"],
    ["unknown fields", { headers: json, body: '{"a":1}' }, 400, "bad-request", '"a"'],
    ["a huge body", { headers: json, body: " ".repeat(3e6) }, 413, "too-large", "too large"],
    [
      "a foreign page",
      { headers: { origin: "http://evil.example" } },
      403,
      "origin-refused",
      "evil.example",
    ],
  ] as const)("%s is refused", async (_what, init, status, code, says) => {
    const answer = await post("join-token", init);
    expect(answer.status).toBe(status);
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    expect(error.code).toBe(code);
    expect(error.message).toContain(says);
  });

  test.concurrent.each([
    [
      "a foreign Host",
      "GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
      403,
      "host-refused",
    ],
    ["no HTTP", "GARBAGE\r\n\r\n", 400, "bad-request"],
    [
      "a name with ..",
      "GET /api/v1/files/..%2fx HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      400,
      "bad-name",
    ],
    [
      "a path with ..",
      "GET /api/v1/files/../../etc HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      404,
      "bad-request",
    ],
  ] as const)("%s is refused", async (_what, request, status, code) => {
    const { hostname, port } = new URL(cluster.first.http);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.end(request);
    const answer = await text(socket);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain(`"code":"${code}"`);
  });
});

test("a reader that has seen enough is no fault", async () => {
  const bytes = randomBytes(8 << 20);
  writeFileSync(join(cwd, "random"), bytes);
  await run("put", "random", "--replicas", "1");
  const ended = await ringfold(["cat", "random"], {
    cwd,
    node: cluster.first.http,
    act: async ({ stdout }) => {
      if (stdout === null) return;
      await once(stdout, "readable");
      stdout.destroy();
    },
  }).catch((error: unknown) => error);
  // The test's own end of the pipe is gone too: what it says of that is not the program's.
  expect(ended).toMatchObject({ code: "ERR_STREAM_PREMATURE_CLOSE" });
  expect(existsSync(join(cwd, "core"))).toBe(false);
});
