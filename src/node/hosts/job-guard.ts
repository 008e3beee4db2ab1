/**
 * What stands between job code and the machine, beside the process itself (permission model, empty environment, pipes
 * only): no builtin modules but harmless ones, no `process`, no network globals, no other module than the bundle.
 * It keeps honest code honest and careless code harmless; it is not a wall against an attacker (docs/jobs.md says so).
 *
 * G1: each way out of `job-guard.test.ts` is closed. Tested in a real host.
 */
import { registerHooks } from "node:module";
import { isHarmless } from "./harmless-builtins.ts";

function forbidden(what: string): never {
  throw Object.assign(new TypeError(`${what} is not available to jobs`), { code: "job-forbidden" });
}

/** After this only `bundle` (a file URL) and harmless builtins can be imported. */
export function allowOnly(bundle: string): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier === bundle) return nextResolve(specifier, context);
      const name = specifier.startsWith("node:") ? specifier : `node:${specifier}`;
      if (isHarmless(name)) return nextResolve(name, context);
      return forbidden(`module "${specifier.slice(0, 80)}"`);
    },
  });
}

/** The globals that would reach the network, the process or its pipes. */
const GONE = ["fetch", "WebSocket", "EventSource", "navigator", "BroadcastChannel", "Worker"];

const OUT = [...GONE, "exit", "kill", "abort", "chdir", "getBuiltinModule", "binding", "dlopen"];
const MISSED = new RegExp(
  `\\b(${OUT.join("|")}|require) is not (defined|a function|a constructor)`,
);

/** Whether a fault's message is that of code which missed a way out of the process. */
export const missesWayOut = (message: string): boolean => MISSED.test(message);

/** Takes the globals away; `log` gets what jobs print. */
export function closeGlobals(
  log: (text: string) => void,
  format: (...all: unknown[]) => string,
): void {
  for (const name of GONE) Reflect.deleteProperty(globalThis, name);
  const nothing = Object.freeze({});
  const { version, versions, platform, arch } = process;
  const quiet = Object.freeze({
    env: nothing,
    argv: Object.freeze([]),
    version,
    versions: Object.freeze({ ...versions }),
    platform,
    arch,
    nextTick: (run: (...all: unknown[]) => void, ...all: unknown[]) =>
      queueMicrotask(() => run(...all)),
    cwd: () => "/",
  });
  stripProcess();
  define("process", quiet);
  define("console", consoleTo(log, format));
}

function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, writable: false, configurable: false });
}

/** Should job code reach the real `process` after all, it finds little on it. */
function stripProcess(): void {
  const real: object = process;
  const keep = new Set(["_tickCallback", "emitWarning", "emit", "on", "once", "listenerCount"]);
  for (const name of Object.getOwnPropertyNames(real)) {
    if (!keep.has(name) && DANGEROUS.has(name)) {
      try {
        Object.defineProperty(real, name, { value: undefined, writable: false });
      } catch {
        Reflect.deleteProperty(real, name);
      }
    }
  }
}

const DANGEROUS = new Set(
  (
    "binding _linkedBinding dlopen kill _kill setuid setgid seteuid setegid setgroups initgroups chdir umask execve " +
    "abort reallyExit _debugProcess _debugEnd _startProfilerIdleNotifier loadEnvFile stdin stdout stderr " +
    "setUncaughtExceptionCaptureCallback getBuiltinModule openStdin mainModule _getActiveHandles report " +
    "_getActiveRequests getActiveResourcesInfo setSourceMapsEnabled _rawDebug"
  ).split(" "),
);

function consoleTo(log: (text: string) => void, format: (...all: unknown[]) => string): object {
  const print = (...all: unknown[]): void => log(format(...all));
  const names = ["log", "info", "warn", "error", "debug", "trace", "dir"];
  const quiet = ["time", "timeEnd", "timeLog", "group", "groupEnd", "count", "assert", "table"];
  const entries = names.map((name) => [name, print] as const);
  return Object.freeze(
    Object.fromEntries([...entries, ...quiet.map((name) => [name, () => undefined] as const)]),
  );
}
