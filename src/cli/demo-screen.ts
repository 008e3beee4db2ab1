/**
 * What the demo shows. On a screen: steps with their times, and under them a few lines that are
 * drawn over while something runs. Elsewhere the same facts as plain lines, each printed once; for
 * programs the steps as JSON.
 */
import type { Writable } from "node:stream";
import { styleText } from "node:util";
import type { Millis } from "../base/ids.ts";
import { showMillis } from "./quantity.ts";
import { printable } from "./table.ts";
import type { Terminal } from "./terminal.ts";

type Style = "bold" | "dim" | "green" | "red" | "cyan" | "yellow";

/** Steps do not run wider than this, so that the eye finds the times. */
const MAX_WIDTH = 92;
const DRAW_MS: Millis = 50;
const UP = "\u001b[A";
const CLEAR_BELOW = "\r\u001b[J";
const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";

export interface LiveLine {
  readonly text: string;
  readonly style?: Style;
}

export class DemoScreen {
  readonly live: boolean;
  private readonly out: Writable & { readonly isTTY?: boolean };
  private readonly json: boolean;
  private readonly colour: boolean;
  private readonly width: number;
  private drawn = 0;
  private drawnAt = 0;

  constructor(terminal: Terminal, json: boolean) {
    this.out = terminal.out;
    this.json = json;
    this.live = !json && this.out.isTTY === true && terminal.env["TERM"] !== "dumb";
    this.colour = this.live && !terminal.env["NO_COLOR"];
    this.width = Math.min(MAX_WIDTH, terminal.columns - 2);
  }

  title(text: string, below: string): void {
    this.print(`\n  ${this.paint(text, "bold")}\n  ${this.paint(below, "dim")}\n`);
  }

  heading(text: string): void {
    this.print(`\n  ${this.paint(text, "bold")}`);
  }

  /** Something that is done and took so long. */
  step(text: string, took?: Millis): void {
    if (this.json) this.event("step", { text, ms: Math.round(took ?? 0) });
    const time = took === undefined ? "" : showMillis(took);
    const gap = " ".repeat(Math.max(1, this.width - 4 - text.length - time.length));
    const end = time === "" ? "" : gap + this.paint(time, "dim");
    this.print(`  ${this.paint("✓", "green")} ${text}${end}`);
  }

  /** Something that went wrong: on purpose, or not. */
  crash(text: string): void {
    if (this.json) this.event("crash", { text });
    this.print(`  ${this.paint("✗", "red")} ${text}`);
  }

  note(text: string): void {
    this.print(`    ${this.paint(text, "dim")}`);
  }

  /** Rows of a name, a figure and a bar of its share. */
  bars(rows: readonly (readonly [string, number])[]): void {
    const most = Math.max(1, ...rows.map(([, n]) => n));
    const names = Math.max(...rows.map(([name]) => name.length));
    const room = Math.max(10, Math.min(40, this.width - names - 16));
    for (const [name, n] of rows) {
      const bar = "▇".repeat(Math.max(1, Math.round((n / most) * room)));
      const figure = grouped(n).padStart(9);
      this.print(`    ${printable(name).padEnd(names)} ${figure}  ${this.paint(bar, "cyan")}`);
    }
  }

  /** Draws these over the ones drawn before; nothing where there is no screen. */
  draw(lines: () => readonly LiveLine[]): void {
    const now = performance.now();
    if (!this.live || now - this.drawnAt < DRAW_MS) return;
    this.drawnAt = now;
    const rows = lines().map(({ text, style }) => {
      const cut = printable(text).slice(0, this.width);
      return `  ${style === undefined ? cut : this.paint(cut, style)}\n`;
    });
    this.out.write(`${HIDE_CURSOR}${this.eraser()}${rows.join("")}`);
    this.drawn = rows.length;
  }

  /** Leaves the screen as a shell wants it. */
  clear(): void {
    if (this.drawn === 0) return;
    this.out.write(this.eraser() + SHOW_CURSOR);
    this.drawn = 0;
    this.drawnAt = 0;
  }

  print(text: string): void {
    if (this.json) return;
    this.clear();
    this.out.write(`${text}\n`);
  }

  paint(text: string, style: Style): string {
    return this.colour ? styleText(style, text, { validateStream: false }) : text;
  }

  private event(event: string, facts: Readonly<Record<string, unknown>>): void {
    this.out.write(`${JSON.stringify({ event, ...facts })}\n`);
  }

  private eraser(): string {
    return this.drawn === 0 ? "" : UP.repeat(this.drawn) + CLEAR_BELOW;
  }
}

/** `━━━━━━━━╌╌╌╌`: so many cells, filled up to the share. */
export function bar(share: number, cells: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * cells);
  return "━".repeat(full) + "╌".repeat(cells - full);
}

/** `1 234 567`. */
export const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, " ");
