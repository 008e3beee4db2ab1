import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { longFiles, RULES } from "./house.ts";
import { filesBelow, parseModule, ROOT, readModule } from "./modules.ts";

const modules = filesBelow(["src", "sim", "bench", "examples", "test", "tools"], ".ts").map(
  (path) => readModule(path),
);

describe("house rules", () => {
  test.each(Object.entries(RULES))("%s holds in every file", (_name, rule) => {
    expect(modules.length).toBeGreaterThan(0);
    expect(modules.flatMap(rule)).toEqual([]);
  });

  test("the compiler is TypeScript 7", () => {
    const tsc = join(ROOT, "node_modules/.bin/tsc");
    expect(execFileSync(tsc, ["--version"], { encoding: "utf8" })).toMatch(/^Version 7\./);
  });

  test("the tests run on Node 24 or later", () => {
    expect(Number(process.versions.node.split(".")[0])).toBeGreaterThanOrEqual(24);
  });
});

const planted: readonly (readonly [
  rule: keyof typeof RULES,
  path: string,
  text: string,
  faults: number,
])[] = [
  ["defaultExportsAreJobs", "src/ring/a.ts", "export default 1;", 1],
  ["defaultExportsAreJobs", "src/ring/a.ts", "export default function x() {}", 1],
  ["defaultExportsAreJobs", "examples/a.ts", "export default defineJob({});", 0],
  ["noBarrels", "src/ring/index.ts", `export { a } from "./a.ts"; export { b } from "./b.ts";`, 1],
  ["noBarrels", "src/ring/a.ts", `export * from "./b.ts"; const a = 1;`, 1],
  ["noBarrels", "src/ring/a.ts", `export { a } from "./b.ts"; export const c = 1;`, 0],
  ["noBarrels", "src/ring/empty.ts", "", 0],
  ["noBareErrors", "src/node/a.ts", `throw new Error("x");`, 1],
  ["noBareErrors", "src/node/a.ts", `throw new RingfoldError("bug", "x");`, 0],
  ["noBareErrors", "src/node/a.test.ts", `throw new Error("x");`, 0],
  ["coresArePure", "src/ring/a.ts", "export const now = Date.now();", 1],
  ["coresArePure", "src/jobs/a.ts", "const x = Math.random(); setTimeout(f, 1);", 2],
  ["coresArePure", "src/blocks/a.ts", "const x = new Date(); process.exit(1);", 2],
  ["coresArePure", "src/catalog/a.ts", "export async function f() { await g(); }", 2],
  ["coresArePure", "src/ring/a.ts", "const f = async () => 1; new Promise(g);", 2],
  ["coresArePure", "src/ring/a.ts", "const d = new Date(5); const m = Math.floor(now);", 0],
  ["coresArePure", "src/node/a.ts", "export const now = Date.now();", 0],
  ["namedForWhatTheyHold", "src/ring/memberList.ts", "", 1],
  ["namedForWhatTheyHold", "src/ring/string-utils.ts", "", 1],
  ["namedForWhatTheyHold", "src/common/a.ts", "", 1],
  ["namedForWhatTheyHold", "src/ring/member-list.test.ts", "", 0],
  ["noEndlessComments", "src/ring/a.ts", `// ${"x".repeat(140)}`, 1],
  ["noEndlessComments", "src/ring/a.ts", `const a = "${"x".repeat(140)}";`, 0],
];

describe("a planted fault is found:", () => {
  test.each(planted)("%s in %s: %s", (rule, path, text, faults) => {
    expect(RULES[rule](parseModule(path, text))).toHaveLength(faults);
  });

  test("a long file is listed with its length, a long test is not", () => {
    const text = "// x\n".repeat(401);
    const list = [parseModule("src/ring/a.ts", text), parseModule("src/ring/a.test.ts", text)];
    expect(longFiles(list)).toEqual(["src/ring/a.ts: 401 lines"]);
  });
});
