/**
 * The demo as a user starts it: it proves what it says, and leaves no process and no file, however
 * it ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, describe, expect, test, vi } from "vitest";
import { ROOT } from "./readme.ts";

/** The demo's temporary folder is made in here, so that what stays is seen. */
const temporary = mkdtempSync(join(tmpdir(), "ringfold-demo-test-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

function startDemo(...args: string[]): ChildProcess {
  const env = { ...process.env, TMPDIR: temporary };
  return spawn(join(ROOT, "bin/ringfold"), ["demo", ...args], { cwd: temporary, env });
}

async function ended(child: ChildProcess) {
  const closed = once(child, "close");
  const [output, errors] = await Promise.all([
    child.stdout === null ? "" : text(child.stdout),
    child.stderr === null ? "" : text(child.stderr),
  ]);
  const [code] = await closed;
  return { code, output, errors };
}

/** Nodes have the folder of their data on their command line. */
function processesLeft(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")];
      } catch {
        return [];
      }
    })
    .filter((line) => line.includes(temporary));
}

const nothingLeft = () =>
  vi.waitFor(() => expect([processesLeft(), readdirSync(temporary)]).toEqual([[], []]), {
    timeout: 10_000,
  });

interface Line {
  readonly event: string;
  readonly text?: string;
  readonly [figure: string]: string | number | undefined;
}

const linesOf = (output: string): Line[] =>
  output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

describe("the demo", () => {
  test("kills a node in the middle of the job, and proves the answer and the copies", async () => {
    const { code, output, errors } = await ended(startDemo("--json"));
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    const lines = linesOf(output);
    const steps = lines.map(({ text: said = "" }) => said).join("\n");
    expect(steps).toMatch(/^5 nodes joined/m);
    expect(steps).toMatch(/Markdown files, .* stored with 2 copies each$/m);
    const crash =
      /^node-[2-5] killed \(SIGKILL\) with (\d+) of (\d+) maps done, while it ran map-/m;
    const [, done, total] = crash.exec(steps) ?? [];
    expect(Number(done)).toBeLessThan(Number(total));
    expect(steps).toMatch(/^every file read back, byte for byte, with node-[2-5] dead$/m);
    expect(steps).toMatch(/^both answers equal a count made apart, in a single process$/m);
    expect(steps).toMatch(/^healthy: every file has its 2 copies again/m);
    const last = lines.at(-1);
    expect(last).toMatchObject({ event: "done" });
    expect(last?.["retries"]).toBeGreaterThan(0);
    expect(last?.["words"]).toBeGreaterThan(50_000);
    await nothingLeft();
  });

  test.each([["SIGINT"], ["SIGTERM"]] as const)(
    "is gone with all its nodes after %s in the middle",
    async (signal) => {
      const child = startDemo("--json");
      child.stdout?.once("data", () => child.kill(signal));
      const { code, errors } = await ended(child);
      expect({ code, errors }).toEqual({ code: 130, errors: "" });
      await nothingLeft();
    },
  );

  test("is gone with all its nodes when it is killed itself", async () => {
    const child = startDemo("--json");
    child.stdout?.once("data", () => child.kill("SIGKILL"));
    await once(child, "exit");
    await nothingLeft();
  });

  test.each([
    ["that is not there", "nowhere", /nowhere: there is no such file or folder \(local-file\)/],
    ["without text", temporary, /there is no text file in it to count \(local-file\)/],
  ])(
    "refuses a folder %s with one message, before it starts a node",
    async (_what, dir, message) => {
      const { code, output, errors } = await ended(startDemo(dir));
      expect({ code, output }).toEqual({ code: 1, output: "" });
      expect(errors).toMatch(message);
      expect(errors.trim().split("\n")).toHaveLength(2);
      await nothingLeft();
    },
  );
});
