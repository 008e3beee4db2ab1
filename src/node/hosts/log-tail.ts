/** The end of a text that may be endless. */

export class LogTail {
  private readonly limit: number;
  private parts: string[] = [];
  private size = 0;
  private dropped = 0;

  /** @param limit characters kept */
  constructor(limit: number) {
    this.limit = limit;
  }

  push(text: string): void {
    this.parts.push(text);
    this.size += text.length;
    if (this.size <= this.limit * 2) return;
    const kept = this.parts.join("").slice(-this.limit);
    this.dropped += this.size - kept.length;
    this.parts = [kept];
    this.size = kept.length;
  }

  toString(): string {
    const all = this.parts.join("");
    const kept = all.slice(-this.limit);
    const dropped = this.dropped + all.length - kept.length;
    return dropped === 0 ? kept : `[${dropped} characters before this were dropped]\n${kept}`;
  }

  clear(): void {
    this.parts = [];
    this.size = 0;
    this.dropped = 0;
  }
}
