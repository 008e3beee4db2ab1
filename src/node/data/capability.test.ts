import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bodyLink, LINK_LIFE, openLink } from "./capability.ts";

const secret = Buffer.alloc(32, 7);
const base = "http://127.0.0.1:1234";
const now = 1_000_000;
const put = { method: "PUT", path: "/content/a%2Fb.txt", query: { replicas: "2" } } as const;
const link = (): string => bodyLink(base, secret, put, now).slice(base.length);
const refused = expect.objectContaining({ code: "body-url" });

describe("a link", () => {
  it("opens with its method and secret before its end, and gives the query back", () => {
    const { path, query } = openLink(secret, "PUT", link(), now + LINK_LIFE - 1);
    expect([path, Object.fromEntries(query)]).toEqual([put.path, { replicas: "2" }]);
  });

  it("is refused after its end", () => {
    expect(() => openLink(secret, "PUT", link(), now + LINK_LIFE)).toThrow(refused);
  });

  it("is refused for another method or under another secret", () => {
    expect(() => openLink(secret, "GET", link(), now)).toThrow(refused);
    expect(() => openLink(Buffer.alloc(32, 8), "PUT", link(), now)).toThrow(refused);
  });

  it("is refused with any character changed, taken out or added (K1)", () => {
    const good = link();
    const at = fc.nat(good.length - 1);
    const text = fc.constantFrom("", "0", "z", "&", "%", "/", "%2F");
    fc.assert(
      fc.property(at, text, fc.boolean(), (index, piece, replace) => {
        const bad = good.slice(0, index) + piece + good.slice(index + (replace ? 1 : 0));
        fc.pre(bad !== good);
        expect(() => openLink(secret, "PUT", bad, now)).toThrow(refused);
      }),
    );
  });

  it("is refused when it has no key at all, or is no link", () => {
    for (const text of ["", "/", "/content/a", "/blocks?expires=99999999999999", "&key="]) {
      expect(() => openLink(secret, "PUT", text, now)).toThrow(refused);
    }
  });
});
