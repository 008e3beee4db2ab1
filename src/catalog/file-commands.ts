/**
 * The commands about files: a name, its versions, and compare-and-set between writers.
 *
 * C20 A version number of a name is never given out twice, also across a removal (for
 *     {@link GONE_KEPT_MS}). Tested.
 * C21 A write that expects a version succeeds only if that version is the current one. Tested.
 * C22 `filesVersion` grows with each command that changed a name, and only then. Tested.
 */
import { present } from "../base/errors.ts";
import type { FileName, Millis } from "../base/ids.ts";
import type { FileContent } from "./commands.ts";
import { done, filesChanged, type Handlers, type LogPlace, refuse } from "./handler.ts";
import { type FileVersion, GONE_KEPT_MS, KEPT_VERSIONS, orderKey } from "./records.ts";
import type { CatalogStore } from "./store.ts";

export const fileHandlers: Handlers<"file-put" | "file-remove"> = {
  "file-put": (store, { name, expected, content }, at) => {
    const conflict = versionConflict(store, name, expected);
    if (conflict !== undefined) return conflict;
    const file = addVersion(store, name, content, at);
    filesChanged(store);
    return done({ file });
  },

  "file-remove": (store, { name, expected }, at) => {
    const current = store.get("file", name)?.versions[0].version;
    if (current === undefined)
      return refuse("no-such-file", `there is no file "${name}" in the cluster`);
    const conflict = versionConflict(store, name, expected);
    if (conflict !== undefined) return conflict;
    store.delete("file", name);
    store.put("gone", name, { version: current, at: at.now, index: at.index });
    store.put("gone-order", orderKey(at.index), { name });
    forgetGone(store, at.now);
    filesChanged(store);
    return done({ version: current });
  },
};

function versionConflict(store: CatalogStore, name: FileName, expected: number | undefined) {
  if (expected === undefined) return undefined;
  const current = store.get("file", name)?.versions[0].version ?? 0;
  if (current === expected) return undefined;
  const found = current === 0 ? "there is no such file" : `it is at version ${current}`;
  return refuse("version-conflict", `"${name}": version ${expected} was expected, ${found}`);
}

/** Registers a version as the current one. */
export function addVersion(
  store: CatalogStore,
  name: FileName,
  content: FileContent,
  { now }: LogPlace,
): FileVersion {
  const older = store.get("file", name)?.versions ?? [];
  const gone = older.length === 0 ? store.get("gone", name) : undefined;
  const last = older[0]?.version ?? gone?.version ?? 0;
  const { manifest, manifestBytes, bytes, blocks, replicas, contentType } = content;
  const version: FileVersion = {
    version: last + 1,
    manifest,
    manifestBytes,
    bytes,
    blocks,
    replicas,
    contentType,
    at: now,
  };
  store.put("file", name, { name, versions: [version, ...older.slice(0, KEPT_VERSIONS)] });
  if (gone !== undefined) store.delete("gone", name);
  return version;
}

/**
 * Forgets two old removals for each new one, so that what is kept stays in proportion to a day's
 * removals.
 */
function forgetGone(store: CatalogStore, now: Millis): void {
  for (const key of store.keys("gone-order", { limit: 2 })) {
    const { name } = present(store.get("gone-order", key), "S1: a listed key has a record");
    const gone = store.get("gone", name);
    // The name may have been written since, and even removed again: then a later key stands for it.
    if (gone !== undefined && orderKey(gone.index) === key) {
      if (gone.at + GONE_KEPT_MS > now) return;
      store.delete("gone", name);
    }
    store.delete("gone-order", key);
  }
}
