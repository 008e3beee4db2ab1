/**
 * The data process: forked by control (data-client.ts), told what to be by the first call, ends when its channel closes.
 * It does not listen to Ctrl-C: control decides when a node ends, and closes it in order.
 */
import { assert, errorNote, present } from "../../base/errors.ts";
import { IpcPeer, parentChannel } from "../ipc.ts";
import type { DataCallbacks, DataPort, DataReady } from "./data-port.ts";
import type { DataService } from "./data-service.ts";
import { CALLBACK_METHODS, type DataStart, PORT_METHODS } from "./data-start.ts";
import { startData } from "./start-data.ts";

let service: DataService | undefined;

async function start(options: DataStart): Promise<DataReady> {
  assert(service === undefined, "the data process is started once");
  const started = await startData(options, control);
  service = started;
  return started.ready;
}

const running = (): DataService => present(service, "start is the first call");

function method(name: keyof DataPort): (...args: unknown[]) => unknown {
  return (...args) => {
    const port = running();
    const call = port[name] as (...args: unknown[]) => unknown;
    return call.apply(port, args);
  };
}

const channel = parentChannel();
const local = Object.fromEntries(PORT_METHODS.map((name) => [name, method(name)]));
const control = new IpcPeer(channel, { ...local, start }).remote<DataCallbacks>(CALLBACK_METHODS);

process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
// Whatever is under way is lost with a crash in any case; what was acknowledged is on disk.
channel.onClose(() => process.exit(0));
process.on("uncaughtException", (error) => {
  process.stderr.write(`data process: ${errorNote(error).message}\n`);
  process.exit(70);
});
