/** The demo's cluster and what is stored in it. */
import { RingfoldError } from "../base/errors.ts";
import type { Bytes } from "../base/ids.ts";
import type { FileStat } from "../contract/file-stat.ts";
import type { Cluster } from "../sdk/client.ts";
import type { ChildNodes } from "./child-node.ts";
import { startRing } from "./child-ring.ts";
import type { DemoCluster } from "./demo-job.ts";
import type { DemoScreen } from "./demo-screen.ts";
import type { DemoText } from "./demo-text.ts";
import { counted, showBytes } from "./quantity.ts";
import { upload } from "./upload.ts";

export const NODES = 5;
export const COPIES = 2;

export async function startNodes(
  screen: DemoScreen,
  children: ChildNodes,
  signal: AbortSignal,
): Promise<DemoCluster> {
  const began = performance.now();
  screen.draw(() => [{ text: "… starting five nodes", style: "dim" }]);
  const ring = await startRing(children, { count: NODES, slots: 1, signal });
  screen.step(`${NODES} nodes joined one ring, each with its own key`, performance.now() - began);
  return { ...ring, signal };
}

export async function storeText(
  screen: DemoScreen,
  client: Cluster,
  text: DemoText,
): Promise<void> {
  const began = performance.now();
  let sent = 0;
  const grew = (bytes: Bytes): void => {
    sent += bytes;
    const line = `… storing ${showBytes(sent)} of ${showBytes(text.bytes)}`;
    screen.draw(() => [{ text: line, style: "dim" }]);
  };
  const stored = async ({ name, warning }: FileStat): Promise<void> => {
    if (warning !== undefined) throw new RingfoldError("bug", `${name}: ${warning}`);
  };
  const options = { replicas: COPIES, blockSize: blockSizeFor(text.bytes) };
  await upload(client, text.files, options, { grew, stored });
  const what = `${counted(text.files.length, `${text.kind} file`)}, ${showBytes(text.bytes)}`;
  screen.step(`${what}, stored with ${COPIES} copies each`, performance.now() - began);
  screen.note(text.folder);
  if (text.leftOut > 0) screen.note(`${counted(text.leftOut, "file")} left out: beyond the limit`);
}

/** About a hundred blocks, so that there is a middle to kill a node in. */
function blockSizeFor(bytes: Bytes): Bytes {
  const size = 2 ** Math.round(Math.log2(bytes / 96));
  return Math.min(4 * 1024 * 1024, Math.max(64 * 1024, size));
}
