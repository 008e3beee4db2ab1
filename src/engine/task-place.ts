/** Where a task is in its input, so that a fault can name the record. */
import { RingfoldError } from "../base/errors.ts";

/** A block of a file, as a task reads it. */
export interface BlockInput {
  readonly path: string;
  /** SHA-256 in hex. */
  readonly id: string;
  readonly bytes: number;
  readonly fileName: string;
  readonly index: number;
  /** Of the block in its file, in bytes. */
  readonly offset: number;
}

export class TaskPlace {
  /** Input records so far; the current one is the last of them. */
  records = 0;
  /** Input bytes so far. */
  bytes = 0;
  file = "";
  private block: BlockInput | undefined;
  private before = 0;
  private unit = "record";
  private readonly job: string;
  private readonly stage: string;
  private showKey: (() => string) | undefined;

  constructor(job: string, stage: string) {
    this.job = job;
    this.stage = stage;
  }

  enter(block: BlockInput, unit: "line" | "word" | "record"): void {
    this.block = block;
    this.file = block.fileName;
    this.unit = unit;
    this.before = this.records;
  }

  /** The key being reduced; shown instead of the record. */
  atKey(show: (() => string) | undefined): void {
    this.showKey = show;
  }

  /** For people: `job "x", stage "main", books/a.txt, block 2 (from byte 8388608), line 17`. */
  describe(): string {
    const head = `job "${this.job}", stage "${this.stage}"`;
    if (this.showKey !== undefined) return `${head}, key ${this.showKey()}`;
    const record = `${this.unit} ${this.records - this.before}`;
    if (this.block === undefined) return `${head}, ${record}`;
    const { fileName, index, offset } = this.block;
    return `${head}, ${fileName}, block ${index} (from byte ${offset}), ${record}`;
  }

  /** A thrown value with its place. Faults of the engine itself pass as they are. */
  fault(what: string, thrown: unknown): RingfoldError {
    if (thrown instanceof RingfoldError) {
      if (thrown.code !== "job-codec") return thrown;
      const message = `${this.describe()}: ${thrown.message}`;
      return new RingfoldError("job-codec", message, { cause: thrown });
    }
    return new RingfoldError(
      "job-threw",
      `${this.describe()}: ${what} threw ${showThrown(thrown)}`,
      {
        cause: thrown,
      },
    );
  }
}

function showThrown(thrown: unknown): string {
  try {
    const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
    return text.length > 2000 ? `${text.slice(0, 2000)}…` : text;
  } catch {
    return "a value that cannot be shown";
  }
}
