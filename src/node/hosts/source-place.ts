/** Finds the line of the job's file in a stack trace that names lines of the bundle. Runs in the child, only on faults. */
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";

const INLINE_MAP = "//# sourceMappingURL=data:application/json;base64,";

/**
 * `job.ts:12:5` of the innermost frame that is in the job's own files, or undefined.
 * @param url of the bundle
 */
export function sourcePlace(stack: string, url: string, path: string): string | undefined {
  const frames = stack.split("\n").flatMap((line) => {
    const at = line.indexOf(url);
    const found = at === -1 ? null : /^:(\d+):(\d+)/.exec(line.slice(at + url.length));
    return found === null ? [] : [{ line: Number(found[1]), column: Number(found[2]) }];
  });
  if (frames.length === 0) return undefined;
  const map = inlineMap(path);
  const places = frames.map((frame) => map?.findEntry(frame.line - 1, frame.column - 1));
  for (const place of places) {
    if (place === undefined || !("originalSource" in place)) continue;
    const { originalSource, originalLine, originalColumn } = place;
    if (originalSource.includes("sdk/") || originalSource.includes("base/")) continue;
    return `${originalSource}:${originalLine + 1}:${originalColumn + 1}`;
  }
  return undefined;
}

function inlineMap(path: string): SourceMap | undefined {
  try {
    const text = readFileSync(path, "utf8");
    const at = text.lastIndexOf(INLINE_MAP);
    if (at === -1) return undefined;
    const json = Buffer.from(text.slice(at + INLINE_MAP.length).trim(), "base64").toString("utf8");
    return new SourceMap(JSON.parse(json));
  } catch {
    return undefined;
  }
}
