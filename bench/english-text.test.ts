import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { writeEnglish } from "./english-text.ts";

const dir = mkdtempSync(join(tmpdir(), "ringfold-english-"));
afterAll(() => rmSync(dir, { recursive: true }));

const SIZE = 5_000_000;

function made(name: string, size: number): string {
  writeEnglish(join(dir, name), size);
  return readFileSync(join(dir, name), "utf8");
}

describe("the generated text", () => {
  const text = made("a", SIZE);

  test("has exactly the size asked for, and ends with a line end", () => {
    expect(text).toHaveLength(SIZE);
    expect(text.endsWith("\n")).toBe(true);
    expect(made("small", 10)).toHaveLength(10);
  });

  test("is the same every time", () => {
    const digest = (body: string) => createHash("sha256").update(body).digest("hex");
    expect(digest(made("b", SIZE))).toBe(digest(text));
  });

  test("is ASCII words of about 5.3 bytes with what is between them, on lines of about 70", () => {
    expect(text).toMatch(/^[A-Za-z.,\n ]+$/);
    const words = text.match(/[A-Za-z]+/g)?.length ?? 0;
    const lines = text.split("\n").length - 1;
    expect(SIZE / words).toBeGreaterThan(5.1);
    expect(SIZE / words).toBeLessThan(5.5);
    expect(SIZE / lines).toBeGreaterThan(66);
    expect(SIZE / lines).toBeLessThan(75);
  });

  test("counts like English: ten words are a quarter of it, and new ones keep coming", () => {
    const counts = new Map<string, number>();
    for (const [word] of text.matchAll(/[A-Za-z]+/g)) counts.set(word, (counts.get(word) ?? 0) + 1);
    const sorted = [...counts.values()].sort((a, b) => b - a);
    const total = sorted.reduce((a, b) => a + b, 0);
    const ten = sorted.slice(0, 10).reduce((a, b) => a + b, 0) / total;
    expect(ten).toBeGreaterThan(0.2);
    expect(ten).toBeLessThan(0.33);
    expect(counts.size).toBeGreaterThan(20_000);
  });
});
