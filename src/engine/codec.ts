/**
 * Codecs: values to bytes and back, from the descriptions that a job gives (`src/sdk/codecs.ts`).
 *
 * C1: bytes of an ordered codec sort as its values do (strings by code point). Tested.
 * C2: what a codec accepts it gives back equal (-0 as 0, lone surrogates as U+FFFD). Tested.
 * C3: what it does not accept throws `job-codec` and names the codec and the value. Tested.
 * C4: nested bytes (inside tuples and desc) end by themselves: fixed width, or escaped (00 as 00
 *     FF) and ended by 00 00.
 */
import { RingfoldError } from "../base/errors.ts";
import { ByteArena } from "./byte-arena.ts";

/** A codec as a job describes it. */
export interface CodecSpec {
  readonly kind: "string" | "u32" | "i64" | "f64" | "bytes" | "desc" | "tuple" | "json";
  readonly parts?: readonly CodecSpec[];
  readonly size?: number;
  readonly ordered?: true;
}

/** Where a nested value is read: `at` moves behind it. */
interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

export interface ByteCodec {
  /** For messages: `t.tuple(t.string, t.u32)`. */
  readonly name: string;
  readonly kind: CodecSpec["kind"];
  /** Bytes of every value, or 0 when they differ in length. */
  readonly width: number;
  readonly ordered: boolean;
  /** Appends the value's bytes. @throws RingfoldError `job-codec` */
  write(value: unknown, to: ByteArena): void;
  /** The value in exactly these bytes; shares no memory with them. */
  read(bytes: Uint8Array, from: number, to: number): unknown;
  /** The value as text of an output line. */
  text(value: unknown): string;
  /** As {@link write} and {@link read}, but the bytes end by themselves (C4). */
  writeNested(value: unknown, to: ByteArena): void;
  readNested(cursor: Cursor): unknown;
}

/** @throws RingfoldError `job-codec` */
export function refuse(codec: string, value: unknown): never {
  throw new RingfoldError("job-codec", `${codec} does not accept ${showValue(value)}`);
}

/** A value as one short line of a message. */
export function showValue(value: unknown): string {
  if (typeof value === "number" || typeof value === "undefined") return String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    text = undefined;
  }
  text ??= Object.prototype.toString.call(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** The codec of a description. */
export function byteCodec(spec: CodecSpec): ByteCodec {
  switch (spec.kind) {
    case "string":
      return escaped(stringCodec);
    case "u32":
      return fixed(u32Codec);
    case "i64":
      return fixed(i64Codec);
    case "f64":
      return fixed(f64Codec);
    case "bytes":
      return spec.size === undefined ? escaped(bytesCodec) : fixed(fixedBytesCodec(spec.size));
    case "json":
      return escaped(jsonCodec);
    case "desc":
      return descCodec(spec);
    case "tuple":
      return tupleCodec(spec);
    default:
      return spec.kind satisfies never;
  }
}

type Plain = Omit<ByteCodec, "writeNested" | "readNested">;

const textOf = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString("utf8");

const stringCodec: Plain = {
  name: "t.string",
  kind: "string",
  width: 0,
  ordered: true,
  write(value, to) {
    if (typeof value !== "string") refuse("t.string", value);
    to.pushText(value);
  },
  read: textOf,
  text: String,
};

const jsonCodec: Plain = {
  name: "t.json()",
  kind: "json",
  width: 0,
  ordered: false,
  write: (value, to) => to.pushText(jsonText(value)),
  read: (bytes, from, to) => JSON.parse(textOf(bytes, from, to)) as unknown,
  text: jsonText,
};

function jsonText(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    text = undefined;
  }
  return text ?? refuse("t.json()", value);
}

const bytesCodec: Plain = {
  name: "t.bytes()",
  kind: "bytes",
  width: 0,
  ordered: true,
  write(value, to) {
    if (!(value instanceof Uint8Array)) refuse("t.bytes()", value);
    to.pushBytes(value);
  },
  read: (bytes, from, to) => bytes.slice(from, to),
  text: (value) => Buffer.from(value as Uint8Array).toString("hex"),
};

function fixedBytesCodec(size: number): Plain {
  const name = `t.bytes(${size})`;
  const write = (value: unknown, to: ByteArena): void => {
    if (!(value instanceof Uint8Array) || value.length !== size) refuse(name, value);
    to.pushBytes(value);
  };
  return { ...bytesCodec, name, width: size, write };
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const u32Codec: Plain = {
  name: "t.u32",
  kind: "u32",
  width: 4,
  ordered: true,
  write(value, to) {
    if (typeof value !== "number" || value >>> 0 !== value) refuse("t.u32", value);
    to.reserve(4);
    to.view.setUint32(to.length, value);
    to.length += 4;
  },
  read: (bytes, from) =>
    (((bytes[from] as number) << 24) |
      ((bytes[from + 1] as number) << 16) |
      ((bytes[from + 2] as number) << 8) |
      (bytes[from + 3] as number)) >>>
    0,
  text: String,
};

const TWO_32 = 4_294_967_296;

const i64Codec: Plain = {
  name: "t.i64",
  kind: "i64",
  width: 8,
  ordered: true,
  write(value, to) {
    if (!Number.isSafeInteger(value)) refuse("t.i64", value);
    const high = Math.floor((value as number) / TWO_32);
    to.reserve(8);
    to.view.setUint32(to.length, (high ^ 0x80000000) >>> 0);
    to.view.setUint32(to.length + 4, (value as number) - high * TWO_32);
    to.length += 8;
  },
  read(bytes, from) {
    const view = viewOf(bytes);
    return (view.getUint32(from) ^ 0x80000000) * TWO_32 + view.getUint32(from + 4);
  },
  text: String,
};

const f64Codec: Plain = {
  name: "t.f64",
  kind: "f64",
  width: 8,
  ordered: true,
  write(value, to) {
    if (typeof value !== "number" || Number.isNaN(value)) refuse("t.f64", value);
    to.reserve(8);
    to.view.setFloat64(to.length, value + 0);
    flipDouble(to.view, to.length, to.view.getUint32(to.length) >>> 31 === 1);
    to.length += 8;
  },
  read(bytes, from) {
    const copy = viewOf(bytes.slice(from, from + 8));
    flipDouble(copy, 0, copy.getUint32(0) >>> 31 === 0);
    return copy.getFloat64(0);
  },
  text: String,
};

/**
 * IEEE 754 sorts as bytes once the sign bit is flipped, and all the others too for a negative
 * number.
 */
function flipDouble(view: DataView, at: number, negative: boolean): void {
  view.setUint32(at, view.getUint32(at) ^ (negative ? 0xffffffff : 0x80000000));
  if (negative) view.setUint32(at + 4, view.getUint32(at + 4) ^ 0xffffffff);
}

/** A codec of one width ends by itself. */
function fixed(plain: Plain): ByteCodec {
  return {
    ...plain,
    writeNested: plain.write,
    readNested(cursor) {
      const from = cursor.at;
      cursor.at += plain.width;
      return plain.read(cursor.bytes, from, cursor.at);
    },
  };
}

/** A codec of any length: escaped and ended when nested (C4). Escaping keeps the order (C1). */
function escaped(plain: Plain): ByteCodec {
  const whole = new ByteArena(64);
  return {
    ...plain,
    writeNested(value, to) {
      whole.length = 0;
      plain.write(value, whole);
      to.reserve(whole.length * 2 + 2);
      for (let i = 0; i < whole.length; i++) {
        const byte = whole.bytes[i] as number;
        to.bytes[to.length++] = byte;
        if (byte === 0) to.bytes[to.length++] = 0xff;
      }
      to.bytes[to.length++] = 0;
      to.bytes[to.length++] = 0;
    },
    readNested(cursor) {
      const { bytes } = cursor;
      whole.length = 0;
      whole.reserve(bytes.length - cursor.at);
      for (;;) {
        if (cursor.at >= bytes.length) {
          throw new RingfoldError("segment-lost", "a nested value has no end");
        }
        const byte = bytes[cursor.at++] as number;
        if (byte === 0 && bytes[cursor.at++] !== 0xff) break;
        whole.bytes[whole.length++] = byte;
      }
      return plain.read(whole.bytes, 0, whole.length);
    },
  };
}

function partsOf(spec: CodecSpec): ByteCodec[] {
  return (spec.parts ?? []).map(byteCodec);
}

function tupleCodec(spec: CodecSpec): ByteCodec {
  const parts = partsOf(spec);
  const name = `t.tuple(${parts.map((part) => part.name).join(", ")})`;
  const write = (value: unknown, to: ByteArena): void => {
    if (!Array.isArray(value) || value.length !== parts.length) refuse(name, value);
    const list: readonly unknown[] = value;
    parts.forEach((part, i) => {
      part.writeNested(list[i], to);
    });
  };
  const readNested = (cursor: Cursor): unknown => parts.map((part) => part.readNested(cursor));
  const fixedWidth = parts.every((part) => part.width > 0);
  return {
    name,
    kind: "tuple",
    width: fixedWidth ? parts.reduce((sum, part) => sum + part.width, 0) : 0,
    ordered: parts.every((part) => part.ordered),
    write,
    read: (bytes, from) => readNested({ bytes, at: from }),
    text: (value) => parts.map((part, i) => part.text((value as readonly unknown[])[i])).join(" "),
    writeNested: write,
    readNested,
  };
}

function descCodec(spec: CodecSpec): ByteCodec {
  const inner = partsOf(spec)[0] ?? refuse("t.desc", spec.parts);
  const write = (value: unknown, to: ByteArena): void => {
    const from = to.length;
    inner.writeNested(value, to);
    for (let i = from; i < to.length; i++) to.bytes[i] = ~(to.bytes[i] as number);
  };
  const readNested = (cursor: Cursor): unknown => {
    const flipped = { bytes: cursor.bytes.slice(cursor.at), at: 0 };
    for (let i = 0; i < flipped.bytes.length; i++) {
      flipped.bytes[i] = ~(flipped.bytes[i] as number);
    }
    const value = inner.readNested(flipped);
    cursor.at += flipped.at;
    return value;
  };
  return {
    name: `t.desc(${inner.name})`,
    kind: "desc",
    width: inner.width,
    ordered: true,
    write,
    read: (bytes, from, to) => readNested({ bytes: bytes.subarray(0, to), at: from }),
    text: (value) => inner.text(value),
    writeNested: write,
    readNested,
  };
}
