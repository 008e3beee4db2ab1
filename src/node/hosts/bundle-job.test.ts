import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundleJob } from "./bundle-job.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "ringfold-bundle-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("the same job gives the same hash, another one another", async () => {
  const path = file("a.ts", 'import { t } from "ringfold"; export default t.u32;');
  const first = await bundleJob(path);
  expect(await bundleJob(path)).toEqual(first);
  const other = await bundleJob(
    file("b.ts", 'import { t } from "ringfold"; export default t.i64;'),
  );
  expect(other.hash).not.toBe(first.hash);
  expect(first.bytes.length).toBeLessThan(64 << 10);
});

test("a job's own imports are in its bundle", async () => {
  file("words.ts", "export const stop: readonly string[] = ['the'];");
  const { bytes } = await bundleJob(
    file("uses.ts", 'export { stop as default } from "./words.ts";'),
  );
  expect(Buffer.from(bytes).toString()).toContain('"the"');
});

test.each([
  ["a syntax error", "const x = ;\n", "job-compile", "bad.ts:1:11: Unexpected"],
  ["a missing import", 'import "./nowhere.ts";\n', "job-compile", "bad.ts:1:8: Could not resolve"],
  [
    "a forbidden builtin",
    '\nimport "node:fs";\n',
    "job-forbidden",
    "bad.ts:2:8: jobs may not import node:fs",
  ],
  [
    "a bare forbidden builtin",
    'import "net";\n',
    "job-forbidden",
    "bad.ts:1:8: jobs may not import node:net",
  ],
])("%s is told with file, line and column", async (_name, text, code, message) => {
  await expect(bundleJob(file("bad.ts", text))).rejects.toMatchObject({
    code,
    message: expect.stringContaining(message),
  });
});

test("a file that does not exist is told as such", async () => {
  await expect(bundleJob(join(folder, "none.ts"))).rejects.toMatchObject({ code: "local-file" });
});
