/**
 * `npm run bench -- NAME [options]`. A benchmark measures and prints; it asserts nothing about
 * time, but fails when answers differ. It leaves no process and no file behind, also after Ctrl-C.
 */
import { parseArgs } from "node:util";
import { errorNote, RingfoldError } from "../src/base/errors.ts";
import { ChildNodes } from "../src/cli/child-node.ts";
import { bytesOf, wholeNumber } from "../src/cli/quantity.ts";
import { table } from "../src/cli/table.ts";
import type { Benchmark, BenchOptions, BenchResult } from "./benchmark.ts";
import { books } from "./books.ts";
import { idle } from "./idle.ts";
import { transfer } from "./transfer.ts";
import { wordCount } from "./word-count.ts";

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  "word-count": wordCount,
  transfer,
  books,
  idle,
};

const USAGE = `npm run bench -- NAME [options]

${Object.entries(BENCHMARKS)
  .map(([name, { about }]) => `  ${name.padEnd(12)}${about}`)
  .join("\n")}

  --size SIZE  of the input, such as 256MiB (word-count, transfer)
  --runs N     how often each program runs; medians are shown
  --dir DIR    folder of texts (books)
  --json       the figures as JSON in the last line
  --list       names only`;

interface Asked {
  readonly benchmark: Benchmark;
  readonly options: BenchOptions;
  readonly json: boolean;
}

/** @throws bad-option */
function asked(args: readonly string[]): Asked | string {
  const { values, positionals } = parsed(args);
  if (values.list === true) return Object.keys(BENCHMARKS).join("\n");
  const [name, extra] = positionals;
  if (name === undefined || values.help === true) return USAGE;
  const benchmark = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
  if (benchmark === undefined || extra !== undefined) {
    const what = extra === undefined ? `there is no benchmark "${name}"` : `"${extra}" is too much`;
    throw new RingfoldError(
      "bad-option",
      `${what}; there are ${Object.keys(BENCHMARKS).join(", ")}`,
    );
  }
  const { size, runs, dir } = values;
  const options = {
    ...(size === undefined ? {} : { size: bytesOf("--size", size) }),
    ...(runs === undefined ? {} : { runs: wholeNumber("--runs", runs, 1, 1000) }),
    ...(dir === undefined ? {} : { dir }),
  };
  return { benchmark, options, json: values.json === true };
}

function parsed(args: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const options = { size: text, runs: text, dir: text, json: flag, list: flag, help: flag };
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RingfoldError("bad-option", why, { cause });
  }
}

async function measure({ benchmark, options, json }: Asked): Promise<void> {
  const nodes = new ChildNodes("bench");
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    void nodes.close().then(() => process.exit(130));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  try {
    const result = await benchmark.run({ nodes, say: (text) => console.error(text) }, options);
    show(result, json);
  } catch (error) {
    if (!stopped) throw error;
  } finally {
    await nodes.close();
  }
}

function show({ heading, rows, notes, figures }: BenchResult, json: boolean): void {
  console.log(`\n${table(heading, rows)}\n\n${notes.join("\n")}`);
  if (json) console.log(JSON.stringify(figures));
}

try {
  const answer = asked(process.argv.slice(2));
  if (typeof answer === "string") console.log(answer);
  else await measure(answer);
} catch (thrown) {
  const { code, message } = errorNote(thrown);
  console.error(`bench: ${message} (${code})`);
  process.exitCode = thrown instanceof RingfoldError ? thrown.exit : 1;
}
