import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { sha256Hex } from "../../base/hash.ts";
import { bundleJob } from "./bundle-job.ts";
import { describeJob } from "./describe-job.ts";
import { HostPool } from "./host-pool.ts";
import { startReaper } from "./host-process.ts";
import { hostProgram } from "./host-program.ts";
import type { RunOptions, TaskHost } from "./task-host.ts";
import type { MapOrder, TaskJob } from "./task-order.ts";

vi.setConfig({ testTimeout: 60_000 });

let folder = "";
let pool: HostPool;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "ringfold-hosts-"));
  const limits = { memory: 300 << 20, disk: 4 << 20, log: 4096 };
  pool = new HostPool({ slots: 2, scratchRoot: join(folder, "scratch"), limits });
});
afterAll(async () => {
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
});

const HEAD = 'import { defineJob, each, fold, param, t, text } from "ringfold";\n';
let files = 0;

/** A job file over lines with this `map`, or with these fields instead. */
function jobFile(map: string, more = "value: t.u32,"): string {
  const path = join(folder, `job-${files++}.ts`);
  const fields = `name: "test", input: text.lines(), key: t.string, ${more}`;
  writeFileSync(path, `${HEAD}export default defineJob({ ${fields}\n  map: ${map},\n});\n`);
  return path;
}

const job: TaskJob = { id: "j1", name: "test", bundle: "job.mjs", params: {}, seed: "s" };

function mapOrder(host: TaskHost, content: string, more: Partial<MapOrder> = {}): MapOrder {
  const id = sha256Hex(content);
  if (!existsSync(join(host.paths.in, id))) writeFileSync(join(host.paths.in, id), content);
  const bytes = Buffer.byteLength(content);
  const block = { file: id, id, bytes, fileName: "dir/a.txt", index: 0, offset: 0 };
  const input = { kind: "blocks" as const, blocks: [block] };
  const order = { type: "map", job, stage: "main", task: 0, attempt: 0, input } as const;
  return { ...order, partitions: 1, sortMemory: 1 << 20, out: "map-0", ...more };
}

async function withJob<T>(path: string, use: (host: TaskHost) => Promise<T>): Promise<T> {
  const bundle = await bundleJob(path);
  const host = await pool.lease();
  try {
    writeFileSync(join(host.paths.in, "job.mjs"), bundle.bytes);
    return await use(host);
  } finally {
    await host.close();
    expect(existsSync(host.paths.root)).toBe(false);
  }
}

const runMap = (path: string, options: RunOptions = {}, content = "one\ntwo\n") =>
  withJob(path, (host) => host.run(mapOrder(host, content), options));

const alive = (pid: number | undefined): boolean => existsSync(`/proc/${pid}`);

test("a host runs map and reduce tasks of a job, one after the other", async () => {
  const path = jobFile("each(1)", "value: t.u32, combine: fold.sum,");
  await withJob(path, async (host) => {
    const order = mapOrder(host, "b\na\nb\n");
    const done = await host.run(order);
    expect(done).toMatchObject({ type: "map-done", records: 3, pairs: 2 });
    if (done.type !== "map-done") return;
    linkSync(join(host.paths.out, order.out), join(host.paths.in, "m0"));
    const [segment] = done.partitions;
    const segments = segment === undefined ? [] : [{ ...segment, file: "m0", mapTask: 0 }];
    const { stage, attempt, sortMemory } = order;
    const reduce = { type: "reduce", job, stage, partition: 0, attempt, sortMemory } as const;
    const reduced = await host.run({ ...reduce, segments, out: "part" });
    expect(reduced).toMatchObject({ type: "reduce-done", records: 2 });
    expect(readFileSync(join(host.paths.out, "part"), "utf8")).toBe("a 1\nb 2\n");
    const lost = segments.map((one) => ({ ...one, crc: 0 }));
    expect(await host.run({ ...reduce, segments: lost, out: "part" })).toMatchObject({
      type: "failed",
      kind: "lost-segment",
      mapTasks: [0],
    });
  });
});

test("a job is described without running its functions", async () => {
  const path = jobFile("() => { throw 1; }", 'value: t.u32, params: { top: param.int(3, "n") },');
  const description = await describeJob(pool, await bundleJob(path));
  expect(description).toMatchObject({
    name: "test",
    source: { kind: "lines", split: "block" },
    params: [{ name: "top", type: "int", def: 3, help: "n" }],
    stages: [{ name: "main", key: "t.string", value: "t.u32", combine: false, onBytes: false }],
  });
});

test("a job file without a job is refused when it is described", async () => {
  const path = join(folder, "no-job.ts");
  writeFileSync(path, "export const x = 1;\n");
  await expect(describeJob(pool, await bundleJob(path))).rejects.toMatchObject({
    code: "job-file",
  });
});

test("a throw in map names the job file's line, the input and the record", async () => {
  const path = jobFile(
    '(line) => {\n    if (line === "two") throw new RangeError("not two");\n  }',
  );
  const name = path.slice(path.lastIndexOf("/") + 1);
  const failed = await runMap(path);
  expect(failed).toMatchObject({ type: "failed", kind: "user", code: "job-threw" });
  const { message } = failed as { message: string };
  expect(message).toContain(`${name}:4:31: job "test", stage "main", dir/a.txt, block 0`);
  expect(message).toContain("line 2: map threw RangeError: not two");
});

test("what the codec does not accept names the line that emitted it", async () => {
  const path = jobFile('(line, emit) => {\n    emit(line, "7" as never);\n  }');
  const failed = await runMap(path);
  expect(failed).toMatchObject({ kind: "user", code: "job-codec" });
  expect((failed as { message: string }).message).toMatch(
    /job-\d+\.ts:4:5: .*line 1: t\.u32 does not accept "7"/,
  );
});

test("an endless map ends by its silence, and its process with it", async () => {
  await withJob(jobFile("() => { for (;;); }"), async (host) => {
    const failed = await host.run(mapOrder(host, "x\n"), { limits: { silence: 300 } });
    expect(failed).toMatchObject({ type: "failed", kind: "limit", code: "task-timeout" });
    expect(host.alive).toBe(false);
    expect(await host.run(mapOrder(host, "x\n"))).toEqual(failed);
  });
});

test.each([
  [
    "buffers",
    "() => { const all: Uint8Array[] = []; for (;;) all.push(new Uint8Array(1 << 24).fill(1)); }",
  ],
  [
    "the heap",
    "() => { const all: number[][] = []; for (;;) all.push(Array(1e5).fill(all.length + 0.5)); }",
  ],
])("a map that fills %s ends by its memory", async (_name, map) => {
  expect(await runMap(jobFile(map))).toMatchObject({ kind: "limit", code: "task-memory" });
});

test("a map that writes without end ends by its scratch space", async () => {
  const map = '(line, emit) => { for (let i = 0; ; i++) emit(line + "x".repeat(500) + i, i); }';
  const failed = await runMap(jobFile(map));
  expect(failed).toMatchObject({ type: "failed", kind: "limit", code: "task-output" });
});

test("a flood of log lines kills nothing, and its end is kept", async () => {
  const map =
    '(line, emit, ctx) => { for (let i = 0; i < 5000; i++) ctx.log("line " + i); console.log("%s!", "end"); }';
  const heard: string[] = [];
  await withJob(jobFile(map), async (host) => {
    const order = mapOrder(host, "x\n");
    const done = await host.run(order, { onLog: (line) => heard.push(line) });
    expect(done).toMatchObject({ type: "map-done" });
    expect(host.log).toMatch(/^\[\d+ characters before this were dropped\]/);
    expect(host.log.trimEnd().endsWith("line 4999\nend!")).toBe(true);
  });
  expect(heard[0]).toBe("line 0");
  expect(heard.join("\n").length).toBeLessThanOrEqual(4096);
});

test("a damaged block is told with its id", async () => {
  await withJob(jobFile("each(1)"), async (host) => {
    const order = mapOrder(host, "good\n");
    const id = sha256Hex("good\n");
    writeFileSync(join(host.paths.in, id), "goof\n");
    expect(await host.run(order)).toMatchObject({
      kind: "corrupt-input",
      code: "block-corrupt",
      blocks: [id],
    });
  });
});

test("cancelling ends the process at once", async () => {
  await withJob(jobFile("() => { for (;;); }"), async (host) => {
    const cancel = new AbortController();
    const running = host.run(mapOrder(host, "x\n"), { signal: cancel.signal });
    const begun = performance.now();
    cancel.abort();
    expect(await running).toMatchObject({ kind: "cancelled" });
    await host.close();
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(alive(host.pid)).toBe(false);
  });
});

test("a process that is killed is told as died", async () => {
  await withJob(jobFile("() => { for (;;); }"), async (host) => {
    const running = host.run(mapOrder(host, "x\n"));
    process.kill(host.pid as number, "SIGKILL");
    expect(await running).toMatchObject({ kind: "died", code: "task-died" });
  });
});

test("progress is told while a task runs", async () => {
  const map = "() => { const end = Date.now() + 10; while (Date.now() < end); }";
  const seen: number[] = [];
  await runMap(jobFile(map), { onProgress: ({ records }) => seen.push(records) }, "x\n".repeat(60));
  expect(seen.length).toBeGreaterThan(1);
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
});

test("no more hosts are leased than there are slots, and a freed slot goes to who waits (P1)", async () => {
  const [first, second] = [await pool.lease(), await pool.lease()];
  let third: TaskHost | undefined;
  const waiting = pool.lease().then((host) => {
    third = host;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(third).toBeUndefined();
  expect(pool.busy).toBe(2);
  await first.close();
  await waiting;
  expect(third?.pid).not.toBe(first.pid);
  await second.close();
  await third?.close();
  expect(pool.busy).toBe(0);
});

const ESCAPES: readonly [string, string][] = [
  ["fetch", "typeof fetch"],
  ["WebSocket", "typeof WebSocket"],
  ["EventSource", "typeof EventSource"],
  ["require", "typeof require"],
  ["process.binding", "typeof (process as any).binding"],
  ["process.getBuiltinModule", "typeof process.getBuiltinModule"],
  ["process.kill", "typeof process.kill"],
  ["process.exit", "typeof process.exit"],
  ["process.dlopen", "typeof process.dlopen"],
  ["process.stdin", "typeof process.stdin"],
  ["process.stdout", "typeof process.stdout"],
  ["process of a new function", 'typeof new Function("return process")().getBuiltinModule'],
  ["process's constructor", "typeof (process.constructor as any).prototype.binding"],
  ["console's streams", "typeof (console as any)._stdout"],
  ["a timer's process", "typeof (setTimeout(() => 0, 0) as any).constructor.prototype.process"],
  ["the environment", 'Object.keys(process.env).join() || "undefined"'],
];

test("job code finds none of the ways out of its process (G1)", async () => {
  const list = ESCAPES.map(([, code]) => `() => ${code}`).join(",\n");
  const map = `(line, emit) => { [${list}].forEach((find, i) => {
    let found = "undefined";
    try { found = String(find()); } catch { found = "undefined"; }
    emit(i + "=" + found, 1);
  }); }`;
  await withJob(jobFile(map, "value: t.u32, combine: fold.max,"), async (host) => {
    const order = mapOrder(host, "x\n");
    expect(await host.run(order)).toMatchObject({ type: "map-done" });
    const text = readFileSync(join(host.paths.out, order.out), "latin1");
    const found = ESCAPES.flatMap(([name], i) => (text.includes(`${i}=undefined`) ? [] : [name]));
    expect(found).toEqual([]);
  });
});

const MODULES = [
  "net",
  "node:net",
  "node:fs",
  "node:child_process",
  "node:worker_threads",
  "node:process",
  "node:module",
  "node:crypto",
  "./map-0",
  "data:text/javascript,export default 1",
];

test.each(MODULES)("job code cannot import %s while it runs (G1)", async (name) => {
  const path = join(folder, `import-${files++}.ts`);
  const hidden = JSON.stringify(Buffer.from(name).toString("hex"));
  writeFileSync(
    path,
    `${HEAD}const name = Buffer.from(${hidden}, "hex").toString();\nexport const got = await import(name);\n`,
  );
  await expect(describeJob(pool, await bundleJob(path))).rejects.toMatchObject({
    code: "job-forbidden",
  });
});

test("job code may use harmless builtins", async () => {
  const path = join(folder, `harmless-${files++}.ts`);
  writeFileSync(
    path,
    `import { inspect } from "node:util";\nimport { basename } from "path";\n${HEAD}` +
      'export default defineJob({ name: "x", description: inspect(basename("a/b")), input: text.lines(), key: t.string, value: t.u32, map: each(1) });\n',
  );
  const description = await describeJob(pool, await bundleJob(path));
  expect(description.description).toBe("'b'");
});

const setpriv = existsSync("/usr/bin/setpriv");

test.skipIf(!setpriv)("a looping host ends when its parent is killed", async () => {
  const program = join(folder, "parent.ts");
  const here = (name: string): string => JSON.stringify(join(import.meta.dirname, name));
  const path = JSON.stringify(jobFile("() => { for (;;); }"));
  writeFileSync(
    program,
    `import { writeFileSync } from "node:fs";
import { bundleJob } from ${here("bundle-job.ts")};
import { HostPool } from ${here("host-pool.ts")};
const pool = new HostPool({ slots: 1, scratchRoot: ${JSON.stringify(join(folder, "parent"))} });
const host = await pool.lease();
writeFileSync(host.paths.in + "/job.mjs", (await bundleJob(${path})).bytes);
writeFileSync(host.paths.in + "/b", "x\\n");
const block = { file: "b", id: ${JSON.stringify(sha256Hex("x\n"))}, bytes: 2, fileName: "b", index: 0, offset: 0 };
void host.run({ type: "map", job: { id: "j", name: "j", bundle: "job.mjs", params: {}, seed: "" }, stage: "main",
  task: 0, attempt: 0, input: { kind: "blocks", blocks: [block] }, partitions: 1, sortMemory: 1000, out: "o" });
process.stdout.write(String(host.pid));
`,
  );
  const parent = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
  const [pid] = (await once(parent.stdout, "data")) as [Buffer];
  const child = Number(pid.toString());
  expect(alive(child)).toBe(true);
  parent.kill("SIGKILL");
  await once(parent, "exit");
  await expect.poll(() => alive(child), { timeout: 30_000 }).toBe(false);
});

test("without that the waiting shell ends the process when its pipe closes", async () => {
  const child = spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" });
  startReaper(child.pid as number).stdin.end();
  const [, signal] = (await once(child, "exit")) as [unknown, string];
  expect(signal).toBe("SIGKILL");
});

test("no scratch folder is left by closed hosts (H3)", async () => {
  await runMap(jobFile("each(1)"));
  const left = readdirSync(join(folder, "scratch")).filter((name) => name !== "program");
  // The pool's own hosts, started ahead.
  expect(left.length).toBeLessThanOrEqual(2);
});

test("the program is found in a folder behind a symbolic link, by its real path", async () => {
  mkdirSync(join(folder, "far"));
  symlinkSync(join(folder, "far"), join(folder, "link"));
  const made = await hostProgram(folder, [join(folder, "link")]);
  const found = await hostProgram(folder, [join(folder, "link")]);
  expect([made, found].map(dirname)).toEqual([join(folder, "far"), join(folder, "far")]);
});
