/**
 * Patterns over file names: `*` any run within a segment, `?` one character within a segment, `**`
 * any run also across segments; `**` and a slash at the start of a segment stands for any number of
 * folders, none included. All other characters stand for themselves, brackets too, so that every
 * name can be asked for.
 *
 * G1  Matching takes no more than (length of name)² × (length of pattern) steps: no pattern hangs
 *     the catalog. By the two places to go back to (Kirk Krauss's wildcard match, with a second
 *     star). Tested against a naive matcher.
 */
import { RingfoldError } from "../base/errors.ts";
import { MAX_NAME_BYTES } from "../base/ids.ts";

/**
 * A run within a segment, any run, any number of folders, one character; else the character itself.
 */
type Token = "*" | "**" | "**/" | "?" | { readonly is: string };

export interface Glob {
  /** What every name that matches begins with. */
  readonly prefix: string;
  matches(name: string): boolean;
}

/**
 * Parses a pattern.
 * @throws RingfoldError `bad-glob`
 */
export function parseGlob(pattern: string): Glob {
  const reason = globFault(pattern);
  if (reason !== undefined) {
    throw new RingfoldError("bad-glob", `"${pattern.slice(0, 80)}" is not a pattern: ${reason}`);
  }
  const tokens = tokensOf(pattern);
  const prefix = pattern.slice(0, pattern.search(/[*?]|$/));
  return {
    prefix,
    matches: (name) => name.startsWith(prefix) && matches(tokens, Array.from(name)),
  };
}

function globFault(pattern: string): string | undefined {
  if (pattern === "") return "it is empty";
  if (Buffer.byteLength(pattern) > MAX_NAME_BYTES)
    return `it is longer than ${MAX_NAME_BYTES} bytes`;
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what is refused
  if (/[\u0000-\u001f\u007f\\]/.test(pattern)) return "it has a control character or a backslash";
  if (!pattern.isWellFormed()) return "it is not well-formed Unicode";
  if (/\*{3}/.test(pattern)) return "it has three stars in a row";
  for (const segment of pattern.split("/")) {
    if (segment === "") return "it has an empty segment (no leading, trailing or double slash)";
    if (segment === "." || segment === "..") return `it has the segment "${segment}"`;
  }
  return undefined;
}

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (const part of pattern.match(/(?:(?<=^|\/)\*\*\/)|\*\*|[^]/gu) ?? []) {
    const wild = part === "*" || part === "**" || part === "**/" || part === "?";
    tokens.push(wild ? part : { is: part });
  }
  return tokens;
}

/**
 * Where to go on from when what followed a star did not fit: the token after it, and the next
 * character to give it.
 */
interface Retry {
  readonly token: number;
  readonly char: number;
}

function matches(tokens: readonly Token[], name: readonly string[]): boolean {
  let token = 0;
  let char = 0;
  let star: Retry | undefined;
  let far: Retry | undefined;
  while (token < tokens.length || char < name.length) {
    const wanted = tokens[token];
    if (wanted === "**" || wanted === "**/") {
      far = { token, char };
      star = undefined;
      token++;
    } else if (wanted === "*") {
      star = { token, char };
      token++;
    } else if (char < name.length && fits(wanted, name[char])) {
      token++;
      char++;
    } else if (star !== undefined && star.char < name.length && name[star.char] !== "/") {
      star = { token: star.token, char: star.char + 1 };
      token = star.token + 1;
      char = star.char;
    } else if (far !== undefined && (far = widened(tokens, name, far)) !== undefined) {
      star = undefined;
      token = far.token + 1;
      char = far.char;
    } else {
      return false;
    }
  }
  return true;
}

const fits = (wanted: Token | undefined, char: string | undefined): boolean =>
  wanted === "?" ? char !== "/" : typeof wanted === "object" && wanted.is === char;

/** The far star, one character longer, or up to past the next slash where it stands for folders. */
function widened(
  tokens: readonly Token[],
  name: readonly string[],
  { token, char }: Retry,
): Retry | undefined {
  const next = tokens[token] === "**/" ? name.indexOf("/", char) + 1 : char + 1;
  return next === 0 || next > name.length ? undefined : { token, char: next };
}
