/** Names and patterns that a user gives, as names that are in the cluster. */
import { RingfoldError } from "../base/errors.ts";
import type { Cluster } from "../sdk/client.ts";

export const isGlob = (text: string): boolean => /[*?[{]/.test(text);

/** In the order given, each once; a pattern must match something. @throws no-such-file */
export async function namesOf(cluster: Cluster, patterns: readonly string[]): Promise<string[]> {
  const names = new Set<string>();
  for (const pattern of patterns) {
    if (!isGlob(pattern)) {
      names.add(pattern);
      continue;
    }
    let found = false;
    for await (const file of cluster.allFiles(pattern)) {
      names.add(file.name);
      found = true;
    }
    if (!found) throw new RingfoldError("no-such-file", `no file matches ${pattern}`);
  }
  return [...names];
}
