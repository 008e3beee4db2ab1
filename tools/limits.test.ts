import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./modules.ts";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  s: 1000,
  min: 60_000,
  days: 86_400_000,
};

const rows = readFileSync(join(ROOT, "docs/limits.md"), "utf8").matchAll(
  /^\| ([^|]+) \| (\d+)(?: (\w+))? \| `(\w+)` in `([^`]+)` \|$/gm,
);
const limits = [...rows].map(([, what = "", number = "", unit = "", name = "", path = ""]) => ({
  what,
  value: Number(number) * (UNITS[unit] ?? Number.NaN),
  name,
  path,
}));

/** The value of `const NAME: Bytes = 4 * 1024;` or of a property `name: 4 * 1024,`: products of whole numbers only. */
function constantIn(source: string, name: string): number {
  const [, expression = ""] =
    new RegExp(`\\b${name}(?:: \\w+)? ?[=:] ([\\d_* ]+)[;,]`).exec(source) ?? [];
  return expression
    .split("*")
    .map((factor) => Number(factor.trim().replaceAll("_", "") || Number.NaN))
    .reduce((a, b) => a * b, 1);
}

test("docs/limits.md lists limits", () => {
  expect(limits.length).toBeGreaterThan(10);
});

test.each(limits)("$what: $value", ({ value, name, path }) => {
  expect(constantIn(readFileSync(join(ROOT, path), "utf8"), name)).toBe(value);
});

test("a constant is read as a product, and a missing one is never a limit", () => {
  expect(constantIn("export const A: Bytes = 4 * 1_024;", "A")).toBe(4096);
  expect(constantIn("{ a: 16 * 2, b: 3 }", "a")).toBe(32);
  expect(constantIn("const B = 1;", "A")).toBeNaN();
});
