/**
 * The README as data: what it tells a reader to type, and what it claims about the command line.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "..", "..");
export const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** The lines to type of one section, without comments. */
export function commandsOf(heading: string): string[] {
  return sectionOf(heading)
    .split("\n")
    .filter((line) => line.startsWith("    "))
    .map((line) => line.replace(/ {2,}#.*$/, "").trim());
}

export function sectionOf(heading: string): string {
  const start = README.indexOf(`\n## ${heading}\n`);
  if (start < 0) throw new Error(`README.md has no section "${heading}"`);
  const end = README.indexOf("\n## ", start + 1);
  return README.slice(start, end < 0 ? undefined : end);
}

/** Calls of `bin/ringfold` within sentences. */
export const callsInSentences = (): string[] =>
  [...README.matchAll(/`(bin\/ringfold [^`]+)`/g)].map(([, call = ""]) => call);

export function jobExample(): string {
  const [, code] = /```ts\n([\s\S]*?)```/.exec(sectionOf("A job")) ?? [];
  if (code === undefined) throw new Error("README.md has no job example");
  return code;
}

/** Names in the first column of the table of commands. */
export const commandTable = (): string[] =>
  sectionOf("Commands")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([\w-]+)`/g)])
    .map(([, name = ""]) => name);
