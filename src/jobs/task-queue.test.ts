import fc from "fast-check";
import { expect, test } from "vitest";
import { node } from "./scheduler-play.ts";
import { TaskQueue } from "./task-queue.ts";
import { newTask, type TaskRun } from "./task-run.ts";

const any = (): boolean => true;
const tasks = (count: number): TaskRun[] =>
  Array.from({ length: count }, (_, i) => newTask("map", i, 1));

test("a node gets what it holds, in order, then what nobody holds, then the end of the longest line (Q2)", () => {
  const queue = new TaskQueue();
  const holders = ["b", "a", "c", "c", "", "a", "c"];
  for (const [i, task] of tasks(7).entries()) {
    queue.add(task, holders[i] === "" ? [] : [node(holders[i] ?? "")]);
  }
  const a = node("a");
  const taken = [queue.takeHeld(a, any), queue.takeHeld(a, any), queue.takeHeld(a, any)];
  expect(taken.map((task) => task?.number)).toEqual([1, 5, undefined]);
  const others = Array.from({ length: 6 }, () => queue.takeOther(a, any)?.number);
  expect(others).toEqual([4, 6, 3, 0, 2, undefined]);
});

test("what does not fit stays for others", () => {
  const queue = new TaskQueue();
  for (const task of tasks(3)) queue.add(task, [node("a")]);
  expect(queue.takeHeld(node("a"), (task) => task.number === 1)?.number).toBe(1);
  expect(queue.size).toBe(2);
  expect(queue.takeHeld(node("a"), any)?.number).toBe(0);
});

test("each task is given out once for each time it was queued (Q1)", () => {
  const move = fc.record({
    kind: fc.constantFrom("add", "held", "other", "remove"),
    task: fc.nat(9),
    node: fc.constantFrom("a", "b", "c"),
    holders: fc.uniqueArray(fc.constantFrom("a", "b", "c")),
  });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 200 }), (moves) => {
      const queue = new TaskQueue();
      const all = tasks(10);
      const queued = new Set<TaskRun>();
      for (const { kind, task: number, node: letter, holders } of moves) {
        const task = all[number];
        if (task === undefined) continue;
        if (kind === "add" && !queued.has(task)) {
          queued.add(task);
          queue.add(task, holders.map(node));
        } else if (kind === "remove") {
          queued.delete(task);
          queue.remove(task);
        }
        if (kind === "held" || kind === "other") {
          const taken =
            kind === "held"
              ? queue.takeHeld(node(letter), any)
              : queue.takeOther(node(letter), any);
          if (taken !== undefined) expect(queued.delete(taken)).toBe(true);
          if (taken === undefined && kind === "other") {
            const left = [...queued].filter((it) => !it.holders.includes(node(letter)));
            expect(left).toEqual([]);
          }
        }
        expect(queue.size).toBe(queued.size);
      }
    }),
  );
});
