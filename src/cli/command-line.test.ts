import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RingfoldError } from "../base/errors.ts";
import { runCommandLine } from "./command-line.ts";
import { localFiles, looksLikeText } from "./local-files.ts";
import { type MemoryTerminalOptions, memoryTerminal } from "./memory-terminal.ts";
import { reportError } from "./report-error.ts";

/** Nothing listens on port 1 of loopback. */
const NOBODY = "http://127.0.0.1:1";
const COMMANDS =
  "up join-token status nodes leave put get cat ls stat rm run jobs job logs cancel demo".split(
    " ",
  );

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "ringfold-cli-"));
  mkdirSync(join(folder, "d/e"), { recursive: true });
  mkdirSync(join(folder, "empty"));
  for (const name of ["a.txt", "b.txt", "d/a.txt", "d/e/c.txt"])
    writeFileSync(join(folder, name), `${name}\n`);
  writeFileSync(join(folder, "zero.bin"), "");
  writeFileSync(join(folder, "picture"), Buffer.from([1, 0, 2]));
  symlinkSync(join(folder, "a.txt"), join(folder, "d/link.txt"));
  symlinkSync(folder, join(folder, "d/circle"));
  symlinkSync(join(folder, "gone"), join(folder, "broken"));
});

afterAll(() => rmSync(folder, { recursive: true }));

async function ringfold(args: string, options: MemoryTerminalOptions = {}) {
  const terminal = memoryTerminal({ cwd: folder, env: { RINGFOLD_NODE: NOBODY }, ...options });
  const exit = await runCommandLine(args === "" ? [] : args.split(" "), terminal);
  return { exit, out: terminal.stdout(), err: terminal.stderr() };
}

describe("help", () => {
  it("lists every command, and is what one gets for nothing", async () => {
    const { exit, out } = await ringfold("--help");
    expect(exit).toBe(0);
    for (const name of COMMANDS) expect(out).toMatch(new RegExp(`^  ${name} +\\S`, "m"));
    expect((await ringfold("")).out).toBe(out);
  });

  it.each(COMMANDS)("of %s has examples and --json", async (name) => {
    const { exit, out } = await ringfold(`${name} --help`);
    expect(exit).toBe(0);
    expect(out).toContain(`Examples:\n  $ ringfold `);
    expect(out).toContain("--json");
    expect((await ringfold(`help ${name}`)).out).toBe(out);
  });

  it("prints the version", async () => {
    expect((await ringfold("--version")).out).toMatch(/^\d+\.\d+\.\d+/);
  });
});

describe("wrong use", () => {
  it.each([
    ["statsu", "unknown command 'statsu' (did you mean status?)"],
    ["frobnicate", "unknown command 'frobnicate'"],
    ["ls --jsn", "ls: unknown option '--jsn' (did you mean --json?)"],
    ["get", "missing required argument 'name'"],
    ["get a b c", "too many arguments"],
    ["put", "missing required argument 'paths'"],
    ["put a.txt --replicas 0", `--replicas "0": give a whole number from 1 to 64`],
    ["put a.txt --replicas many", `--replicas "many"`],
    ["put a.txt --block-size 1GiB", "--block-size 1GiB: give 8KiB to 64MiB"],
    ["put a.txt --block-size huge", `--block-size "huge": give a size such as 4MiB`],
    ["put a.txt --cut words", `--cut "words": give lines or bytes`],
    ["put a.txt d --as one", "--as one: 4 files cannot have one name"],
    ["put a.txt d/a.txt --as x/", "would both be stored as x/a.txt"],
    ["join-token --ttl soon", `--ttl "soon": give a time such as 30s`],
    ["run", "missing required argument 'job'"],
    ["run a.txt b.txt", `"b.txt" is one word too many`],
    ["run a.txt --reducers none", `--reducers "none"`],
    ["run a.txt --task-memory 1XB", `--task-memory "1XB"`],
    ["status --node ftp://x", `"ftp://x" is not the http:// address of a node`],
    ["up --slots many", `--slots "many"`],
    ["up --listen nowhere", "--listen"],
  ])("%s: is told in one message, exit 2", async (args, message) => {
    const { exit, err, out } = await ringfold(args);
    expect(err).toContain(message);
    expect(err).toMatch(/^ringfold: .* \([a-z-]+\)\n→ fix: .*\n$/);
    expect([exit, out]).toEqual([2, ""]);
  });

  it.each(["../x", "/etc/passwd", "a//b", "a\\b"])(
    "refuses the name %s before it asks a node",
    async (name) => {
      for (const args of [
        `stat ${name}`,
        `get ${name} x`,
        `rm ${name}`,
        `put a.txt --as ${name}`,
      ]) {
        const { exit, err } = await ringfold(args);
        expect(err).toContain("(bad-name)");
        expect(exit).toBe(2);
      }
    },
  );

  it("refuses to put HTTP on the network", async () => {
    const { exit, err } = await ringfold("up --http 0.0.0.0:7700");
    expect(err).toContain("(http-exposed)");
    expect(exit).toBe(4);
  });

  it("says also to programs what went wrong", async () => {
    const { out, exit } = await ringfold("ls --json");
    expect(JSON.parse(out)).toMatchObject({
      event: "error",
      code: "not-reachable",
      message: expect.any(String),
    });
    expect(exit).toBe(3);
  });
});

describe("without a node", () => {
  const calls =
    "status nodes join-token leave ls jobs|cat a|stat a|rm a|get a|job j0123456789ab|logs j0123456789ab|cancel j0123456789ab|put a.txt";
  it.each(calls.split("|").flatMap((call) => (call.includes("status") ? call.split(" ") : [call])))(
    "%s says where it looked, exit 3",
    async (args) => {
      const { exit, err } = await ringfold(args);
      expect(err).toContain(
        "no node answers at http://127.0.0.1:1: nothing listens there (not-reachable)",
      );
      expect(exit).toBe(3);
    },
  );

  it("--node counts before RINGFOLD_NODE", async () => {
    expect((await ringfold("status --node 127.0.0.1:2")).err).toContain("http://127.0.0.1:2");
  });
});

describe("local files", () => {
  const names = async (given: string[], as?: string) =>
    (await localFiles(folder, given, as)).map((file) => file.name);

  it("take their last name, a given name, or a prefix", async () => {
    expect(await names(["d/a.txt"])).toEqual(["a.txt"]);
    expect(await names(["d/a.txt"], "x/y")).toEqual(["x/y"]);
    expect(await names(["a.txt", "b.txt"], "x/")).toEqual(["x/a.txt", "x/b.txt"]);
  });

  it("of a folder keep their path below it; links to files count, links to folders do not", async () => {
    expect(await names(["d"])).toEqual(["d/a.txt", "d/e/c.txt", "d/link.txt"]);
    expect(await names(["d"], "x/")).toEqual(["x/a.txt", "x/e/c.txt", "x/link.txt"]);
  });

  it("are found by pattern when no shell has done it", async () => {
    expect(await names(["*.txt"], "x/")).toEqual(["x/a.txt", "x/b.txt"]);
  });

  it.each([["gone.txt"], ["a.txt", "gone.txt"], ["*.nope"], ["empty"], ["broken"], ["a.txt/b"]])(
    "are refused together when one is not there: %s %s",
    async (...given) => {
      const wanted = given.filter((one) => one !== undefined);
      await expect(localFiles(folder, wanted, "x/")).rejects.toMatchObject({ code: "local-file" });
    },
  );

  it("look like text without a zero byte", async () => {
    expect(await looksLikeText(join(folder, "a.txt"))).toBe(true);
    expect(await looksLikeText(join(folder, "zero.bin"))).toBe(true);
    expect(await looksLikeText(join(folder, "picture"))).toBe(false);
  });
});

describe("an error", () => {
  it("shows its stack only to who asks", async () => {
    const error = new RingfoldError("disk-full", "node one: no space", {
      cause: new TypeError("inner"),
    });
    const [plain, debug] = [memoryTerminal(), memoryTerminal({ env: { RINGFOLD_DEBUG: "1" } })];
    expect(await reportError(error, plain, false)).toBe(4);
    await reportError(error, debug, false);
    expect(plain.stderr()).not.toContain("    at ");
    expect(debug.stderr()).toMatch(/ {4}at .*caused by TypeError: inner/s);
  });

  it("of ours is a bug, its message in one line", async () => {
    const terminal = memoryTerminal();
    expect(await reportError(new TypeError("oops"), terminal, false)).toBe(1);
    expect(terminal.stderr()).toMatch(/^ringfold: TypeError: oops \(bug\)\n→ fix: [^\n]*\n$/);
  });
});
