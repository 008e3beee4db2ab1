/** A node: `startNode()` puts its parts together, in the order in which they need each other. */

import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { errorNote, RingfoldError } from "../base/errors.ts";
import { type RingId, ringId } from "../base/ids.ts";
import { type JoinToken, parseToken } from "../wire/token.ts";
import { startControl } from "./control/control.ts";
import { lockDataDirectory } from "./identity/data-lock.ts";
import { bindToRing, loadOrCreateIdentity, ringOf } from "./identity/identity.ts";
import type { NodeOptions, RunningNode } from "./node-options.ts";

/**
 * Starts a node: founds a cluster, joins one with a token, or takes up the one that the data directory belongs to.
 * @throws RingfoldError `data-dir-in-use`, `data-dir`, `wrong-cluster`, `port-in-use`, `token-…`, `not-a-member` …
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const token = options.join === undefined ? undefined : parseToken(options.join);
  const lock = lockDataDirectory(options.dataDir);
  try {
    const known = ringOf(options.dataDir);
    const ring = ringFor(options, known, token);
    const identity = loadOrCreateIdentity(options.dataDir);
    const log = openLog(options.dataDir);
    log.info({ node: identity.node, incarnation: identity.incarnation, ring }, "starting");
    // A founder's catalog must never be found without its ring's id.
    if (token === undefined) bindToRing(options.dataDir, ring);
    const role = known !== undefined ? "member" : token === undefined ? "founder" : "joiner";
    const control = await startControl({ options, identity, ring, role, token, log }, () =>
      bindToRing(options.dataDir, ring),
    );
    const ended = control.ended.finally(() => {
      log.info("stopped");
      log.flush();
      lock.release();
    });
    ended.catch((error: unknown) => log.fatal({ error: errorNote(error) }, "ended"));
    return { ...control.node, stop: control.stop, ended };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The cluster that this node is of. */
function ringFor(
  { dataDir }: NodeOptions,
  known: RingId | undefined,
  token: JoinToken | undefined,
): RingId {
  if (known === undefined) return token?.ring ?? ringId(randomBytes(16).toString("hex"));
  if (token !== undefined && token.ring !== known) {
    throw new RingfoldError(
      "wrong-cluster",
      `the token is of cluster ${token.ring}, the data directory ${dataDir} of ${known}`,
    );
  }
  return known;
}

/** The node's log: JSON lines in its data directory. No secret is ever given to it. */
function openLog(dataDir: string) {
  const folder = join(dataDir, "log");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const level = process.env["RINGFOLD_LOG"] ?? "info";
  return pino(
    { level, base: null },
    pino.destination({
      dest: join(folder, "node.log"),
      append: true,
      sync: true,
      mode: 0o600,
    }),
  );
}
