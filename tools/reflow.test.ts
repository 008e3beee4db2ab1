import { describe, expect, test } from "vitest";
import { filesBelow, readModule } from "./modules.ts";
import { COLUMNS, reflowComments } from "./reflow.ts";

const WORDS = "one two three four five six seven eight nine ten";
const LONG = `${WORDS} ${WORDS} ${WORDS}`;

const commentWords = (source: string): string[] =>
  source
    .replace(/^\s*(\/\*\*|\*\/|\*|\/\/)|\*\/$/gm, " ")
    .split(/\s+/)
    .filter(Boolean);

describe("comments are wrapped", () => {
  test("a comment of one line becomes one of several", () => {
    const wrapped = reflowComments(`  /** ${LONG} */\n  const a = 1;`);
    const lines = wrapped.split("\n");
    expect(lines[0]).toBe("  /**");
    expect(lines.at(-2)).toBe("   */");
    expect(lines.slice(1, -2).every((line) => line.startsWith("   * "))).toBe(true);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(COLUMNS);
  });

  test("a paragraph goes on in its next lines, and stays apart from the next paragraph", () => {
    const source = ["/**", ` * ${LONG}`, " * and more.", " *", " * Next.", " */"].join("\n");
    const lines = reflowComments(source).split("\n");
    expect(lines).toHaveLength(6);
    expect(lines[2]).toMatch(/and more\.$/);
    expect(lines.slice(3)).toEqual([" *", " * Next.", " */"]);
  });

  test("entries of a list keep their hanging indent, tags theirs", () => {
    const source = [
      "/**",
      ` * R1  ${LONG}`,
      " *     short tail. Tested.",
      ` * @param a ${LONG}`,
      " */",
    ];
    const lines = reflowComments(source.join("\n")).split("\n");
    expect(lines[1]).toMatch(/^ \* R1 {2}one/);
    expect(lines[2]).toMatch(/^ \* {5}\w/);
    expect(lines[3]).toMatch(/^ \* @param a one/);
    expect(lines[4]).toMatch(/^ \* {3}\w/);
  });

  test("tags behind each other get lines of their own", () => {
    const lines = reflowComments(`/** ${WORDS} @param a one @param b ${WORDS} @throws x */`);
    expect(lines.split("\n")).toEqual([
      "/**",
      ` * ${WORDS}`,
      " * @param a one",
      ` * @param b ${WORDS}`,
      " * @throws x",
      " */",
    ]);
  });

  test("line comments too, at their indent", () => {
    const lines = reflowComments(`    // ${LONG}\n    const a = 1;`).split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[1]?.startsWith("    // ")).toBe(true);
  });

  test("a link and a piece of code are not broken", () => {
    const wrapped = reflowComments(`// ${"x".repeat(88)} {@link some thing} \`a b c\` end`);
    expect(wrapped).toContain("{@link some thing}");
    expect(wrapped).toContain("`a b c`");
  });

  test.each([
    ["a comment that fits", "/** short */\n// short\n/**\n * a\n * b\n */"],
    ["a suppression", `// oxlint-disable-next-line x -- ${LONG}`],
    ["code within a comment", `/**\n * Text.\n *\n *     ${LONG}\n */`],
    ["an example", `/**\n * Text.\n * @example\n * ${LONG}\n */`],
    ["a string that looks like a comment", `const a = "// ${LONG}";`],
    ["a comment behind code", `const a = 1; // ${LONG}`],
    ["a multiplication", `const a = b\n  * ${"c".repeat(100)};`],
  ])("but not %s", (_what, source) => {
    expect(reflowComments(source)).toBe(source);
  });

  test("no word is lost in any file, and a second time changes nothing", () => {
    for (const path of filesBelow(["src", "sim", "bench", "examples", "test", "tools"], ".ts")) {
      const { text } = readModule(path);
      const once = reflowComments(text);
      expect(commentWords(once), path).toEqual(commentWords(text));
      expect(reflowComments(once), path).toBe(once);
    }
  });
});
