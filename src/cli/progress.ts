/**
 * Progress on standard error: nothing for what is over within a second; then one line drawn over on
 * a screen, and plain lines now and then elsewhere.
 */
import type { Bytes, Millis } from "../base/ids.ts";
import { showBytes, showMillis } from "./quantity.ts";
import type { Terminal } from "./terminal.ts";

const QUIET_MS = 1000;
const SCREEN_MS = 100;
const PLAIN_MS = 5000;

export type Clock = () => Millis;
const monotonic: Clock = () => performance.now();

/** Shows the text that `describe` gives, as often as makes sense. */
export class ProgressLine {
  private readonly terminal: Terminal;
  private readonly now: Clock;
  private readonly started: Millis;
  private shown: Millis;
  private drawn = false;
  private held = false;

  constructor(terminal: Terminal, now: Clock = monotonic) {
    this.terminal = terminal;
    this.now = now;
    this.started = now();
    this.shown = this.started + QUIET_MS - this.interval();
  }

  get elapsed(): Millis {
    return this.now() - this.started;
  }

  update(describe: () => string): void {
    const now = this.now();
    if (this.held || now - this.started < QUIET_MS || now - this.shown < this.interval()) return;
    this.shown = now;
    const text = describe();
    if (!this.terminal.screen) {
      this.terminal.err.write(`${text}\n`);
      return;
    }
    this.terminal.err.write(`\r\u001b[K${text.slice(0, Math.max(20, this.terminal.columns - 1))}`);
    this.drawn = true;
  }

  /** A clean line, kept clean: a question stands there. Until {@link resume}. */
  hold(): void {
    this.clear();
    this.held = true;
  }

  resume(): void {
    this.held = false;
  }

  /** Leaves a clean line behind. */
  clear(): void {
    if (this.drawn) this.terminal.err.write("\r\u001b[K");
    this.drawn = false;
  }

  private interval(): Millis {
    return this.terminal.screen ? SCREEN_MS : PLAIN_MS;
  }
}

/** Bytes of a known total: rate, share, time left. */
export class ByteProgress {
  private readonly line: ProgressLine;
  private readonly verb: string;
  private readonly total: Bytes;
  private done: Bytes = 0;

  constructor(terminal: Terminal, verb: string, total: Bytes, now: Clock = monotonic) {
    this.line = new ProgressLine(terminal, now);
    this.verb = verb;
    this.total = total;
  }

  add(bytes: Bytes): void {
    this.done += bytes;
    this.line.update(() => `${this.verb} ${shareText(this.done, this.total, this.line.elapsed)}`);
  }

  clear(): void {
    this.line.clear();
  }
}

/** `42 % [########············] 123 MB/s, 3.2 s left`. */
export function shareText(done: Bytes, total: Bytes, elapsed: Millis): string {
  const rate = elapsed > 0 ? (done / elapsed) * 1000 : 0;
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const cells = Math.round(share * 20);
  const bar = `[${"#".repeat(cells)}${"·".repeat(20 - cells)}]`;
  const left =
    rate > 0 && total > done ? `, ${showMillis(((total - done) / rate) * 1000)} left` : "";
  return `${Math.floor(share * 100)} % ${bar} ${showBytes(rate)}/s${left}`;
}
