/**
 * A source file as the rules see it: what it imports, what it exports, and its syntax tree.
 * Read with oxc-parser, which knows TypeScript: TypeScript 7 has no stable compiler API yet.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Program, parseSync, Visitor } from "oxc-parser";
import { RingfoldError } from "../src/base/errors.ts";

/** The repository's root, with a trailing slash. */
export const ROOT = new URL("..", import.meta.url).pathname;

export interface Import {
  /** As written between the quotes; undefined when it is computed at run time. */
  readonly specifier: string | undefined;
  /** Erased before the program runs. */
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface Module {
  /** Relative to the root, with slashes: `src/ring/position.ts`. */
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  readonly imports: readonly Import[];
}

export const isTest = (path: string): boolean => /\.(test|test-d|arbitrary)\.ts$/.test(path);

/**
 * Paths of all files below the folders that exist, sorted, without dot files and `node_modules`.
 */
export function filesBelow(folders: readonly string[], ending: string, root = ROOT): string[] {
  const found: string[] = [];
  for (const folder of folders) collect(root, folder, ending, found);
  return found.sort();
}

function collect(root: string, folder: string, ending: string, found: string[]): void {
  for (const entry of entriesOf(join(root, folder))) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    if (entry.isDirectory()) collect(root, path, ending, found);
    else if (entry.name.endsWith(ending)) found.push(path);
  }
}

function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    throw cause;
  }
}

export const readModule = (path: string, root = ROOT): Module =>
  parseModule(path, readFileSync(join(root, path), "utf8"));

/**
 * @throws RingfoldError `bug` when the text is not TypeScript: a rule must never pass on what it
 *   could not read.
 */
export function parseModule(path: string, text: string): Module {
  const result = parseSync(path, text);
  const fault = result.errors.find((error) => error.severity === "Error");
  if (fault !== undefined) throw new RingfoldError("bug", `${path}: ${fault.message}`);
  return { path, text, program: result.program, imports: importsOf(text, result.program) };
}

export const lineAt = (text: string, offset: number): number =>
  text.slice(0, offset).split("\n").length;

function importsOf(text: string, program: Program): Import[] {
  const imports: Import[] = [];
  const add = (specifier: string | undefined, typeOnly: boolean, start: number): void => {
    imports.push({ specifier, typeOnly, line: lineAt(text, start) });
  };
  new Visitor({
    ImportDeclaration(node) {
      add(node.source.value, isTypeImport(node), node.start);
    },
    ExportAllDeclaration(node) {
      add(node.source.value, node.exportKind === "type", node.start);
    },
    ExportNamedDeclaration(node) {
      if (node.source !== null) add(node.source.value, isTypeExport(node), node.start);
    },
    ImportExpression(node) {
      add(literalOf(node.source), false, node.start);
    },
    TSImportType(node) {
      add(node.source.value, true, node.start);
    },
    CallExpression(node) {
      const required = node.callee.type === "Identifier" && node.callee.name === "require";
      if (required) add(literalOf(node.arguments[0]), false, node.start);
    },
  }).visit(program);
  return imports;
}

interface WithKind {
  readonly importKind?: string | null;
  readonly exportKind?: string | null;
  readonly specifiers: readonly object[];
}

const isTypeImport = (node: WithKind): boolean =>
  node.importKind === "type" || everySpecifier(node.specifiers, "importKind");

const isTypeExport = (node: WithKind): boolean =>
  node.exportKind === "type" || everySpecifier(node.specifiers, "exportKind");

const everySpecifier = (specifiers: readonly object[], key: string): boolean =>
  specifiers.length > 0 && specifiers.every((one) => Reflect.get(one, key) === "type");

function literalOf(node: object | undefined): string | undefined {
  if (node === undefined || !("value" in node)) return undefined;
  return typeof node.value === "string" ? node.value : undefined;
}
