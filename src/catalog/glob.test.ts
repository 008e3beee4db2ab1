import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RingfoldError } from "../base/errors.ts";
import { parseGlob } from "./glob.ts";

const matching = (pattern: string, names: readonly string[]): string[] =>
  names.filter((name) => parseGlob(pattern).matches(name));

/** The pattern as a regular expression: easy to believe, and slow on a hostile pattern. */
function naive(pattern: string): RegExp {
  const parts = pattern.match(/(?<=^|\/)\*\*\/|\*\*|[^]/gu) ?? [];
  const source = parts.map((part) => {
    if (part === "**/") return "(?:[^/]+/)*";
    if (part === "**") return "[^]*";
    if (part === "*") return "[^/]*";
    return part === "?" ? "[^/]" : part;
  });
  return new RegExp(`^${source.join("")}$`, "u");
}

describe("glob", () => {
  const names = ["a.txt", "b.md", "d/a.txt", "d/e/a.txt", "d/e/b.md", "[x]/{y}.md", "\u{1f600}.md"];

  it("lets a star match within a segment only", () => {
    expect(matching("*.txt", names)).toEqual(["a.txt"]);
    expect(matching("d/*", names)).toEqual(["d/a.txt"]);
    expect(matching("*/*/*.md", names)).toEqual(["d/e/b.md"]);
    expect(matching("*", ["", "a", "a/b"])).toEqual(["", "a"]);
  });

  it("lets two stars match across segments, and stand for any folders or none", () => {
    expect(matching("**/a.txt", names)).toEqual(["a.txt", "d/a.txt", "d/e/a.txt"]);
    expect(matching("d/**/a.txt", names)).toEqual(["d/a.txt", "d/e/a.txt"]);
    expect(matching("d/**", names)).toEqual(["d/a.txt", "d/e/a.txt", "d/e/b.md"]);
    expect(matching("**", names)).toEqual(names);
    expect(matching("**/e/**/b.md", names)).toEqual(["d/e/b.md"]);
  });

  it("lets a question mark match one character, whatever its length in UTF-16", () => {
    expect(matching("?.md", names)).toEqual(["b.md", "\u{1f600}.md"]);
    expect(matching("d?a.txt", names)).toEqual([]);
  });

  it("takes brackets and braces as they are", () => {
    expect(matching("[x]/{y}.md", names)).toEqual(["[x]/{y}.md"]);
  });

  it("G1: agrees with a regular expression on every small pattern and name", () => {
    const text = (...chars: string[]) =>
      fc
        .array(fc.constantFrom(...chars), { minLength: 1, maxLength: 9 })
        .map((all) => all.join(""));
    fc.assert(
      fc.property(text("a", "b", "/", "*", "**", "?"), text("a", "b", "/"), (pattern, name) => {
        const plain = name.split("/").every((segment) => segment !== "");
        if (!plain || pattern.includes("***") || /^\/|\/\/|\/$/.test(pattern)) return;
        expect([pattern, name, parseGlob(pattern).matches(name)]).toEqual([
          pattern,
          name,
          naive(pattern).test(name),
        ]);
      }),
      { numRuns: 5000 },
    );
  });

  it("G1: ends soon on a pattern that is made to hang", () => {
    const name = "a".repeat(1000);
    expect(parseGlob(`${"*a".repeat(300)}b`).matches(name)).toBe(false);
    expect(parseGlob(`${"**a".repeat(300)}b`).matches(name)).toBe(false);
  });

  it.each([
    "",
    "/a",
    "a/",
    "a//b",
    "a***",
    "../a",
    "a/./b",
    "a\\*",
    "a\nb",
    "\ud800",
    "x".repeat(1025),
  ])("refuses %j with bad-glob", (pattern) => {
    expect(() => parseGlob(pattern)).toThrow(RingfoldError);
    expect(() => parseGlob(pattern)).toThrow("is not a pattern");
  });
});
