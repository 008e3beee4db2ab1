/** Rows with a heading, columns lined up; numbers stand to the right. */
import { stripVTControlCharacters } from "node:util";

type Cell = string | number;

/** What another machine named must not move this one's cursor. */
export const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what is replaced
  stripVTControlCharacters(text).replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");

export function table(heading: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map((cell) => printable(String(cell))));
  const widths = heading.map((title, i) =>
    Math.max(title.length, ...texts.map((row) => row[i]?.length ?? 0)),
  );
  const right = heading.map((_, i) => rows.length > 0 && rows.every((row) => isNumeric(row[i])));
  const show = (cells: readonly string[]): string =>
    cells
      .map((cell, i) =>
        right[i] === true ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [show(heading), ...texts.map(show)].join("\n");
}

const isNumeric = (cell: Cell | undefined): boolean =>
  typeof cell === "number" ||
  (typeof cell === "string" && /^(-|[\d.]+( [kMGTP]?B| ms| s)?)$/.test(cell));
