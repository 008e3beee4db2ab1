/**
 * Adds up the JSON reports of test runs and prints one line, `12 passed, 0 failed`, the last of
 * `.ci/run`: `node tools/test-summary.ts REPORT…`. Exits with 1 when a test failed, or when a run
 * left no report or no test.
 */
import { readFileSync } from "node:fs";

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly unknown[];
  }[];
}

/**
 * A run without a readable report counts as one failure; so does a test file that never got to its
 * first test.
 */
export function tallyOf(text: string | undefined): Tally {
  if (text === undefined || text === "") return { passed: 0, failed: 1, skipped: 0 };
  const report: Report = JSON.parse(text);
  const broken = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  ).length;
  const empty = report.numPassedTests + report.numFailedTests + broken === 0 ? 1 : 0;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken + empty,
    skipped: report.numPendingTests,
  };
}

export const sum = (tallies: readonly Tally[]): Tally =>
  tallies.reduce(
    (a, b) => ({
      passed: a.passed + b.passed,
      failed: a.failed + b.failed,
      skipped: a.skipped + b.skipped,
    }),
    { passed: 0, failed: 0, skipped: 0 },
  );

/** The closing line; skipped tests are named only when there are some. */
export const closingLine = ({ passed, failed, skipped }: Tally): string =>
  `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    console.error(`no report at ${path}: the run did not end`);
    return undefined;
  }
}

if (import.meta.main) {
  const total = sum(process.argv.slice(2).map((path) => tallyOf(textOf(path))));
  console.log(closingLine(total));
  process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
}
