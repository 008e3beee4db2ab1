/**
 * Output records as lines of text. Default: a pair is `key value`, a string is itself, anything
 * else as its codec writes it (numbers in decimal, bytes in hex, JSON on one line).
 */
import { RingfoldError } from "../base/errors.ts";
import { ByteArena } from "./byte-arena.ts";
import { type ByteCodec, showValue } from "./codec.ts";
import { FileWriter } from "./file-writer.ts";
import type { StagePlan } from "./plan.ts";

const PIECE = 1 << 16;

export class TextOutput {
  records = 0;
  private readonly file: FileWriter;
  private readonly line: (row: unknown) => string;
  private text = "";

  /** @param readable a `result` will read the lines back: strings must be without line ends */
  constructor(path: string, plan: StagePlan, readable: boolean) {
    this.file = new FileWriter(path);
    const format = lineFormat(plan);
    this.line = readable ? (row) => oneLine(format(row)) : format;
  }

  /** @throws RingfoldError `job-codec` for a record that the codec does not accept */
  write(row: unknown): void {
    this.records++;
    this.text += this.line(row);
    this.text += "\n";
    if (this.text.length >= PIECE) this.flush();
  }

  /** Bytes written in all. */
  close(): number {
    this.flush();
    this.file.close();
    return this.file.offset;
  }

  private flush(): void {
    this.file.write(Buffer.from(this.text, "utf8"));
    this.text = "";
  }
}

function oneLine(line: string): string {
  if (!line.includes("\n")) return line;
  throw new RingfoldError(
    "job-codec",
    `a job with a result writes one line a record, not ${showValue(line)}`,
  );
}

function lineFormat(plan: StagePlan): (row: unknown) => string {
  const { format, out, key, value } = plan;
  const check = new ByteArena(256);
  const checked = (codec: ByteCodec, field: unknown): string => {
    check.length = 0;
    codec.write(field, check);
    return codec.text(field);
  };
  const pair = (row: unknown): readonly unknown[] => {
    if (Array.isArray(row) && row.length === 2) return row;
    throw new RingfoldError("job-codec", `reduce must emit [key, value], not ${showValue(row)}`);
  };
  const text = (row: unknown): string => {
    if (out !== undefined) return checked(out, row);
    const [k, v] = pair(row);
    return `${checked(key as ByteCodec, k)} ${checked(value as ByteCodec, v)}`;
  };
  if (format === undefined) return text;
  return (row) => {
    text(row);
    const line = format(row);
    if (typeof line === "string") return line;
    throw new RingfoldError("job-codec", `format must return a string, not ${showValue(line)}`);
  };
}

/**
 * Reads one line back as the record that it was: for `result`.
 * @throws RingfoldError `job-codec`
 */
export function rowReader(plan: StagePlan): (line: string) => unknown {
  const { out, key, value } = plan;
  if (out !== undefined) return (line) => parseField(out, line);
  return (line) => {
    const space = line.lastIndexOf(" ");
    const k = parseField(key as ByteCodec, line.slice(0, space));
    return [k, parseField(value as ByteCodec, line.slice(space + 1))];
  };
}

function parseField(codec: ByteCodec, text: string): unknown {
  if (codec.kind === "string") return text;
  if (codec.kind !== "json") return Number(text);
  try {
    return JSON.parse(text);
  } catch {
    throw new RingfoldError("job-codec", `an output line is not JSON: ${showValue(text)}`);
  }
}
