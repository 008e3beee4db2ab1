import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { bar, DemoScreen, grouped } from "./demo-screen.ts";
import { processTerminal, type Terminal } from "./terminal.ts";

class Captured extends Writable {
  text = "";
  readonly isTTY: boolean;

  constructor(isTTY: boolean) {
    super({
      write: (chunk: Buffer, _encoding, done) => {
        this.text += chunk.toString();
        done();
      },
    });
    this.isTTY = isTTY;
  }
}

function screenOn(isTTY: boolean, json = false, env: Terminal["env"] = {}) {
  const out = new Captured(isTTY);
  return { out, screen: new DemoScreen({ ...processTerminal(), out, env, columns: 80 }, json) };
}

const UP = "\u001b[A";
const CLEAR = "\u001b[J";
const SHOW_CURSOR = "\u001b[?25h";

describe("the demo's screen", () => {
  test("prints plain lines and nothing to draw over where there is no screen", () => {
    const { out, screen } = screenOn(false);
    screen.draw(() => [{ text: "moving" }]);
    screen.step("five nodes", 1234);
    screen.crash("one killed");
    expect(out.text).not.toContain("\u001b");
    expect(out.text).not.toContain("moving");
    expect(out.text).toMatch(/^ {2}✓ five nodes +1\.2 s\n {2}✗ one killed\n$/);
  });

  test("takes drawn lines away before it prints, and shows the cursor again", () => {
    const { out, screen } = screenOn(true);
    screen.draw(() => [{ text: "one" }, { text: "two", style: "dim" }]);
    const drawn = out.text.length;
    screen.step("done");
    expect(out.text.slice(drawn).startsWith(`${UP}${UP}\r${CLEAR}${SHOW_CURSOR}`)).toBe(true);
  });

  test("uses no colour with NO_COLOR", () => {
    const { out, screen } = screenOn(true, false, { NO_COLOR: "1" });
    screen.step("plain");
    expect(out.text.replaceAll(SHOW_CURSOR, "")).not.toContain("\u001b");
  });

  test("keeps a name from moving the cursor", () => {
    const { out, screen } = screenOn(true);
    screen.draw(() => [{ text: "evil\u001b[2Jname\u0007" }]);
    expect(stripVTControlCharacters(out.text)).toContain("evilname?");
    expect(out.text).not.toContain("\u001b[2J");
  });

  test("gives programs one JSON line for each step and nothing else", () => {
    const { out, screen } = screenOn(true, true);
    screen.title("Ringfold", "for people");
    screen.draw(() => [{ text: "moving" }]);
    screen.step("five nodes", 12.6);
    screen.crash("one killed");
    screen.bars([["the", 3]]);
    screen.clear();
    expect(
      out.text
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { event: "step", text: "five nodes", ms: 13 },
      { event: "crash", text: "one killed" },
    ]);
  });

  test("bars and figures are what they say", () => {
    expect(bar(0.5, 8)).toBe("━━━━╌╌╌╌");
    expect(bar(7, 4)).toBe("━━━━");
    expect([1, 1234, 1234567].map(grouped)).toEqual(["1", "1 234", "1 234 567"]);
  });
});
