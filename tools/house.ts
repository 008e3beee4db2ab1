/**
 * The rules of house style that neither the compiler nor the linter knows. Each takes a file and
 * gives back its faults, one line each: `file:line: what is wrong`. CONTRIBUTING.md says them in
 * words.
 */
import { Visitor, type VisitorObject } from "oxc-parser";
import { isTest, lineAt, type Module } from "./modules.ts";
import { PURE_ROOMS, roomOf } from "./rooms.ts";

export type Rule = (module: Module) => string[];

type Node = { readonly start: number };
type Report = (node: Node, what: string) => void;

/** A rule out of a visitor: what it reports gets the file and the line in front. */
function rule(visitorFor: (report: Report, module: Module) => VisitorObject): Rule {
  return (module) => {
    const faults: string[] = [];
    const report: Report = (node, what) => {
      faults.push(`${module.path}:${lineAt(module.text, node.start)}: ${what}`);
    };
    new Visitor(visitorFor(report, module)).visit(module.program);
    return faults;
  };
}

/**
 * What a job author imports as "ringfold": on the submitting side, and inside a bundle. Made of
 * re-exports.
 */
const PUBLIC_ENTRIES = ["src/sdk/index.ts", "src/sdk/job-side.ts"];

/** A default export is a job: `export default defineJob(…)`. */
export const defaultExportsAreJobs = rule((report) => ({
  ExportDefaultDeclaration(node) {
    const { declaration } = node;
    const isJob =
      declaration.type === "CallExpression" &&
      declaration.callee.type === "Identifier" &&
      declaration.callee.name === "defineJob";
    if (!isJob) report(node, "a default export that is not defineJob(…)");
  },
}));

/** No file only passes others on, and none passes on everything that another has. */
export const noBarrels: Rule = (module) => {
  if (PUBLIC_ENTRIES.includes(module.path)) return [];
  const { body } = module.program;
  const star = body.find((statement) => statement.type === "ExportAllDeclaration");
  if (star !== undefined) return [`${module.path}:${lineAt(module.text, star.start)}: export *`];
  const passesOn = body.filter(
    (statement) => statement.type === "ExportNamedDeclaration" && statement.source !== null,
  );
  const barrel = passesOn.length > 0 && passesOn.length === body.length;
  return barrel ? [`${module.path}:1: a barrel: only re-exports`] : [];
};

/** Trouble has a code: `RingfoldError`, or `assert` for a bug. */
export const noBareErrors = rule((report, module) => ({
  NewExpression(node) {
    const bare = node.callee.type === "Identifier" && node.callee.name === "Error";
    const exempt = isTest(module.path) || /^(test|examples|tools)\//.test(module.path);
    if (bare && !exempt) report(node, "a bare new Error: give it a code (src/base/errors.ts)");
  },
}));

const CLOCKS_AND_DICE = new Map([
  ["Date", ["now"]],
  ["Math", ["random"]],
  ["performance", ["now", "timeOrigin"]],
  ["crypto", ["randomUUID", "getRandomValues"]],
]);
const WORLD = ["process", "console", "fetch", "Temporal"];
const TIMERS = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"];

/** A core is synchronous and deterministic: no clock, no dice, no timer, no promise, no console. */
export const coresArePure = rule((report, module) => {
  const room = roomOf(module.path);
  if (room === undefined || !PURE_ROOMS.includes(room) || isTest(module.path)) return {};
  const asynchronous = (node: Node & { readonly async: boolean }): void => {
    if (node.async) report(node, "a core is synchronous: async function");
  };
  return {
    MemberExpression(node) {
      if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
      const { name } = node.object;
      const refused = CLOCKS_AND_DICE.get(name)?.includes(node.property.name) ?? false;
      if (refused || WORLD.includes(name)) {
        report(node, `a core reads no clock, dice or world: ${name}.${node.property.name}`);
      }
    },
    CallExpression(node) {
      if (node.callee.type === "Identifier" && TIMERS.includes(node.callee.name)) {
        report(node, `a core has no timers and no I/O: ${node.callee.name}()`);
      }
    },
    NewExpression(node) {
      if (node.callee.type !== "Identifier") return;
      if (node.callee.name === "Date" && node.arguments.length === 0) {
        report(node, "a core reads no clock: new Date()");
      }
      if (node.callee.name === "Promise") report(node, "a core is synchronous: new Promise()");
    },
    AwaitExpression: (node) => report(node, "a core is synchronous: await"),
    FunctionDeclaration: asynchronous,
    FunctionExpression: asynchronous,
    ArrowFunctionExpression: asynchronous,
  };
});

const EMPTY_WORDS = ["util", "utils", "helper", "helpers", "common", "misc", "manager"];

/** Files are in kebab-case and named for the thing they hold. */
export const namedForWhatTheyHold: Rule = ({ path }) => {
  const faults: string[] = [];
  for (const part of path.replace(/\.ts$/, "").split("/")) {
    if (!/^[a-z0-9]+([-.][a-z0-9]+)*$/.test(part)) faults.push(`${path}: not kebab-case: ${part}`);
    const empty = part.split(/[-.]/).find((word) => EMPTY_WORDS.includes(word));
    if (empty !== undefined) faults.push(`${path}: "${empty}" says nothing of what it holds`);
  }
  return faults;
};

/** Comments, which the formatter does not wrap, end somewhere too. */
export const COMMENT_LIMIT = 130;

export const noEndlessComments: Rule = ({ path, text }) =>
  text
    .split("\n")
    .flatMap((line, index) =>
      /^\s*(\/\/|\/?\*)/.test(line) && line.length > COMMENT_LIMIT
        ? [`${path}:${index + 1}: a comment of ${line.length} columns, above ${COMMENT_LIMIT}`]
        : [],
    );

export const RULES = {
  defaultExportsAreJobs,
  noBarrels,
  noBareErrors,
  coresArePure,
  namedForWhatTheyHold,
  noEndlessComments,
} as const satisfies Readonly<Record<string, Rule>>;

/** Above this a file is asked what is missing; a question, not a fault. */
export const LONG_FILE = 400;

/** Files above {@link LONG_FILE} lines, longest first. */
export const longFiles = (modules: readonly Module[]): string[] =>
  modules
    .filter((module) => !isTest(module.path))
    .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
    .filter(({ lines }) => lines > LONG_FILE)
    .sort((a, b) => b.lines - a.lines)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
