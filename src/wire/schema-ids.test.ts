import { describe, expect, it } from "vitest";
import {
  addressSchema,
  binarySchema,
  bytesSchema,
  fileNameSchema,
  jobIdSchema,
  nodeIdSchema,
  ringIdSchema,
} from "./schema-ids.ts";

describe("schemas of ids", () => {
  it.each([
    ["node id", nodeIdSchema, "a".repeat(64), "a".repeat(63)],
    ["ring id", ringIdSchema, "0".repeat(32), "G".repeat(32)],
    ["job id", jobIdSchema, "jabcdefghij12", "abcdefghij123"],
    ["file name", fileNameSchema, "books/a.txt", "books/../a.txt"],
    ["address", addressSchema, "[::1]:7701", "127.0.0.1:0"],
    ["count of bytes", bytesSchema, 4096, -1],
    ["byte string", binarySchema(2), new Uint8Array(2), new Uint8Array(3)],
  ])("of a %s accepts what its parser accepts and nothing else", (_kind, schema, right, wrong) => {
    expect(schema.safeParse(right).success).toBe(true);
    for (const value of [wrong, undefined, null, {}, [right]]) {
      expect(schema.safeParse(value).success).toBe(false);
    }
  });
});
