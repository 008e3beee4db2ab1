/** What control tells a data process once, at its start; the second message of its life is an answer to it. */
import type { RingId } from "../../base/ids.ts";
import type { Identity } from "../identity/identity.ts";
import type { DataCallbacks, DataPort, DataReady, DataSettings, DataView } from "./data-port.ts";

export interface DataStart {
  /** The node's data directory, absolute. */
  readonly dir: string;
  readonly identity: Identity;
  readonly ring: RingId;
  /** HOST:PORT to listen on for bulk streams; port 0 takes a free one. After a restart: the port it had. */
  readonly bulk: string;
  /** HOST:PORT of the HTTP port for bodies, likewise. */
  readonly http: string;
  /** Of the links to bodies (capability.ts); at least 32 random bytes, the same for the node's whole life. */
  readonly secret: Uint8Array;
  readonly view: DataView;
  /** True when the data process comes back and the node lived on: map outputs on disk still count. */
  readonly keepShuffle: boolean;
  readonly settings?: Partial<DataSettings>;
}

/** What the data process answers: the port, and the first call. */
export interface DataProcessMethods extends DataPort {
  start(start: DataStart): Promise<DataReady>;
}

/** Exactly the methods of the port: a missing one does not compile. */
const portMethods = {
  setView: true,
  stats: true,
  inventory: true,
  listBlocks: true,
  verifyBlocks: true,
  dropBlocks: true,
  copyBlock: true,
  putSmall: true,
  getSmall: true,
  stageBlocks: true,
  adoptMapOutput: true,
  fetchSegments: true,
  storeOutput: true,
  dropJob: true,
  close: true,
} as const satisfies Record<keyof DataPort, true>;

const callbackMethods = {
  commitFile: true,
  event: true,
} as const satisfies Record<keyof DataCallbacks, true>;

export const PORT_METHODS = Object.keys(portMethods) as (keyof DataPort)[];
export const CALLBACK_METHODS = Object.keys(callbackMethods) as (keyof DataCallbacks)[];
