import { describe, expect, test } from "vitest";
import { filesBelow, parseModule, readModule } from "./modules.ts";
import { ROOM_NAMES, ROOMS, type RoomName, roomOf, trespasses } from "./rooms.ts";

/** Not begun in this version; the table already holds their place. */
const EMPTY_ROOMS: readonly RoomName[] = ["datasets"];

const paths = filesBelow(["src", "sim", "bench", "examples", "test", "tools"], ".ts");
const modules = paths.map((path) => readModule(path));

describe("the import table", () => {
  test("is kept by every file", () => {
    expect(trespasses(modules)).toEqual([]);
  });

  test("saw modules and imports in every room", () => {
    for (const name of ROOM_NAMES.filter((room) => !EMPTY_ROOMS.includes(room))) {
      const inside = modules.filter((module) => roomOf(module.path) === name);
      expect(inside.length, `modules of ${name}`).toBeGreaterThan(0);
    }
    expect(modules.flatMap((module) => module.imports).length).toBeGreaterThan(modules.length);
  });

  test("says that a room is empty only while it is", () => {
    const filled = EMPTY_ROOMS.filter((name) => paths.some((path) => roomOf(path) === name));
    expect(filled).toEqual([]);
  });

  test("gives each file to one room", () => {
    for (const path of paths) {
      const owners = ROOM_NAMES.filter((name) => path.startsWith(`${ROOMS[name].folder}/`));
      expect(owners, path).toHaveLength(1);
    }
  });
});

const planted: readonly (readonly [why: string, path: string, text: string])[] = [
  ["base imports ring", "src/base/a.ts", `import { x } from "../ring/position.ts";`],
  ["ring imports jobs", "src/ring/a.ts", `import type { X } from "../jobs/plan.ts";`],
  ["ring imports node:fs", "src/ring/a.ts", `import { readFileSync } from "node:fs";`],
  ["ring imports the package zod", "src/ring/a.ts", `import { z } from "zod";`],
  ["jobs imports node", "src/jobs/a.ts", `export { x } from "../node/clock.ts";`],
  ["jobs imports node", "src/jobs/a.ts", `export * from "../node/clock.ts";`],
  ["blocks imports node", "src/blocks/a.ts", `const x = await import("../node/disk.ts");`],
  ["blocks imports node", "src/blocks/a.ts", `let x: import("../node/disk.ts").Disk;`],
  ["blocks imports node", "src/blocks/a.ts", `const x = require("../node/disk.ts");`],
  ["a core imports a path computed at run time", "src/blocks/a.ts", "await import(name);"],
  ["wire may import types only from ring", "src/wire/a.ts", `import { x } from "../ring/a.ts";`],
  ["engine imports wire", "src/engine/deep/a.ts", `import { x } from "../../wire/a.ts";`],
  ["cli imports node", "src/cli/put.ts", `import { x } from "../node/main.ts";`],
  ["cli imports the package fastify", "src/cli/put.ts", `import f from "fastify";`],
  ["sdk imports node", "src/sdk/a.ts", `import type { X } from "../node/main.ts";`],
  ["sim may import types only from node", "sim/a.ts", `import { x } from "../src/node/disk.ts";`],
  ["examples imports node", "examples/a.ts", `import { x } from "../src/node/disk.ts";`],
  ["node imports examples", "src/node/a.ts", `import job from "../../examples/pi.ts";`],
  ["jobs imports sdk", "src/jobs/a.test.ts", `import { t } from "../sdk/codecs.ts";`],
  ["vitest outside a test", "src/node/a.ts", `import { test } from "vitest";`],
  ["contract imports the package @fastify/x", "src/contract/a.ts", `import "@fastify/x/y";`],
  [`"./b" lacks its .ts ending`, "src/node/a.ts", `import { x } from "./b";`],
  [`"../../other/b.ts" stands in no room`, "src/node/a.ts", `import "../../other/b.ts";`],
];

describe("a planted trespass is found:", () => {
  test.each(planted)("%s (%s: %s)", (why, path, text) => {
    expect(trespasses([parseModule(path, text)])).toEqual([`${path}:1: ${why}`]);
  });

  test("a file outside every room", () => {
    const found = trespasses([parseModule("src/utils/a.ts", "export const a = 1;")]);
    expect(found).toEqual(["src/utils/a.ts: stands in no room"]);
  });

  test("text that is not TypeScript is never passed over", () => {
    expect(() => parseModule("src/ring/a.ts", "import {{")).toThrow(/src\/ring\/a\.ts/);
  });
});

const allowed: readonly (readonly [path: string, text: string])[] = [
  ["src/wire/a.ts", `import type { X } from "../ring/a.ts"; import { z } from "zod";`],
  ["src/wire/a.ts", `import { type X, type Y } from "../ring/a.ts";`],
  ["src/cli/up.ts", `import { x } from "../node/main.ts";`],
  ["src/node/a.test.ts", `import job from "../../examples/pi.ts";`],
  ["src/engine/a.test.ts", `import { t } from "../sdk/codecs.ts";`],
  ["test/golden/a.test.ts", `import bytes from "./a.json" with { type: "json" };`],
  ["src/ring/a.test.ts", `import fc from "fast-check"; import { join } from "node:path";`],
  ["examples/a.ts", `import { defineJob } from "ringfold";`],
  ["src/ring/a.ts", `import { hash } from "../base/hash.ts"; import { b } from "./b.ts";`],
];

describe("what the table allows is left alone:", () => {
  test.each(allowed)("%s: %s", (path, text) => {
    expect(trespasses([parseModule(path, text)])).toEqual([]);
  });
});
