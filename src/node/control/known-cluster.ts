/**
 * What a node remembers of its cluster over a restart: the last view. A member finds its leader by it, and reads blocks by
 * it while the leader is away.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { errorNote, RingfoldError } from "../../base/errors.ts";
import { decodeAs, encode } from "../../wire/cbor.ts";
import { viewSchema } from "../../wire/control.ts";
import { writeDurably } from "../identity/durable-file.ts";
import { type ClusterView, messageOf, viewOf } from "./view-holder.ts";

/** Of the file: its version, then the view. */
const FORMAT = 1;

const fileOf = (dataDir: string): string => join(dataDir, "cluster.cbor");

/** @throws RingfoldError `data-dir` when the file is damaged */
export function readKnownView(dataDir: string): ClusterView | undefined {
  const file = fileOf(dataDir);
  if (!existsSync(file)) return undefined;
  const bytes = readFileSync(file);
  try {
    if (bytes[0] !== FORMAT) throw new RingfoldError("version-mismatch", `version ${bytes[0]}`);
    return viewOf(decodeAs(viewSchema, bytes.subarray(1), "known view"));
  } catch (cause) {
    const why = errorNote(cause).message;
    throw new RingfoldError("data-dir", `${file} is damaged: ${why}`, { cause });
  }
}

/** Written only when members or table changed: names change far more often. */
export function keepKnownView(
  dataDir: string,
  view: ClusterView,
  before: ClusterView | undefined,
  log: Logger,
): void {
  const same =
    before !== undefined &&
    before.members.epoch === view.members.epoch &&
    before.table.version === view.table.version &&
    before.leader === view.leader;
  if (same) return;
  try {
    writeDurably(fileOf(dataDir), Buffer.concat([Buffer.of(FORMAT), encode(messageOf(view))]));
  } catch (error) {
    log.error({ error: errorNote(error) }, "the known view could not be kept");
  }
}
