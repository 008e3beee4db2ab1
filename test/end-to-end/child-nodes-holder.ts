/** Holds a child process and a folder until it is killed itself; see child-nodes.test.ts. */
import { once } from "node:events";
import { ChildNodes } from "../../src/cli/child-node.ts";

const nodes = new ChildNodes("holder");
// A grandchild too: all of a node's processes must end.
const child = nodes.spawn("sh", ["-c", "sleep 600 & echo $!; wait"]);
const [grandchild] = child.stdout === null ? [0] : await once(child.stdout, "data");
const pids = { child: child.pid, grandchild: Number(String(grandchild)) };
process.stdout.write(`${JSON.stringify({ dir: nodes.dir, ...pids })}\n`);
if (process.argv[2] === "close") await nodes.close();
else setInterval(() => undefined, 1000);
