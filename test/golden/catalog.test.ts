import { describe, expect, it } from "vitest";
import type { CommandType } from "../../src/catalog/commands.ts";
import type { TableName } from "../../src/catalog/records.ts";
import { commandBytes, commandSchema } from "../../src/wire/catalog.ts";
import {
  decodeCommand,
  decodeRecord,
  encodeCommand,
  encodeRecord,
} from "../../src/wire/catalog-bytes.ts";
import golden from "./catalog-bytes.json" with { type: "json" };
import { commands, records } from "./catalog-samples.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const known: Record<string, Record<string, string>> = golden;

describe("the catalog's bytes (W11)", () => {
  it.each(Object.keys(commands) as CommandType[])("command %s keeps its bytes", (type) => {
    const bytes = known["commands"]?.[type] ?? "none recorded";
    expect(hex(encodeCommand(commands[type]))).toBe(bytes);
    expect(hex(commandBytes(commands[type]))).toBe(bytes);
    const decoded = decodeCommand(Buffer.from(bytes, "hex"));
    expect(decoded).toEqual(commands[type]);
    expect(commandSchema.parse(decoded)).toEqual(commands[type]);
  });

  it.each(Object.keys(records) as TableName[])("record %s keeps its bytes", (table) => {
    const bytes = known["records"]?.[table] ?? "none recorded";
    expect(hex(encodeRecord(table, records[table]))).toBe(bytes);
    expect(decodeRecord(table, Buffer.from(bytes, "hex"))).toEqual(records[table]);
  });

  it("records nothing that is no longer written", () => {
    expect(Object.keys(known["commands"] ?? {})).toEqual(Object.keys(commands));
    expect(Object.keys(known["records"] ?? {})).toEqual(Object.keys(records));
  });
});
