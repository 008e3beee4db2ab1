import { describe, expect, it } from "vitest";
import { formatHostPort, isDialable, parseHostPort } from "./address.ts";

describe("host:port", () => {
  it.each([
    ["127.0.0.1:7701", { host: "127.0.0.1", port: 7701 }],
    ["[::1]:0", { host: "::1", port: 0 }],
    ["node-1.example.org:80", { host: "node-1.example.org", port: 80 }],
  ])("reads and writes %s", (text, parts) => {
    expect(parseHostPort(text)).toEqual(parts);
    expect(formatHostPort(parts)).toBe(text);
  });

  it.each(["", "localhost", ":80", "a:65536", "::1:80", "a b:1", "a:-1", "http://a:1"])(
    "refuses %j",
    (text) => {
      expect(() => parseHostPort(text)).toThrow(
        expect.objectContaining({ code: "listen-address" }),
      );
      expect(isDialable(text)).toBe(false);
    },
  );

  it("cannot dial port 0", () => {
    expect(isDialable("127.0.0.1:0")).toBe(false);
    expect(isDialable("127.0.0.1:1")).toBe(true);
  });
});
