/**
 * Puts into `package-lock.json` the programs for other systems that the registry in use did not
 * serve when the lock was written (`npm ci` refuses a lock without them):
 * `node tools/complete-lock.ts`, after every change of a dependency. Their versions are exact in
 * the package that wants them, and their names say the system.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./modules.ts";

interface LockEntry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Lock {
  packages: Record<string, LockEntry>;
}

const OSES = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony"];
const MORE_OSES = ["sunos", "win32"];
const CPUS = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"];

/** Entries that the lock lacks, by their path in it. */
export function missingEntries(lock: Lock): Record<string, object> {
  const missing: Record<string, object> = {};
  for (const parent of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const path = `node_modules/${name}`;
      const exact = /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version);
      if (exact && lock.packages[path] === undefined) {
        const dev = parent.dev === true ? { dev: true } : {};
        missing[path] = { version, ...dev, optional: true, ...systemOf(name) };
      }
    }
  }
  return missing;
}

/**
 * `@oxlint/binding-linux-x64-musl` → its `os`, `cpu` and `libc`, as npm compares them with the
 * machine.
 */
function systemOf(name: string): object {
  const parts = name.split(/[/-]/);
  const os = parts.find((part) => OSES.includes(part) || MORE_OSES.includes(part));
  const cpu = parts.find((part) => CPUS.includes(part) || part === "wasm32");
  const libc = parts.some((part) => part.startsWith("musl")) ? "musl" : "glibc";
  return {
    ...(os === undefined ? {} : { os: [os] }),
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    ...(os === "linux" ? { libc: [libc] } : {}),
  };
}

export function readLock(root = ROOT): Lock {
  return JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
}

if (import.meta.main) {
  const lock = readLock();
  const packages = Object.entries({ ...lock.packages, ...missingEntries(lock) });
  // npm's own order: by path, the root ("") first.
  packages.sort(([a], [b]) => (a === "" || a < b ? -1 : 1));
  const text = JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, undefined, 2);
  writeFileSync(join(ROOT, "package-lock.json"), `${text}\n`);
}
