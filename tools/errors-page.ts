/** `docs/errors.md` as text: one line for each code of `src/base/errors.ts`. */
import { ERRORS } from "../src/base/errors.ts";

const EXITS = { 1: "failed", 2: "wrong use", 3: "not reachable", 4: "refused" } as const;

const HEAD = `# Errors

Every message of Ringfold ends with its code. This page is made from \`src/base/errors.ts\` by
\`npm run write-errors\`; a test fails when it is stale.

\`ringfold\` exits with 0 when done, 1 failed, 2 wrong use, 3 not reachable, 4 refused. "Again" says whether the same call
can succeed without a change: never, later, or elsewhere (on another node, where the cluster tries by itself).

| code | exit | again | what you can do |
|---|---|---|---|
`;

export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { exit, retry, fix }]) =>
      `| \`${code}\` | ${exit} ${EXITS[exit]} | ${retry} | ${fix.replaceAll("|", "\\|")} |`,
  );
  return `${HEAD}${rows.join("\n")}\n`;
}
