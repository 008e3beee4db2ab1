/** The builtin modules that a job may import: they compute, and reach neither files, network nor processes. */
const HARMLESS = new Set([
  "node:assert",
  "node:buffer",
  "node:events",
  "node:path",
  "node:path/posix",
  "node:punycode",
  "node:querystring",
  "node:string_decoder",
  "node:url",
  "node:util",
  "node:zlib",
]);

/** @param name with its `node:` */
export const isHarmless = (name: string): boolean => HARMLESS.has(name);

export const harmlessList = (): readonly string[] => [...HARMLESS];
