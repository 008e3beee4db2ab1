/**
 * Server-sent events out of the bytes of `/api/v1/events` (WHATWG HTML, 9.2; `\n` line ends, as our
 * node writes them).
 */
import type { ClusterEvent } from "../contract/event.ts";

/** Each `data:` as the event that it holds; comments and `retry:` pass by. */
export async function* readEvents(chunks: AsyncIterable<Buffer>): AsyncGenerator<ClusterEvent> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    const records = text.split("\n\n");
    text = records.pop() ?? "";
    for (const record of records) {
      const data = record.split("\n").find((line) => line.startsWith("data: "));
      if (data !== undefined) yield JSON.parse(data.slice("data: ".length)) as ClusterEvent;
    }
  }
}
