/** Small clusters told as text: read them as documentation, review their changes as diffs. */
import { expect, test } from "vitest";
import { attemptKey, job, node, Play } from "./scheduler-play.ts";

test("a job runs where its blocks are, reduces when every map is recorded, and ends with its parts", () => {
  const play = new Play({ b0: "ab", b1: "bc" });
  play.up("abc");
  play.submit({ blocks: ["b0", "b1"] });
  play.done("m1.1", "b");
  play.recorded("m1.1");
  play.done("m0.1", "a");
  play.recorded("m0.1");
  play.done("r0.1", "a");
  play.recorded("r0.1");
  expect(play.story).toMatchInlineSnapshot(`
    "up a
    up b
    up c
    submit jx
      wake a,b for jx
      start jx m0.1 on a from a,b
      start jx m1.1 on b from b,c
    done m1.1 by b
      record jx m1.1@b
    recorded m1.1
    done m0.1 by a
      record jx m0.1@a
    recorded m0.1
      start jx r0.1 on a from m0.1@a m1.1@b
    done r0.1 by a
      record jx r0.1@a
    recorded r0.1
      end jx done: 1 parts
      clean jx on a
      clean jx on b"
  `);
});

test("completions that come while the ledger writes are recorded together", () => {
  const play = new Play();
  play.up("abc");
  play.submit({ maps: 3, reducers: 0 });
  play.done("m0.1", "a");
  play.done("m1.1", "b");
  play.done("m2.1", "c");
  play.recorded("m0.1");
  play.recorded("m1.1 m2.1");
  expect(play.story).toMatchInlineSnapshot(`
    "up a
    up b
    up c
    submit jx
      wake a,b,c for jx
      start jx m0.1 on a
      start jx m1.1 on b
      start jx m2.1 on c
    done m0.1 by a
      record jx m0.1@a
    done m1.1 by b
    done m2.1 by c
    recorded m0.1
      record jx m1.1@b m2.1@c
    recorded m1.1 m2.1
      end jx done: 3 parts
      clean jx on a
      clean jx on b
      clean jx on c"
  `);
});

test("a node dies with a recorded map, one that the ledger is writing, and a running one (J6)", () => {
  const play = new Play();
  play.up("a", 3);
  play.up("b", 1);
  play.submit({ maps: 4 });
  play.done("m0.1", "a");
  play.recorded("m0.1");
  play.done("m1.1", "a");
  play.down("a");
  play.recorded("m1.1");
  play.done("m2.1", "a");
  for (const map of ["m3.1", "m2.2", "m0.2", "m1.2"]) {
    play.done(map, "b");
    play.recorded(map);
  }
  expect(play.story).toMatchInlineSnapshot(`
    "up a
    up b
    submit jx
      wake a,b for jx
      start jx m0.1 on a
      start jx m1.1 on a
      start jx m2.1 on a
      start jx m3.1 on b
    done m0.1 by a
      record jx m0.1@a
    recorded m0.1
    done m1.1 by a
      record jx m1.1@a
    down a
      record-lost jx m0.1
    recorded m1.1
      record-lost jx m1.1
    done m2.1 by a
      stop jx m2.1 on a
    done m3.1 by b
      record jx m3.1@b
      start jx m2.2 on b
    recorded m3.1
    done m2.2 by b
      record jx m2.2@b
      start jx m0.2 on b
    recorded m2.2
    done m0.2 by b
      record jx m0.2@b
      start jx m1.2 on b
    recorded m0.2
    done m1.2 by b
      record jx m1.2@b
    recorded m1.2
      start jx r0.1 on b from m0.2@b m1.2@b m2.2@b m3.1@b"
  `);
});

test("a reduce that cannot fetch a map's output has just that map run again, elsewhere", () => {
  const play = new Play();
  play.up("ab");
  play.submit({ maps: 2 });
  play.done("m0.1", "a");
  play.recorded("m0.1");
  play.done("m1.1", "b");
  play.recorded("m1.1");
  play.failed("r0.1", "a", { kind: "lost-segment", code: "peer-unreachable", lostMaps: [1] });
  play.done("m1.2", "a");
  play.recorded("m1.2");
  play.done("r0.2", "b");
  play.recorded("r0.2");
  expect(play.story).toMatchInlineSnapshot(`
    "up a
    up b
    submit jx
      wake a,b for jx
      start jx m0.1 on a
      start jx m1.1 on b
    done m0.1 by a
      record jx m0.1@a
    recorded m0.1
    done m1.1 by b
      record jx m1.1@b
    recorded m1.1
      start jx r0.1 on a from m0.1@a m1.1@b
    failed r0.1 by a: lost-segment
      record-lost jx m1.1
      start jx m1.2 on a
    done m1.2 by a
      record jx m1.2@a
    recorded m1.2
      start jx r0.2 on b from m0.1@a m1.2@a
    done r0.2 by b
      record jx r0.2@b
    recorded r0.2
      end jx done: 1 parts
      clean jx on a
      clean jx on b"
  `);
});

test("a task that fails on its own goes elsewhere, then fails the job with its last error (J8)", () => {
  const play = new Play();
  play.up("abc");
  play.submit({ maps: 2, maxAttempts: 3 });
  play.failed("m0.1", "a", { message: "first" });
  play.failed("m0.2", "c", { message: "second" });
  play.done("m1.1", "b");
  play.failed("m0.3", "b", { message: "third" });
  expect(play.story).toMatchInlineSnapshot(`
    "up a
    up b
    up c
    submit jx
      wake a,b for jx
      start jx m0.1 on a
      start jx m1.1 on b
    failed m0.1 by a: user
      start jx m0.2 on c
    failed m0.2 by c: user
    done m1.1 by b
      record jx m1.1@b
      start jx m0.3 on b
    failed m0.3 by b: user
      end jx failed: job-threw map 0 after 3 attempts: third
      clean jx on a
      clean jx on b
      clean jx on c"
  `);
});

test("a silent task is given to another node, and its late result changes nothing (J3)", () => {
  const play = new Play();
  play.up("ab");
  play.submit({ maps: 1 });
  play.wait(10_000);
  play.wait(1000);
  play.done("m0.1", "a");
  play.done("m0.2", "b");
  play.recorded("m0.2");
  expect(play.story).toMatchInlineSnapshot(`
    "up a
    up b
    submit jx
      wake a for jx
      start jx m0.1 on a
    at 10000
    at 11000
      stop jx m0.1 on a
      start jx m0.2 on b
    done m0.1 by a
      stop jx m0.1 on a
    done m0.2 by b
      record jx m0.2@b
    recorded m0.2
      start jx r0.1 on a from m0.2@b"
  `);
});

test("cancel stops everything in one step (J1)", () => {
  const play = new Play();
  play.up("ab");
  play.submit({ maps: 3 });
  play.step("cancel", { type: "cancel", job: job("x") });
  play.step("cancel again", { type: "cancel", job: job("x") });
  play.done("m0.1", "a");
  expect(play.story).toMatchInlineSnapshot(`
    "up a
    up b
    submit jx
      wake a,b for jx
      start jx m0.1 on a
      start jx m1.1 on b
    cancel
      stop jx m0.1 on a
      stop jx m1.1 on b
      end jx cancelled: 0 parts
      clean jx on a
      clean jx on b
    cancel again
    done m0.1 by a
      clean jx on a"
  `);
});

test("two jobs share the slots, and a node that joins gets work at once", () => {
  const play = new Play();
  play.up("a", 4);
  play.submit({ id: "x", maps: 7, reducers: 0 });
  play.submit({ id: "y", maps: 2, reducers: 0 });
  play.done("m0.1", "a", "x");
  play.done("m1.1", "a", "x");
  play.up("b", 1);
  expect(play.story).toMatchInlineSnapshot(`
    "up a
    submit jx
      wake a for jx
      start jx m0.1 on a
      start jx m1.1 on a
      start jx m2.1 on a
      start jx m3.1 on a
    submit jy
      wake a for jy
    done m0.1 by a
      record jx m0.1@a
      start jy m0.1 on a
    done m1.1 by a
      start jy m1.1 on a
    up b
      start jx m4.1 on b"
  `);
});

test("a node that comes back tells what it runs: lost orders are given again, strays stopped", () => {
  const play = new Play();
  play.up("a", 2);
  play.submit({ maps: 2 });
  play.step("report", {
    type: "node-report",
    node: node("a"),
    running: [
      { job: job("x"), ...attemptKey("m0.1") },
      { job: job("o"), ...attemptKey("m5.2") },
    ],
    holding: [job("x"), job("o")],
  });
  expect(play.story).toMatchInlineSnapshot(`
    "up a
    submit jx
      wake a for jx
      start jx m0.1 on a
      start jx m1.1 on a
    report
      stop jo m5.2 on a
      clean jo on a
      start jx m1.1 on a"
  `);
});

test("after a restart of the coordinator nothing that is recorded or still runs is done again", () => {
  const before = new Play();
  before.up("ab");
  before.submit({ maps: 3 });
  before.done("m0.1", "a");
  const done = before.effects.flatMap((it) => (it.type === "record" ? it.tasks : []));
  const after = new Play();
  after.submit({ maps: 3 }, { done, generation: 1 });
  after.up("a", 1, 1, [{ job: job("x"), ...attemptKey("m2.1") }]);
  after.up("b");
  expect(after.story).toMatchInlineSnapshot(`
    "submit jx
    up a
    up b
      start jx m1.1001 on b"
  `);
});
