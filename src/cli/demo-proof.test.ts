import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterAll, describe, expect, test } from "vitest";
import { prove, readEverything } from "./demo-proof.ts";
import { DemoScreen } from "./demo-screen.ts";
import { processTerminal } from "./terminal.ts";

const dir = mkdtempSync(join(tmpdir(), "ringfold-demo-proof-"));
afterAll(() => rmSync(dir, { recursive: true }));
const path = join(dir, "a.txt");
writeFileSync(path, "one two two");

const text = { files: [{ path, name: "demo/a.txt", bytes: 11 }] };
const out = new Writable({ write: (_chunk, _encoding, done) => done() });
const screen = new DemoScreen({ ...processTerminal(), out }, false);

/** A cluster whose job and files say this. */
const saying = (answer: string) => ({
  async *results() {
    yield Buffer.from(answer);
  },
  get: async () => ({ bytes: answer.length, chunks: chunksOf(answer) }),
});

async function* chunksOf(answer: string) {
  yield Buffer.from(answer);
}

const run = { view: { output: { name: "count", files: [] } } };

describe("the proof", () => {
  test("holds when every answer is the count of one process", async () => {
    const counts = await prove(screen, saying("two 2\none 1\n"), text, [run, run]);
    expect([...counts]).toEqual([
      ["one", 1],
      ["two", 2],
    ]);
  });

  test("fails with the first words that differ, also when only the second answer is wrong", async () => {
    let answers = 0;
    const client = {
      async *results() {
        yield Buffer.from(answers++ === 0 ? "one 1\ntwo 2\n" : "one 1\ntwo 3\nthree 1\n");
      },
    };
    await expect(prove(screen, client, text, [run, run])).rejects.toMatchObject({
      code: "answer-differs",
      message:
        'count: 2 words differ from the single-process count: "three" 1 instead of 0, "two" 3 instead of 2',
    });
  });

  test("fails when a file that is read back has one other byte", async () => {
    await expect(readEverything(saying("one two twO"), text)).rejects.toMatchObject({
      code: "answer-differs",
    });
    expect(await readEverything(saying("one two two"), text)).toBeGreaterThan(0);
  });
});
