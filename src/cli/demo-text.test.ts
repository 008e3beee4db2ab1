import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { demoText } from "./demo-text.ts";

const root = mkdtempSync(join(tmpdir(), "ringfold-demo-text-"));
afterAll(() => rmSync(root, { recursive: true }));

function folder(name: string, files: Readonly<Record<string, string>>): string {
  const dir = join(root, name);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(dir, path, ".."), { recursive: true });
    writeFileSync(join(dir, path), content);
  }
  mkdirSync(dir, { recursive: true });
  return dir;
}

describe("the demo's text", () => {
  test("is by default the Markdown files of the dependencies", async () => {
    const text = await demoText();
    expect(text.kind).toBe("Markdown");
    expect(text.files.length).toBeGreaterThan(50);
    expect(text.files.every(({ name }) => /^demo\/.+\.md$/i.test(name))).toBe(true);
  });

  test("is every text file of a named folder, at any depth, in the order of the names", async () => {
    const dir = folder("mixed", {
      "b.txt": "b",
      "a/c.log": "c\n",
      "pic.png": "\u0000\u0001",
      e: "",
    });
    symlinkSync(dir, join(dir, "circle"));
    const { files, bytes, leftOut } = await demoText(dir);
    expect(files.map(({ name }) => name)).toEqual(["demo/a/c.log", "demo/b.txt"]);
    expect({ bytes, leftOut }).toEqual({ bytes: 3, leftOut: 0 });
  });

  test("says how many files are beyond the limits", async () => {
    const dir = folder("large", { a: "12345", b: "1234567890", c: "123", d: "1" });
    const few = await demoText(dir, { bytes: 10, files: 2 });
    expect(few.files.map(({ name }) => name)).toEqual(["demo/a", "demo/c"]);
    expect(few.leftOut).toBe(2);
  });

  test("leaves out names that the cluster does not take", async () => {
    const dir = folder("odd", { "a\\b.txt": "a", "c.txt": "c" });
    expect((await demoText(dir)).files.map(({ name }) => name)).toEqual(["demo/c.txt"]);
  });

  test.each([
    ["a folder that is not there", () => join(root, "nowhere"), /nowhere: there is no such/],
    [
      "a folder without text",
      () => folder("empty", { x: "\u0000" }),
      /empty: there is no text file/,
    ],
    ["a file", () => join(folder("plain", { "f.txt": "x" }), "f.txt"), /f\.txt is not a folder/],
  ])("refuses %s with one message", async (_what, dir, message) => {
    await expect(demoText(dir())).rejects.toMatchObject({
      code: "local-file",
      message: expect.stringMatching(message),
    });
  });
});
