/**
 * The import table of ARCHITECTURE.md: which room may import which. A room is a folder;
 * `tools/rooms.test.ts` holds every file to the table, and proves on planted trespasses that it
 * would notice.
 */
import { posix } from "node:path";
import { type Import, isTest, type Module } from "./modules.ts";

interface Room {
  readonly folder: string;
  /** Rooms that it may import, its own apart. */
  readonly imports: readonly RoomName[];
  /** Rooms of which it may import types only. */
  readonly types?: readonly RoomName[];
  /** npm packages; "any" of package.json where I/O lives. */
  readonly packages: readonly string[] | "any";
  /** Node's own modules: a pure core has none, so that it can read no clock, disk or socket. */
  readonly builtins: boolean;
}

const CORES = ["ring", "raft", "catalog", "blocks", "jobs", "datasets"] as const;
const core = (name: string): Room => ({
  folder: `src/${name}`,
  imports: ["base"],
  packages: [],
  builtins: false,
});
const EVERYTHING = [...CORES, "base", "engine", "wire", "contract", "sdk", "node", "cli"] as const;

export type RoomName =
  | (typeof CORES)[number]
  | "base"
  | "engine"
  | "wire"
  | "contract"
  | "sdk"
  | "node"
  | "cli"
  | "sim"
  | "bench"
  | "examples"
  | "test"
  | "tools";

export const ROOMS: Readonly<Record<RoomName, Room>> = {
  base: { folder: "src/base", imports: [], packages: [], builtins: true },
  ring: core("ring"),
  raft: core("raft"),
  catalog: core("catalog"),
  blocks: core("blocks"),
  jobs: core("jobs"),
  datasets: core("datasets"),
  engine: { folder: "src/engine", imports: ["base"], packages: [], builtins: true },
  wire: {
    folder: "src/wire",
    imports: ["base"],
    types: [...CORES, "engine"],
    packages: ["cborg", "zod"],
    builtins: true,
  },
  contract: { folder: "src/contract", imports: ["base"], packages: ["zod"], builtins: false },
  sdk: { folder: "src/sdk", imports: ["base", "contract"], packages: [], builtins: true },
  node: {
    folder: "src/node",
    imports: [...CORES, "base", "engine", "wire", "contract", "sdk"],
    packages: "any",
    builtins: true,
  },
  cli: {
    folder: "src/cli",
    imports: ["base", "contract", "sdk"],
    packages: ["commander", "esbuild"],
    builtins: true,
  },
  sim: {
    folder: "sim",
    imports: [...CORES, "base", "engine", "wire", "contract", "sdk"],
    types: ["node"],
    packages: [],
    builtins: true,
  },
  bench: {
    folder: "bench",
    imports: ["base", "contract", "sdk", "engine", "node", "cli"],
    packages: [],
    builtins: true,
  },
  examples: { folder: "examples", imports: ["sdk"], packages: [], builtins: true },
  test: {
    folder: "test",
    imports: [...EVERYTHING, "sim", "examples"],
    packages: "any",
    builtins: true,
  },
  tools: { folder: "tools", imports: ["base"], packages: ["oxc-parser"], builtins: true },
};

export const ROOM_NAMES = Object.keys(ROOMS) as readonly RoomName[];
/** The rooms whose code must be synchronous and deterministic. */
export const PURE_ROOMS: readonly RoomName[] = CORES;

/**
 * Files that may do more than their room: the commands that start nodes, and those that bundle a
 * job.
 */
const NODE_STARTERS = /^src\/cli\/(up|demo|run)[^/]*\.ts$/;
const JOB_ROOMS: readonly RoomName[] = ["sdk", "examples"];
/** Packages that only tests may import. */
const TEST_PACKAGES = ["vitest", "fast-check"];

export function roomOf(path: string): RoomName | undefined {
  return ROOM_NAMES.find((name) => path.startsWith(`${ROOMS[name].folder}/`));
}

/** Every import that the table forbids, one line each: `file:line: why`. */
export function trespasses(modules: readonly Module[]): string[] {
  return modules.flatMap((module) => {
    const room = roomOf(module.path);
    if (room === undefined) return [`${module.path}: stands in no room`];
    return module.imports.flatMap((one) => {
      const why = trespass(module.path, room, one);
      return why === undefined ? [] : [`${module.path}:${one.line}: ${why}`];
    });
  });
}

function trespass(path: string, room: RoomName, one: Import): string | undefined {
  const { specifier } = one;
  if (specifier === undefined) {
    return PURE_ROOMS.includes(room) ? "a core imports a path computed at run time" : undefined;
  }
  if (specifier.startsWith(".")) return fileTrespass(path, room, one, specifier);
  if (specifier.startsWith("node:")) return builtinTrespass(path, room, specifier);
  if (specifier === "ringfold") return roomTrespass(path, room, "sdk", one);
  return packageTrespass(path, room, specifier);
}

function fileTrespass(path: string, room: RoomName, one: Import, specifier: string) {
  const target = posix.join(posix.dirname(path), specifier);
  if (target === "package.json") return undefined;
  // Golden bytes beside the test that reads them.
  if (room === "test" && target.startsWith("test/") && target.endsWith(".json")) return undefined;
  if (!target.endsWith(".ts")) return `"${specifier}" lacks its .ts ending`;
  const other = roomOf(target);
  return other === undefined
    ? `"${specifier}" stands in no room`
    : roomTrespass(path, room, other, one);
}

function roomTrespass(path: string, room: RoomName, other: RoomName, one: Import) {
  if (other === room || ROOMS[room].imports.includes(other)) return undefined;
  const typesAllowed = ROOMS[room].types?.includes(other) ?? false;
  if (typesAllowed && one.typeOnly) return undefined;
  if (other === "node" && NODE_STARTERS.test(path)) return undefined;
  // Tests beside the code make jobs.
  if (JOB_ROOMS.includes(other) && isTest(path) && !PURE_ROOMS.includes(room)) return undefined;
  return typesAllowed ? `${room} may import types only from ${other}` : `${room} imports ${other}`;
}

function builtinTrespass(path: string, room: RoomName, specifier: string): string | undefined {
  return ROOMS[room].builtins || isTest(path) ? undefined : `${room} imports ${specifier}`;
}

function packageTrespass(path: string, room: RoomName, specifier: string): string | undefined {
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  if (TEST_PACKAGES.includes(name)) {
    return isTest(path) || room === "test" ? undefined : `${name} outside a test`;
  }
  const { packages } = ROOMS[room];
  return packages === "any" || packages.includes(name)
    ? undefined
    : `${room} imports the package ${name}`;
}
