import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Frame, FrameKind, FrameSink } from "./frames.ts";
import { encodeFrame, FRAME, FrameReader, frameHeader, MAX_DATA_FRAME } from "./frames.ts";

class Collected implements FrameSink {
  readonly frames: Frame[] = [];
  readonly data: number[] = [];
  limitOf(kind: FrameKind): number | undefined {
    if (kind === FRAME.hello) return undefined;
    return kind === FRAME.data ? MAX_DATA_FRAME : 1000;
  }
  onFrame(frame: Frame): void {
    this.frames.push({ ...frame, payload: Uint8Array.from(frame.payload) });
  }
  onData(piece: Uint8Array, id: number): void {
    this.data.push(id, ...piece);
  }
}

const aFrame = fc.record({
  kind: fc.constantFrom(FRAME.request, FRAME.response, FRAME.error, FRAME.cancel, FRAME.bye),
  id: fc.nat(0xffffffff),
  payload: fc.uint8Array({ maxLength: 40 }),
});

describe("frames", () => {
  it("F1: any cutting of the stream gives the same frames", () => {
    fc.assert(
      fc.property(fc.array(aFrame, { maxLength: 8 }), fc.array(fc.nat(20)), (frames, cuts) => {
        const stream = Buffer.concat(frames.map((f) => encodeFrame(f.kind, f.id, f.payload)));
        const sink = new Collected();
        const reader = new FrameReader(sink);
        let at = 0;
        for (const cut of cuts) {
          reader.push(stream.subarray(at, at + cut));
          at = Math.min(at + cut, stream.length);
        }
        reader.push(stream.subarray(at));
        expect(sink.frames).toEqual(frames);
      }),
    );
  });

  it("F2: refuses a length beyond the limit when only the header has come", () => {
    const reader = new FrameReader(new Collected());
    expect(() => reader.push(frameHeader(FRAME.request, 1, 1001))).toThrow(/says 1001 bytes/);
    const huge = new FrameReader(new Collected());
    expect(() => huge.push(frameHeader(FRAME.data, 1, 0xffffffff))).toThrow(/at most 1048576/);
  });

  it("F2: refuses another version at its first byte, and names both", () => {
    const reader = new FrameReader(new Collected());
    expect(() => reader.push(Buffer.from([9]))).toThrow(/version 9, this node's of 1/);
  });

  it("F2: refuses kinds that do not exist or are not expected now", () => {
    const frame = Buffer.from(encodeFrame(FRAME.request, 1));
    frame[1] = 77;
    expect(() => new FrameReader(new Collected()).push(frame)).toThrow(/no frame is of kind 77/);
    const hello = encodeFrame(FRAME.hello, 0);
    expect(() => new FrameReader(new Collected()).push(hello)).toThrow(/not expected here/);
  });

  it("F3: hands data on as it comes, without waiting for the rest", () => {
    const sink = new Collected();
    const reader = new FrameReader(sink);
    const frame = encodeFrame(FRAME.data, 5, new Uint8Array([1, 2, 3]));
    reader.push(frame.subarray(0, 12));
    expect(sink.data).toEqual([5, 1, 2]);
    reader.push(frame.subarray(12));
    reader.push(encodeFrame(FRAME.end, 5));
    expect(sink.data).toEqual([5, 1, 2, 5, 3]);
    expect(sink.frames).toMatchObject([{ kind: FRAME.end, id: 5 }]);
  });

  it("whatever the bytes, throws nothing but protocol and version-mismatch", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (input) => {
        const reader = new FrameReader(new Collected());
        try {
          reader.push(Uint8Array.from([1, ...input]));
        } catch (error) {
          expect(["protocol", "version-mismatch"]).toContain((error as { code: string }).code);
        }
      }),
    );
  });
});
