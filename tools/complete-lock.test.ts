import { expect, test } from "vitest";
import { missingEntries, readLock } from "./complete-lock.ts";

test("the lock names every program for every system, so that npm ci accepts it everywhere", () => {
  expect(missingEntries(readLock())).toEqual({});
});

test("a program for another system is noticed when it is missing, with the system from its name", () => {
  const parent = {
    optionalDependencies: {
      "@x/linux-x64-musl": "1.2.3",
      "@x/darwin-arm64": "1.2.3",
      "@x/there-win32-x64": "1.2.3",
      loose: "^1.0.0",
    },
  };
  const packages = { "node_modules/x": parent, "node_modules/@x/there-win32-x64": {} };
  expect(missingEntries({ packages })).toEqual({
    "node_modules/@x/linux-x64-musl": {
      version: "1.2.3",
      optional: true,
      os: ["linux"],
      cpu: ["x64"],
      libc: ["musl"],
    },
    "node_modules/@x/darwin-arm64": {
      version: "1.2.3",
      optional: true,
      os: ["darwin"],
      cpu: ["arm64"],
    },
  });
});
