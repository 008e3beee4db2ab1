import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { RingfoldError } from "../base/errors.ts";
import { checked, decode, decodeAs, encode } from "./cbor.ts";

const bytes = (hex: string): Uint8Array => Buffer.from(hex, "hex");

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.boolean(),
    fc.constant(null),
    fc.maxSafeInteger(),
    fc.string({ unit: "grapheme" }),
    fc.uint8Array(),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

describe("cbor", () => {
  it("gives back every value that it encoded, with equal bytes for equal values", () => {
    fc.assert(
      fc.property(plain, (value) => {
        const once = encode(value);
        const back = decode(once, "value");
        expect(encode(back)).toEqual(once);
        expect(back).toEqual(value);
      }),
    );
  });

  it("gives equal bytes whatever the order of the keys, and leaves undefined out", () => {
    const one = encode({ bb: 1, a: [new Uint8Array([1])], c: undefined });
    expect(encode({ a: [Buffer.from([1])], bb: 1 })).toEqual(one);
    expect(decode(one, "value")).toEqual({ a: [new Uint8Array([1])], bb: 1 });
  });

  it.each([
    ["an indefinite array", "9fff"],
    ["an indefinite string", "7f6161ff"],
    ["a number not in its shortest form", "1800"],
    ["a length not in its shortest form", "780161"],
    ["a duplicate key", "a2616101616102"],
    ["a key that is a number", "a10102"],
    ["undefined", "f7"],
    ["NaN", "f97e00"],
    ["an infinity", "f97c00"],
    ["an integer beyond 2^53", "1b0020000000000001"],
    ["a tag", "c11a514b67b0"],
    ["bytes left over", "0102"],
    ["nothing", ""],
    ["a string cut short", "6261"],
    ["an array that claims 2^32 - 1 items", "9affffffff"],
    ["a byte string that claims 2^32 - 1 bytes", "5affffffff"],
  ])("W1: refuses %s", (_name, hex) => {
    expect(() => decode(bytes(hex), "value")).toThrow(/value: not the CBOR expected/);
  });

  it("W2: refuses what is longer or deeper than its limit", () => {
    expect(() => decode(new Uint8Array(101), "value", { maxBytes: 100 })).toThrow(/at most 100/);
    expect(() => decode(bytes("818181f6"), "value", { maxDepth: 2 })).toThrow(/deeper than 2/);
    expect(decode(bytes("818181f6"), "value", { maxDepth: 3 })).toEqual([[[null]]]);
    expect(decode(bytes("8280a0"), "value", { maxDepth: 2 })).toEqual([[], {}]);
    expect(() => decode(new Uint8Array(1_000_000).fill(0x81), "value")).toThrow(/deeper than/);
  });

  it("W3: whatever the bytes, throws nothing but a protocol error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (input) => {
        try {
          decode(input, "value");
        } catch (error) {
          expect(error).toBeInstanceOf(RingfoldError);
          expect(error).toMatchObject({ code: "protocol" });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps a key named __proto__ as data", () => {
    const back = decode(bytes("a1695f5f70726f746f5f5fa1616101"), "value");
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect(Object.hasOwn(back as object, "__proto__")).toBe(true);
  });

  it("names what and where does not fit the schema", () => {
    const schema = z.object({ tasks: z.array(z.object({ attempt: z.int() })) });
    const wrong = encode({ tasks: [{ attempt: 1 }, { attempt: "2" }] });
    expect(() => decodeAs(schema, wrong, "report")).toThrow(/^report: tasks\.1\.attempt: /);
    expect(() => checked(z.int(), "x", "count")).toThrow(/^count: the value: /);
    expect(decodeAs(schema, encode({ tasks: [], later: 1 }), "report")).toEqual({ tasks: [] });
  });
});
