import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { errorsPage } from "./errors-page.ts";
import { filesBelow, isTest, ROOT, readModule } from "./modules.ts";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const pages = filesBelow([""], ".md");

describe("the documents", () => {
  test("docs/errors.md is what npm run write-errors makes", () => {
    expect(read("docs/errors.md")).toBe(errorsPage());
  });

  test("every link to a file leads somewhere", () => {
    const links = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .map(([, target = ""]) => ({ page, target }))
        .filter(({ target }) => !/^[a-z]+:/.test(target)),
    );
    expect(links.length).toBeGreaterThan(5);
    const dead = links.filter(({ page, target }) => !existsSync(join(ROOT, dirname(page), target)));
    expect(dead).toEqual([]);
  });

  test("every source file that a document names is there", () => {
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(/`((?:src|tools|examples|bench|sim|test|docs|bin)\/[\w./-]+)`/g)].map(
        ([, path = ""]) => ({ page, path }),
      ),
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter(({ path }) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test("every npm script that a document names is there", () => {
    const { scripts } = JSON.parse(read("package.json"));
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(/npm (?:run )?(test:all|test|(?<=run )[\w:-]+)/g)].map(
        ([, script = ""]) => ({ page, script }),
      ),
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter(({ script }) => !Object.hasOwn(scripts, script))).toEqual([]);
  });

  test("every dependency has its line of reason, and none is left over", () => {
    const { dependencies, devDependencies } = JSON.parse(read("package.json"));
    const rows = [...read("docs/dependencies.md").matchAll(/^\| `([^`]+)` \|/gm)];
    const explained = rows.map(([, name = ""]) => name).sort();
    expect(explained).toEqual(Object.keys({ ...dependencies, ...devDependencies }).sort());
  });
});

interface Word {
  readonly word: string;
  readonly not: readonly string[];
}

const cells = (row: string): string[] => row.split("|").map((cell) => cell.trim());
const glossary: readonly Word[] = read("docs/glossary.md")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| word |"))
  .map((row) => {
    const [, word = "", , , not = ""] = cells(row);
    return { word, not: not === "" ? [] : not.split(", ") };
  });

/** Identifiers are cut into their words: `taskHost` reads "task host". */
const wordsOf = (text: string): string =>
  text
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replace(/[-_]/g, " ")
    .toLowerCase();

describe("the glossary", () => {
  const sources = filesBelow(["src"], ".ts")
    .filter((path) => !isTest(path))
    .map((path) => ({ path, words: wordsOf(readModule(path).text) }));
  const uses = (words: string, word: string): boolean =>
    new RegExp(`\\b${word}(s|d|ed)?\\b`).test(words);

  test("is in order, one line a word", () => {
    const words = glossary.map(({ word }) => word);
    expect(words.length).toBeGreaterThan(30);
    expect(words).toEqual([...new Set(words)].sort());
  });

  test("has no word that the sources do not use", () => {
    const unused = glossary.filter(({ word }) => !sources.some(({ words }) => uses(words, word)));
    expect(unused.map(({ word }) => word)).toEqual([]);
  });

  test("is kept: no source uses a word that it replaces", () => {
    const refused = glossary.flatMap(({ not }) => not);
    expect(refused.length).toBeGreaterThan(5);
    const found = sources.flatMap(({ path, words }) =>
      refused.filter((word) => uses(words, word)).map((word) => `${path}: ${word}`),
    );
    expect(found).toEqual([]);
  });

  test("a planted use of a replaced word is found", () => {
    expect(uses(wordsOf("const workerNodeId = 1; // shards"), "worker node")).toBe(true);
    expect(uses(wordsOf("const workerNodeId = 1; // shards"), "shard")).toBe(true);
    expect(uses(wordsOf("const mastering = 1;"), "master")).toBe(false);
  });
});
