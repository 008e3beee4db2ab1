/**
 * `/api/v1/events`: server-sent events over a hijacked reply, resumable by Last-Event-ID. A slow reader holds back the
 * iteration, not the node: the write waits for `drain`, and what the node dropped meanwhile comes as an event of kind `gap`.
 */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { ClusterEvent } from "../../contract/event.ts";

/** Comments keep proxies and half-open connections honest. */
const HEARTBEAT_MS = 15_000;

const frame = (event: ClusterEvent): string =>
  `id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;

/** Writes until the events end or the signal aborts; ends the response. Never throws for a reader that went away. */
export async function writeEvents(
  response: ServerResponse,
  events: AsyncIterable<ClusterEvent>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  response.write("retry: 1000\n\n");
  const heartbeat = setInterval(() => response.write(":\n\n"), HEARTBEAT_MS);
  try {
    for await (const event of events) {
      if (signal.aborted) break;
      if (!response.write(frame(event))) await once(response, "drain", { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(heartbeat);
    response.end();
  }
}
