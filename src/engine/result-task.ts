/** Runs a job's `result` over its committed outputs, read back as the records that they were. */
import { RingfoldError } from "../base/errors.ts";
import { BlockReader } from "./block-reader.ts";
import { eachLine } from "./line-reader.ts";
import { refuseAnswer, stageOf } from "./map-task.ts";
import type { TaskEvents, TaskRun } from "./task-context.ts";
import type { BlockInput } from "./task-place.ts";
import { rowReader } from "./text-output.ts";

/** What the terminal shows; longer is refused. */
const MAX_RESULT = 1 << 20;

/**
 * The text of what `result` returns: a string as it is, anything else as JSON.
 * @throws RingfoldError `job-threw`, `job-codec`, `job-file`, `block-corrupt`
 */
export function runResult(
  run: Omit<TaskRun, "phase" | "task">,
  blocks: readonly BlockInput[],
  events: TaskEvents,
): string {
  const { result, name } = run.plan;
  if (result === undefined) throw new RingfoldError("job-file", `job "${name}" has no result`);
  const read = rowReader(stageOf({ ...run, phase: "reduce", task: 0 }));
  let answer: unknown;
  try {
    answer = result(rows(blocks, read, events), { params: run.params });
  } catch (thrown) {
    if (thrown instanceof RingfoldError) throw thrown;
    throw new RingfoldError("job-threw", `job "${name}": result threw ${String(thrown)}`, {
      cause: thrown,
    });
  }
  refuseAnswer("result", answer);
  const text = typeof answer === "string" ? answer : (JSON.stringify(answer) ?? "");
  if (text.length <= MAX_RESULT) return text;
  throw new RingfoldError(
    "job-codec",
    `job "${name}": result gave more than ${MAX_RESULT} characters`,
  );
}

function* rows(
  blocks: readonly BlockInput[],
  read: (line: string) => unknown,
  events: TaskEvents,
): Generator {
  const reader = new BlockReader();
  let [count, bytes] = [0, 0];
  for (const block of blocks) {
    const lines: string[] = [];
    eachLine(reader.read(block), (line) => lines.push(line));
    for (const line of lines) {
      if ((++count & 1023) === 0) events.progress(count, bytes);
      yield read(line);
    }
    bytes += block.bytes;
  }
}
