/** `bin/ringfold`, the shell script, in trees made for it. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

let folder: string;
let root: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "ringfold launcher ")));
  root = join(folder, "package");
  mkdirSync(join(root, "bin"), { recursive: true });
  copyFileSync(join(import.meta.dirname, "../../bin/ringfold"), join(root, "bin/ringfold"));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** A stand-in for node: says its version, or what it was started with. */
function fakeNode(path: string, version: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const body = `if [ "$1" = --version ]; then echo ${version}; else echo "${version} $*"; echo "cache $NODE_COMPILE_CACHE"; fi`;
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
}

function launch(file: string, args: string[] = [], env: Record<string, string> = {}) {
  const path = `${join(folder, "path")}:/usr/bin:/bin`;
  return spawnSync(file, args, {
    encoding: "utf8",
    cwd: folder,
    env: { PATH: path, TMPDIR: folder, ...env },
  });
}

describe("bin/ringfold", () => {
  it("takes the package's own node, whatever is on PATH", () => {
    fakeNode(join(folder, "path/node"), "v99.0.0");
    fakeNode(join(root, "node_modules/node/bin/node"), "v24.1.0");
    const { stdout, status } = launch(join(root, "bin/ringfold"), ["put", "a b", "*"]);
    expect(stdout.split("\n")[0]).toBe(
      `v24.1.0 --max-semi-space-size=2 ${root}/src/cli/main.ts put a b *`,
    );
    expect(status).toBe(0);
  });

  it("takes the one beside it when it is itself installed", () => {
    fakeNode(join(root, "../.bin/node"), "v24.1.0");
    expect(launch(join(root, "bin/ringfold")).stdout).toMatch(/^v24\.1\.0 /);
  });

  it("takes the one on PATH when that is new enough", () => {
    fakeNode(join(folder, "path/node"), "v26.0.0");
    expect(launch(join(root, "bin/ringfold")).stdout).toMatch(/^v26\.0\.0 /);
  });

  it("says what is missing when there is none, exit 1", () => {
    fakeNode(join(folder, "path/node"), "v20.19.0");
    const { stdout, stderr, status } = launch(join(root, "bin/ringfold"));
    expect([stdout, status]).toEqual(["", 1]);
    expect(stderr).toMatch(/^ringfold: no Node\.js 24 or newer .*\n→ fix: run `npm ci` in .*\n$/);
  });

  it("works through links, relative ones and links to links", () => {
    fakeNode(join(root, "node_modules/node/bin/node"), "v24.1.0");
    mkdirSync(join(folder, "deep/er"), { recursive: true });
    symlinkSync("../../package/bin/ringfold", join(folder, "deep/er/one"));
    symlinkSync(join(folder, "deep/er/one"), join(folder, "two"));
    for (const link of ["deep/er/one", "two"]) {
      expect(launch(join(folder, link)).stdout).toContain(
        `--max-semi-space-size=2 ${root}/src/cli/main.ts`,
      );
    }
  });

  it("keeps compiled code in the package, elsewhere when it may not, and where the user says", () => {
    fakeNode(join(root, "node_modules/node/bin/node"), "v24.1.0");
    const cache = (env = {}) =>
      launch(join(root, "bin/ringfold"), [], env).stdout.split("cache ")[1]?.trim();
    expect(cache()).toBe(`${root}/node_modules/.cache/ringfold`);
    expect(cache({ NODE_COMPILE_CACHE: "/mine" })).toBe("/mine");
    rmSync(join(root, "node_modules/.cache"), { recursive: true });
    writeFileSync(join(root, "node_modules/.cache"), "in the way");
    expect(cache()).toMatch(new RegExp(`^${folder}/ringfold-cache-\\d+$`));
  });
});
