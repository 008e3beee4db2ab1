/**
 * Wraps comments at 100 columns, which the formatter leaves alone. Touches only paragraphs that
 * have a longer line: the words are kept, lists and tags stay lists and tags, code and tables stay
 * as they are.
 */

export const COLUMNS = 100;

/** The text of a source file with its long comments wrapped. */
export function reflowComments(source: string): string {
  const lines = source.split("\n");
  const out: string[] = [];
  for (let i = 0; i < lines.length; ) {
    const run = commentRun(lines, i);
    if (run === undefined) out.push(lines[i++] ?? "");
    else {
      out.push(...reflowRun(run));
      i += run.lines.length;
    }
  }
  return out.join("\n");
}

interface Run {
  readonly lines: readonly string[];
  /** In front of each line: `    // ` or ` * `. */
  readonly prefix: string;
}

const WHOLE = /^(\s*)\/\*\*? (.*) \*\/$/;
const PIECE = /^(\s*)(\*(?!\/)|\/\/) ?(?! *(?:oxlint|biome|@ts)-)/;

/**
 * Lines of one comment that begin at `i`; a comment of one line is a run too, when it is too long.
 */
function commentRun(lines: readonly string[], i: number): Run | undefined {
  const first = lines[i] ?? "";
  const [, indent = "", text] = WHOLE.exec(first) ?? [];
  if (text !== undefined && first.length > COLUMNS)
    return { lines: [first], prefix: `${indent} * ` };
  const [, space, mark] = PIECE.exec(first) ?? [];
  if (space === undefined || mark === undefined) return undefined;
  let end = i;
  while (end < lines.length) {
    const [, otherSpace, otherMark] = PIECE.exec(lines[end] ?? "") ?? [];
    if (otherSpace !== space || otherMark !== mark) break;
    end++;
  }
  return { lines: lines.slice(i, end), prefix: `${space}${mark} ` };
}

function reflowRun({ lines, prefix }: Run): string[] {
  if (lines.every((line) => line.length <= COLUMNS)) return [...lines];
  const [first = ""] = lines;
  const whole = WHOLE.exec(first);
  if (whole !== null) {
    const [, indent = "", text = ""] = whole;
    return [`${indent}/**`, ...wrappedByTag([text], prefix), `${indent} */`];
  }
  const texts = lines.map((line) => line.slice(prefix.trimEnd().length).replace(/^ /, ""));
  return paragraphs(texts).flatMap(({ lines: paragraph, fixed }) => {
    const long = paragraph.some((text) => prefix.length + text.length > COLUMNS);
    const same = paragraph.map((text) => (prefix + text).trimEnd());
    return long && !fixed ? wrappedByTag(paragraph, prefix) : same;
  });
}

/** `R1  `, `R1: `, `- `, `* `, `1. `, `@param `: what begins an entry of its own. */
const ENTRY = /^\s*(?:[A-Z]\d{1,2}[:.]?\s+|[-*•]\s+|\d+\.\s+|@\w+\s?)/;
/** Code, a table, or nothing: stays as it is. */
const FIXED = /^\s*$|^ {4}|^\s*\||^\s*```/;

/** Tags that stood behind each other on one line get lines of their own. */
function wrappedByTag(paragraph: readonly string[], prefix: string): string[] {
  const pieces = paragraph.join("\n").split(/(?<=\S)[ \n]\s*(?=@(?:param|returns|throws)\s)/);
  return pieces.flatMap((piece) => wrapped(piece.split("\n"), prefix));
}

interface Paragraph {
  readonly lines: string[];
  readonly fixed: boolean;
}

/**
 * Lines that belong together: a new paragraph begins at an entry, and at and after a fixed line.
 */
function paragraphs(texts: readonly string[]): Paragraph[] {
  const found: Paragraph[] = [];
  let example = false;
  for (const text of texts) {
    const entry = ENTRY.test(text);
    if (entry) example = text.trimStart().startsWith("@example");
    const last = found.at(-1);
    const hangs = last !== undefined && ENTRY.test(last.lines[0] ?? "") && /^\s*[^\s|`]/.test(text);
    const fixed = example || (FIXED.test(text) && !hangs);
    if (last === undefined || last.fixed || fixed || entry) found.push({ lines: [text], fixed });
    else last.lines.push(text);
  }
  return found;
}

function wrapped(paragraph: readonly string[], prefix: string): string[] {
  const [first = "", second] = paragraph;
  const entry = ENTRY.exec(first)?.[0] ?? "";
  const start = /^\s*/.exec(first)?.[0] ?? "";
  const hang = second === undefined ? hangOf(entry, start) : (/^\s*/.exec(second)?.[0] ?? "");
  const head = entry === "" ? start : entry;
  const rest = [first.slice(head.length), ...paragraph.slice(1)].join(" ");
  const lines: string[] = [];
  let line = prefix + head;
  let empty = true;
  for (const word of wordsOf(rest)) {
    if (!empty && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = prefix + hang + word;
      continue;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line];
}

/** Text goes on below the text of an entry; below a tag it goes on two columns in. */
function hangOf(entry: string, start: string): string {
  if (entry.trimStart().startsWith("@")) return `${start}  `;
  return entry === "" ? start : " ".repeat(entry.length);
}

/** `{@link name}` and a piece of code are one word each. */
const wordsOf = (text: string): string[] => text.match(/(?:\{@link [^}]*\}|`[^`]*`|\S)+/g) ?? [];
