import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeId, ringId } from "../base/ids.ts";
import { encode } from "./cbor.ts";
import type { JoinToken } from "./token.ts";
import { formatToken, parseToken } from "./token.ts";

const token: JoinToken = {
  ring: ringId("0123456789abcdef0123456789abcdef"),
  addresses: ["127.0.0.1:7701", "[::1]:7701", "node-1.example.org:80"],
  inviter: nodeId("ab".repeat(32)),
  secret: new Uint8Array(32).fill(7),
  expires: 1_800_000_000_000,
};
const text = formatToken(token);

describe("join token", () => {
  it("comes back from its text as it was", () => {
    expect(parseToken(text)).toEqual(token);
    expect(text).toMatch(/^rf1\.[0-9A-Za-z_-]+$/);
  });

  it("survives the spaces and line breaks of a paste", () => {
    expect(parseToken(`  ${text.slice(0, 40)}\n${text.slice(40)}\r\n`)).toEqual(token);
  });

  it("is malformed when any part is cut off", () => {
    for (let length = 0; length < text.length; length++) {
      expect(() => parseToken(text.slice(0, length))).toThrow(
        expect.objectContaining({ code: "token-malformed" }),
      );
    }
    expect(() => parseToken(`${text}A`)).toThrow(/part is missing or changed/);
  });

  it("is malformed when any one character is another", () => {
    fc.assert(
      fc.property(
        fc.nat(text.length - 1),
        fc.constantFrom("A", "z", "0", "_", "-", ".", "!", "é"),
        (at, letter) => {
          fc.pre(text[at] !== letter);
          const changed = text.slice(0, at) + letter + text.slice(at + 1);
          expect(() => parseToken(changed)).toThrow(
            expect.objectContaining({ code: "token-malformed" }),
          );
        },
      ),
    );
  });

  it("is malformed when its content is not a token's, however well it is summed", async () => {
    const { hash } = await import("node:crypto");
    const body = encode([new Uint8Array(16), [], new Uint8Array(32), new Uint8Array(32), 1]);
    const check = hash("sha256", body, "buffer").subarray(0, 6);
    const forged = `rf1.${Buffer.concat([body, check]).toString("base64url")}`;
    expect(() => parseToken(forged)).toThrow(/content is not a token's/);
  });

  it("never shows any of itself in an error", () => {
    const broken = text.slice(0, -9);
    expect(() => parseToken(broken)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(broken.slice(4, 12)) }),
    );
  });
});
