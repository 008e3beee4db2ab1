import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ROOT } from "./modules.ts";

let clone = "";

/** A checkout with a lock and an `npm` of its own that says with which arguments it was called. */
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), "ringfold-clone-"));
  mkdirSync(join(clone, "tools"));
  copyFileSync(join(ROOT, "tools/install-then.mjs"), join(clone, "tools/install-then.mjs"));
  write("package-lock.json", JSON.stringify({ packages: lock("1.0.0") }));
  write("fake/npm", "#!/bin/sh\necho called npm $1 >> npm-calls\nexit ${NPM_EXIT:-0}\n");
  chmodSync(join(clone, "fake/npm"), 0o755);
});

afterEach(() => rmSync(clone, { recursive: true }));

const lock = (version: string) => ({
  "": {},
  "node_modules/a": { version },
  "node_modules/for-another-system": { version: "1.0.0", optional: true },
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(clone, path)), { recursive: true });
  writeFileSync(join(clone, path), text);
}

/** npm's own list of what it installed, without the package for another system. */
function installed(version: string): void {
  const packages = { "node_modules/a": { version } };
  write("node_modules/.package-lock.json", JSON.stringify({ packages }));
  write("node_modules/.bin/node", "#!/bin/sh\necho the project has its own node\n");
  chmodSync(join(clone, "node_modules/.bin/node"), 0o755);
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const path = `${join(clone, "fake")}${delimiter}${process.env.PATH ?? ""}`;
  const script = join(clone, "tools/install-then.mjs");
  const child = spawnSync(process.execPath, [script, ...args], {
    cwd: clone,
    encoding: "utf8",
    env: { ...process.env, ...env, PATH: path },
  });
  const calls = spawnSync("cat", ["npm-calls"], { cwd: clone, encoding: "utf8" }).stdout;
  return { code: child.status, out: child.stdout, err: child.stderr, calls };
}

describe("install-then", () => {
  test("installs what the lock says on a fresh clone, then runs the command", () => {
    expect(run(["echo", "ran"])).toMatchObject({ code: 0, out: "ran\n", calls: "called npm ci\n" });
  });

  test("installs again when a version differs from the lock", () => {
    installed("0.9.0");
    expect(run(["true"]).calls).toBe("called npm ci\n");
  });

  test("installs nothing when all is there, packages for other systems apart", () => {
    installed("1.0.0");
    expect(run(["true"])).toMatchObject({ code: 0, calls: "" });
  });

  test("runs the project's own node, not the machine's", () => {
    installed("1.0.0");
    expect(run(["node", "--version"]).out).toBe("the project has its own node\n");
  });

  test("ends as the command ended", () => {
    installed("1.0.0");
    expect(run(["sh", "-c", "exit 7"]).code).toBe(7);
    expect(run(["sh", "-c", "kill -TERM $$"]).code).toBe(143);
  });

  test("stops with npm's exit code when the install fails", () => {
    expect(run(["echo", "ran"], { NPM_EXIT: "3" })).toMatchObject({ code: 3, out: "" });
  });

  test("says how it is used, and what it cannot run", () => {
    installed("1.0.0");
    expect(run([])).toMatchObject({ code: 2 });
    expect(run(["no-such-program"]).err).toContain("cannot run no-such-program");
  });
});
