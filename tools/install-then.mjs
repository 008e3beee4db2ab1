/**
 * Installs when needed, then runs a command with the project's own programs first on the path:
 * `node tools/install-then.mjs vitest run`. Behind `npm test` and the other scripts, so that they work on a fresh clone.
 *
 * Plain JavaScript for Node 18 and later and without dependencies, because it runs before anything is installed, by the
 * machine's own Node; the command then runs on the Node of `node_modules/.bin`.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BIN = join(ROOT, "node_modules", ".bin");

function installed() {
  const list = join(ROOT, "node_modules", ".package-lock.json");
  if (!existsSync(list) || !existsSync(join(BIN, "node"))) return false;
  return sameVersions(packagesOf(join(ROOT, "package-lock.json")), packagesOf(list));
}

const packagesOf = (path) => JSON.parse(readFileSync(path, "utf8")).packages;

/** npm keeps in node_modules the list of what it put there; packages for other systems are missing in it. */
function sameVersions(wanted, there) {
  return Object.entries(wanted).every(
    ([path, { version, optional }]) =>
      path === "" || (there[path] === undefined ? optional : there[path].version === version),
  );
}

function install() {
  console.error("ringfold: installing dependencies (npm ci) ...");
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = spawnSync("npm", args, { cwd: ROOT, encoding: "utf8" });
  if (npm.status === 0) return;
  process.stderr.write(`${npm.stdout ?? ""}${npm.stderr ?? ""}`);
  console.error("ringfold: npm ci failed; see above, then try again.");
  process.exit(npm.status ?? 1);
}

/** Ends as the command ended. An interrupt reaches the command from the terminal; it decides what to do with it. */
function run([command, ...args]) {
  const env = { ...process.env, PATH: `${BIN}${delimiter}${process.env.PATH ?? ""}` };
  const child = spawn(command, args, { stdio: "inherit", env });
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`ringfold: cannot run ${command}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
  });
}

if (process.argv.length < 3) {
  console.error("usage: node tools/install-then.mjs COMMAND [ARGUMENT...]");
  process.exit(2);
}
if (!installed()) install();
run(process.argv.slice(2));
