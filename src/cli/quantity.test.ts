import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryTerminal } from "./memory-terminal.ts";
import { ByteProgress, shareText } from "./progress.ts";
import { bytesOf, millisOf, showBytes, showMillis } from "./quantity.ts";
import { paramsOf } from "./run-arguments.ts";
import { printable, table } from "./table.ts";

describe("quantities", () => {
  it.each([
    ["0", 0],
    ["4MiB", 4194304],
    ["64k", 65536],
    ["1.5GB", 1.5e9],
    ["8 KiB", 8192],
  ])("read the size %s", (text, bytes) => {
    expect(bytesOf("--x", text)).toBe(bytes);
  });

  it.each([
    ["30s", 30_000],
    ["2", 2000],
    ["250ms", 250],
    ["1h", 3_600_000],
  ])("read the time %s", (text, ms) => {
    expect(millisOf("--x", text)).toBe(ms);
  });

  it.each(["", "-1", "1e9", "MiB", "1 2", "0x10", "1constructor", "99999999999999999999"])(
    "refuse %j",
    (text) => {
      expect(() => bytesOf("--x", text)).toThrow(expect.objectContaining({ code: "bad-option" }));
    },
  );

  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [999_999, "1.0 MB"],
    [123_456_789, "123 MB"],
  ])("show %i bytes", (bytes, text) => {
    expect(showBytes(bytes)).toBe(text);
  });

  it.each([
    [0, "0 ms"],
    [999.6, "1.0 s"],
    [59_960, "1 min 0 s"],
    [3_600_000, "1 h 0 min"],
    [864e6, "10 days"],
  ])("show %d ms", (ms, text) => {
    expect(showMillis(ms)).toBe(text);
  });
});

describe("a table", () => {
  it("lines columns up, numbers to the right", () => {
    const text = table(
      ["name", "size"],
      [
        ["a", "5 B"],
        ["long name", "12.0 kB"],
      ],
    );
    expect(text).toBe("name          size\na              5 B\nlong name  12.0 kB");
  });

  it("lets no cell move the cursor", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (cell) => {
        // oxlint-disable-next-line no-control-regex -- it is what must not come through
        expect(printable(cell)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
  });
});

describe("progress", () => {
  const at = (screen: boolean) => {
    const terminal = memoryTerminal({ screen });
    let now = 0;
    const bar = new ByteProgress(terminal, "put 1 file", 1000, () => now);
    const step = (ms: number, bytes: number) => {
      now += ms;
      bar.add(bytes);
    };
    return { terminal, bar, step };
  };

  it("says nothing about what is over within a second", () => {
    const { terminal, bar, step } = at(true);
    step(999, 1000);
    bar.clear();
    expect(terminal.stderr()).toBe("");
  });

  it("draws one line over on a screen and leaves it clean", () => {
    const { terminal, bar, step } = at(true);
    step(1000, 500);
    step(10, 1);
    step(100, 100);
    bar.clear();
    expect(terminal.stderr().split("\r").length).toBe(4);
    expect(terminal.stderr()).toContain("50 % ");
    expect(terminal.stderr().endsWith("\r\u001b[K")).toBe(true);
  });

  it("prints plain lines elsewhere", () => {
    const { terminal, step } = at(false);
    step(1000, 500);
    step(1000, 100);
    expect(terminal.stderr()).toMatch(/^put 1 file 50 % \[#{10}·{10}\] 500 B\/s, 1\.0 s left\n$/);
  });

  it("keeps its share between 0 and 100 whatever comes", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), (done, total, elapsed) => {
        const share = Number(/^(\d+) %/.exec(shareText(done, total, elapsed))?.[1]);
        expect(share).toBeGreaterThanOrEqual(0);
        expect(share).toBeLessThanOrEqual(100);
      }),
    );
  });
});

describe("a job's parameters", () => {
  it.each([
    ["job.ts --top 10", { top: "10" }],
    ["job.ts --top=10 --quiet", { top: "10", quiet: "true" }],
    ["job.ts --quiet --top 10", { quiet: "true", top: "10" }],
    ["job.ts --min -5", { min: "-5" }],
    ["job.ts --pattern=", { pattern: "" }],
    ["job.ts", {}],
  ])("%s", (words, params) => {
    expect(paramsOf(words.split(" "))).toEqual({ operands: ["job.ts"], params });
  });
});
