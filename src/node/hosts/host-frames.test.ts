import { encode } from "cborg";
import fc from "fast-check";
import { expect, test } from "vitest";
import { HostFrames, MAX_HOST_FRAME, orderFrame } from "./host-frames.ts";

function frame(body: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  return Buffer.concat([head, body]);
}

const read = (frames: HostFrames, bytes: Buffer): unknown[] => [...frames.push(bytes)];
const protocol = expect.objectContaining({ code: "protocol" });

test("messages come out whole, however the bytes are cut", () => {
  const messages = [
    { type: "ready" },
    { type: "log", text: "é".repeat(1000) },
    { type: "progress", records: 1, bytes: 2 },
  ];
  const bytes = Buffer.concat(messages.map((message) => frame(encode(message))));
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 20 }), (cuts) => {
      const frames = new HostFrames();
      const ends = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const out = ends.slice(1).flatMap((to, i) => read(frames, bytes.subarray(ends[i], to)));
      expect(out).toEqual(messages);
    }),
  );
});

test("what is no message of the schema gives an error and no message (F1)", () => {
  const bad: unknown[] = [
    1,
    {},
    { type: "stop" },
    { type: "progress", records: -1, bytes: 0 },
    { type: "log", text: 1 },
    { type: "ready", more: 1 },
    { type: "map-done", records: 0, pairs: 0, bytes: 0, partitions: [{}], counters: {} },
    { type: "failed", kind: "user", code: "no-such-code", message: "" },
    { type: "failed", kind: "cancelled", code: "cancelled", message: "" },
  ];
  for (const message of bad) {
    expect(() => read(new HostFrames(), frame(encode(message)))).toThrow(protocol);
  }
});

test("random bytes never give a message, nor any other error (F1)", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (body) => {
      expect(() => read(new HostFrames(), frame(body))).toThrow(protocol);
    }),
  );
});

test("a frame larger than the limit is refused before its bytes come (F1)", () => {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(MAX_HOST_FRAME + 1);
  expect(() => read(new HostFrames(), head)).toThrow(protocol);
});

test("an order's frame is its length and CBOR", () => {
  const order = { type: "describe", job: { bundle: "job.mjs" } } as const;
  const bytes = orderFrame(order);
  expect(bytes.readUInt32LE(0)).toBe(bytes.length - 4);
  expect(bytes.subarray(4)).toEqual(Buffer.from(encode(order)));
});
