/**
 * The tasks of one phase that may start, by who holds their input. Taking one costs the same
 * however many wait.
 *
 * Q1  A task is given out at most once for each time it was queued. Tested.
 * Q2  A node gets a task whose input it holds while there is one; else one that nobody holds; else
 *     one of the node with the most waiting, from the end of its line, which that node would reach
 *     last. Tested.
 */
import { assert } from "../base/errors.ts";
import type { NodeId } from "../base/ids.ts";
import type { TaskRun } from "./task-run.ts";

/**
 * Tasks in order; those taken elsewhere meanwhile are dropped when they come to an end of the line.
 */
interface Line {
  readonly tasks: TaskRun[];
  head: number;
  /** Queued tasks in it; the rest of `tasks` is stale. */
  waiting: number;
}

/** Tells whether a node may have a task. */
export type Fits = (task: TaskRun) => boolean;

export class TaskQueue {
  readonly #lines = new Map<NodeId, Line>();
  readonly #unheld: Line = { tasks: [], head: 0, waiting: 0 };
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds an idle task with the nodes that hold its input. */
  add(task: TaskRun, holders: readonly NodeId[]): void {
    assert(task.state === "idle" && !task.queued, "Q1: an idle task is queued once");
    task.queued = true;
    task.holders = holders;
    this.#size += 1;
    for (const line of this.#linesOf(task)) {
      line.tasks.push(task);
      line.waiting += 1;
    }
  }

  /** Takes a task out again without giving it to anybody. */
  remove(task: TaskRun): void {
    if (!task.queued) return;
    task.queued = false;
    this.#size -= 1;
    for (const line of this.#linesOf(task)) line.waiting -= 1;
  }

  /** A task whose input the node holds. */
  takeHeld(node: NodeId, fits: Fits): TaskRun | undefined {
    const line = this.#lines.get(node);
    return line === undefined ? undefined : this.#take(line, "first", fits);
  }

  /** A task that nobody holds, or that others do. */
  takeOther(node: NodeId, fits: Fits): TaskRun | undefined {
    const unheld = this.#take(this.#unheld, "first", fits);
    if (unheld !== undefined) return unheld;
    const lines = [...this.#lines].filter(([holder, line]) => holder !== node && line.waiting > 0);
    lines.sort(([a, x], [b, y]) => y.waiting - x.waiting || (a < b ? -1 : 1));
    for (const [, line] of lines) {
      const task = this.#take(line, "last", fits);
      if (task !== undefined) return task;
    }
    return undefined;
  }

  #linesOf(task: TaskRun): readonly Line[] {
    if (task.holders.length === 0) return [this.#unheld];
    return task.holders.map((holder) => {
      const line = this.#lines.get(holder) ?? { tasks: [], head: 0, waiting: 0 };
      this.#lines.set(holder, line);
      return line;
    });
  }

  #take(line: Line, end: "first" | "last", fits: Fits): TaskRun | undefined {
    if (line.waiting === 0) {
      line.tasks.length = 0;
      line.head = 0;
      return undefined;
    }
    trim(line);
    const count = line.tasks.length - line.head;
    for (let i = 0; i < count; i++) {
      const task = line.tasks[end === "first" ? line.head + i : line.tasks.length - 1 - i];
      if (task === undefined || !task.queued || !fits(task)) continue;
      this.remove(task);
      return task;
    }
    return undefined;
  }
}

/** Drops what was taken elsewhere from both ends, and the dead space once it is the larger part. */
function trim(line: Line): void {
  while (line.tasks.length > line.head && line.tasks.at(-1)?.queued === false) line.tasks.pop();
  while (line.head < line.tasks.length && line.tasks[line.head]?.queued === false) line.head += 1;
  if (line.head > 1000 && line.head * 2 > line.tasks.length) {
    line.tasks.splice(0, line.head);
    line.head = 0;
  }
}
