import { describe, expect, it } from "vitest";
import { nodeOptions, type RawNodeOptions } from "./node-options.ts";

describe("node options", () => {
  it("have defaults: loopback, ports 7700 and 7701, three processes", () => {
    const options = nodeOptions({});
    expect(options.http).toEqual({ host: "127.0.0.1", port: 7700 });
    expect(options.listen).toEqual({ host: "127.0.0.1", port: 7701 });
    expect(options).toMatchObject({ weight: 1, zone: "default", processes: 3 });
    expect(options.slots).toBeGreaterThan(0);
    expect("join" in options).toBe(false);
  });

  it.each([
    ["10.1.2.3:9", { host: "10.1.2.3", port: 9 }],
    ["[::1]:0", { host: "::1", port: 0 }],
    [":7", { host: "127.0.0.1", port: 7 }],
    ["7", { host: "127.0.0.1", port: 7 }],
    ["host.example:65535", { host: "host.example", port: 65535 }],
  ])("read --listen %s", (listen, wanted) => {
    expect(nodeOptions({ listen }).listen).toEqual(wanted);
  });

  it.each([
    [{ listen: "nowhere" }, "listen-address"],
    [{ listen: "1.2.3.4:70000" }, "listen-address"],
    [{ http: "http://127.0.0.1:1" }, "listen-address"],
    [{ http: "0.0.0.0:7700" }, "http-exposed"],
    [{ http: "[::]:7700" }, "http-exposed"],
    [{ http: "example.org:7700" }, "http-exposed"],
    [{ weight: "-1" }, "bad-option"],
    [{ weight: "heavy" }, "bad-option"],
    [{ weight: "" }, "bad-option"],
    [{ slots: "1.5" }, "bad-option"],
    [{ slots: "100000" }, "bad-option"],
    [{ processes: "2" }, "bad-option"],
    [{ name: "a b" }, "bad-option"],
    [{ name: "" }, "bad-option"],
    [{ zone: "../x" }, "bad-option"],
  ] as [RawNodeOptions, string][])("refuse %j", (raw, code) => {
    expect(() => nodeOptions(raw)).toThrow(expect.objectContaining({ code }));
  });
});
