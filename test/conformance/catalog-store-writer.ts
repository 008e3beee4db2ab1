/**
 * A process that puts new names with 64 writers until it is killed, and prints each one that was
 * acknowledged.
 */
import { blockId, fileName, nodeId, ringId } from "../../src/base/ids.ts";
import { openCatalog } from "../../src/node/catalog/catalog.ts";

const [, , dir = "", from = "0"] = process.argv;
const catalog = await openCatalog(dir, nodeId("a".repeat(64)));
await catalog.propose({ type: "cluster-init", ringId: ringId("1".repeat(32)) });
let next = Number(from);

async function write(): Promise<never> {
  for (;;) {
    const name = fileName(`n/${next++}`);
    await catalog.propose({
      type: "file-put",
      name,
      expected: 0,
      content: {
        manifest: blockId("c".repeat(64)),
        manifestBytes: 1,
        bytes: 1,
        blocks: 1,
        replicas: 2,
        contentType: "text/plain",
      },
    });
    process.stdout.write(`${name}\n`);
  }
}

await Promise.all(Array.from({ length: 64 }, write));
