/**
 * `npm run check`: everything that must hold before a commit, one line for each step, the whole
 * output of a step only when it fails. Steps run two at a time.
 */
import { spawn } from "node:child_process";
import { longFiles } from "./house.ts";
import { filesBelow, ROOT, readModule } from "./modules.ts";

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

/** The longest first. */
const STEPS: readonly Step[] = [
  { name: "unit tests, rooms and house rules", command: ["vitest", "run", "--project", "unit"] },
  { name: "types", command: ["tsc", "-p", "."] },
  { name: "lint", command: ["oxlint", "--deny-warnings"] },
  { name: "dead code", command: ["knip", "--no-progress", "--treat-config-hints-as-errors"] },
  { name: "format", command: ["biome", "check", "--linter-enabled=false"] },
];
const AT_ONCE = 2;

async function worker(queue: Step[], failed: string[]): Promise<void> {
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    const started = performance.now();
    const { code, output } = await run(step.command);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${code === 0 ? "ok  " : "FAIL"} ${step.name} (${seconds} s)`);
    if (code === 0) continue;
    failed.push(step.name);
    console.log(output);
  }
}

function run(command: readonly string[]): Promise<{ code: number | null; output: string }> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output: Buffer.concat(chunks).toString() }));
  });
}

const started = performance.now();
const queue = [...STEPS];
const failed: string[] = [];
await Promise.all(Array.from({ length: AT_ONCE }, () => worker(queue, failed)));

const modules = filesBelow(["src", "sim", "bench"], ".ts").map((path) => readModule(path));
for (const line of longFiles(modules)) console.log(`note ${line}`);

const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(
  failed.length === 0 ? `check passed in ${seconds} s` : `check failed: ${failed.join(", ")}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
