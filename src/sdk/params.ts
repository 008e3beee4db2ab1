/** A job's parameters: typed values that become flags of `ringfold run`. */
import { RingfoldError } from "../base/errors.ts";

/** What a parameter can be after its parser. */
export type ParamValue = string | number | boolean;

export interface Param<T extends ParamValue> {
  readonly type: "int" | "number" | "string" | "flag";
  readonly def: T;
  readonly help: string;
}

export type ParamSpecs = Readonly<Record<string, Param<ParamValue>>>;

/** The values that a job's functions see. */
export type ParamsOf<P> = {
  readonly [N in keyof P]: P[N] extends Param<infer T> ? T : never;
};

/** Declares parameters: `params: { top: param.int(10, "how many words") }` becomes `--top 10`. */
export const param = {
  int: (def: number, help = ""): Param<number> => ({ type: "int", def, help }),
  number: (def: number, help = ""): Param<number> => ({ type: "number", def, help }),
  string: (def: string, help = ""): Param<string> => ({ type: "string", def, help }),
  flag: (help = ""): Param<boolean> => ({ type: "flag", def: false, help }),
} as const;

interface NamedParam {
  readonly name: string;
  readonly type: Param<ParamValue>["type"];
  readonly def: ParamValue;
}

/**
 * Every declared parameter with its value, given or default.
 * @param declared as {@link ParamSpecs} entries with their names, for example of a job's
 *   description
 * @param given raw texts, as of a command line
 * @throws RingfoldError `job-param` for a name that the job does not have or a text that is not of
 *   its type
 */
export function parseParams(
  declared: readonly NamedParam[],
  given: Readonly<Record<string, ParamValue>>,
): Record<string, ParamValue> {
  for (const name of Object.keys(given)) {
    if (declared.some((one) => one.name === name)) continue;
    const known = declared.map((one) => one.name).join(", ") || "none";
    throw new RingfoldError("job-param", `the job has no parameter "${name}"; it has: ${known}`);
  }
  const entries = declared.map((one): [string, ParamValue] => {
    const raw = Object.hasOwn(given, one.name) ? given[one.name] : undefined;
    return [one.name, raw === undefined ? one.def : parseParam(one, String(raw))];
  });
  return Object.fromEntries(entries);
}

function parseParam(one: NamedParam, raw: string): ParamValue {
  const refuse = (wanted: string): never => {
    const shown = JSON.stringify(raw.slice(0, 80));
    throw new RingfoldError("job-param", `parameter "${one.name}" wants ${wanted}, not ${shown}`);
  };
  if (one.type === "string") return raw;
  if (one.type === "flag") {
    if (raw === "true" || raw === "false") return raw === "true";
    return refuse("true or false");
  }
  const value = raw.trim() === "" ? Number.NaN : Number(raw);
  if (one.type === "int" && !Number.isSafeInteger(value)) return refuse("an integer");
  return Number.isFinite(value) ? value : refuse("a number");
}
