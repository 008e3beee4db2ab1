/**
 * The bytes of the catalog's commands and records: a version marker, then deterministic CBOR. No
 * schema here: commands are checked before they are encoded (wire/catalog.ts), records are made by
 * the state machine out of such commands, and a checksum stands beside both on the disk. It keeps
 * the schemas out of the catalog's thread: 8 MB and nearly half of its time.
 *
 * W10 Bytes begin with the version of their format; an unknown one is refused by its number.
 *     Tested.
 * W11 What was released keeps its bytes, or gets a migration. Golden tests.
 */
import { RingfoldError } from "../base/errors.ts";
import type { Bytes } from "../base/ids.ts";
import type { Command } from "../catalog/commands.ts";
import type { CatalogTables, TableName } from "../catalog/records.ts";
import { decode, encode } from "./cbor.ts";

/** The version of the format of commands and records. */
export const CATALOG_FORMAT = 1;

/** Largest command and largest record. */
export const MAX_CATALOG_BYTES: Bytes = 8 * 1024 * 1024;

export const encodeCommand = (command: Command): Uint8Array => marked(command);

/**
 * A command out of bytes that {@link encodeCommand} made of a checked one.
 * @throws RingfoldError `protocol` for what is no such bytes, or nested too deep
 */
export const decodeCommand = (bytes: Uint8Array): Command => unmarked(bytes, "command") as Command;

export const encodeRecord = <T extends TableName>(
  _table: T,
  record: CatalogTables[T],
): Uint8Array => marked(record);

/**
 * A record out of bytes that {@link encodeRecord} made for the same table.
 * @throws RingfoldError `protocol`
 */
export const decodeRecord = <T extends TableName>(table: T, bytes: Uint8Array): CatalogTables[T] =>
  unmarked(bytes, `${table} record`) as CatalogTables[T];

function marked(value: unknown): Uint8Array {
  const body = encode(value);
  const bytes = new Uint8Array(body.length + 1);
  bytes[0] = CATALOG_FORMAT;
  bytes.set(body, 1);
  return bytes;
}

function unmarked(bytes: Uint8Array, what: string): unknown {
  if (bytes[0] !== CATALOG_FORMAT) {
    const version = bytes[0] ?? "nothing";
    throw new RingfoldError("protocol", `${what}: format ${version}, not ${CATALOG_FORMAT}`);
  }
  return decode(bytes.subarray(1), what, { maxBytes: MAX_CATALOG_BYTES });
}
