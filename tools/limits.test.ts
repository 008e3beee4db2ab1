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

/** Named factors that the sources use. */
const NAMED: Readonly<Record<string, number>> = { KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30 };

/**
 * The value of `const NAME: Bytes = 4 * KIB * 1024;`, `= 16 << 20;` or of a property
 * `name: 4 * 1024,`.
 */
function constantIn(source: string, name: string): number {
  const [, expression = ""] =
    new RegExp(`\\b${name}(?:: \\w+)? ?[=:] (\\d[\\w* <]*)[;,]`).exec(source) ?? [];
  const [factors = "", shift = "0"] = expression.split("<<");
  const value = (factor: string): number =>
    NAMED[factor] ?? Number(factor.replaceAll("_", "") || Number.NaN);
  return factors
    .split("*")
    .reduce((product, one) => product * value(one.trim()), 2 ** Number(shift));
}

test("constants are read as products, shifts and named factors, and nothing else", () => {
  const source = "const A: Bytes = 4 * KIB * 1_000;\nconst B = 16 << 20;\nconst C = other(3);";
  expect(["A", "B"].map((name) => constantIn(source, name))).toEqual([4_096_000, 16 * 2 ** 20]);
  expect(["C", "D"].map((name) => constantIn(source, name))).toEqual([Number.NaN, Number.NaN]);
});

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
