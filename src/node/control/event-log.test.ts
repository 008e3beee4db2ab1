import { describe, expect, test } from "vitest";
import { EventLog } from "./event-log.ts";

async function take(log: EventLog, since: number | undefined, count: number) {
  const stop = new AbortController();
  const events = [];
  for await (const event of log.read(since, stop.signal)) {
    events.push(event);
    if (events.length === count) stop.abort();
  }
  return events;
}

describe("the event stream", () => {
  test("gives what happens after the reader came, in order", async () => {
    const log = new EventLog();
    log.add("node-up", "a", "before");
    const reading = take(log, undefined, 2);
    log.add("node-down", "a", "first");
    log.add("node-up", "a", "second");
    expect((await reading).map((event) => event.text)).toEqual(["first", "second"]);
  });

  test("goes on after the last event that a reader had", async () => {
    const log = new EventLog();
    for (const text of ["one", "two", "three"]) log.add("file-put", "f", text);
    const [one] = await take(log, 0, 2).then((events) => events.slice(1));
    const rest = await take(log, one?.id, 2);
    expect(rest.map((event) => event.text)).toEqual(["two", "three"]);
  });

  test("says that events are gone when it no longer has them", async () => {
    const log = new EventLog();
    for (let i = 0; i < 1500; i++) log.add("file-put", "f", String(i));
    const [gap, next] = await take(log, 1, 2);
    expect(gap?.kind).toBe("gap");
    expect(next?.text).toBe("500");
  });

  test("ends when the reader goes", async () => {
    const log = new EventLog();
    const stop = new AbortController();
    const reading = log.read(undefined, stop.signal).next();
    stop.abort();
    expect((await reading).done).toBe(true);
  });
});
