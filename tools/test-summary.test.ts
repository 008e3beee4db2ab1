import { describe, expect, test } from "vitest";
import { closingLine, sum, tallyOf } from "./test-summary.ts";

const report = (passed: number, failed: number, files: readonly object[] = []): string =>
  JSON.stringify({
    numPassedTests: passed,
    numFailedTests: failed,
    numPendingTests: 0,
    testResults: files,
  });

describe("the closing line of a CI run", () => {
  test("adds up the runs", () => {
    const total = sum([tallyOf(report(3, 0)), tallyOf(report(4, 1))]);
    expect(closingLine(total)).toBe("7 passed, 1 failed");
  });

  test("names skipped tests when there are some", () => {
    expect(closingLine({ passed: 1, failed: 0, skipped: 2 })).toBe("1 passed, 0 failed, 2 skipped");
  });

  test("counts a run without a report, or without a test, as a failure", () => {
    expect(tallyOf(undefined).failed).toBe(1);
    expect(tallyOf("").failed).toBe(1);
    expect(tallyOf(report(0, 0)).failed).toBe(1);
  });

  test("counts a file that did not load as a failure", () => {
    const broken = { status: "failed", assertionResults: [] };
    expect(tallyOf(report(5, 0, [broken])).failed).toBe(1);
  });
});
