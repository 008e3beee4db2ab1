/** A data service with its own bulk port: what both the data process and `--processes 1` run. */

import { memberById } from "../../ring/member.ts";
import { parseHostPort } from "../../wire/address.ts";
import { listenTlsBulk } from "../transport/tls-bulk.ts";
import { JOB_API_VERSION, SOFTWARE_VERSION } from "../version.ts";
import type { DataCallbacks } from "./data-port.ts";
import { DataService } from "./data-service.ts";
import type { DataStart } from "./data-start.ts";

/** @throws RingfoldError `port-in-use`, `listen-address`, `disk-failed` */
export async function startData(start: DataStart, callbacks: DataCallbacks): Promise<DataService> {
  // Asked by the transport for each peer; the view is the one that the service has by then.
  let service: DataService | undefined;
  const transport = await listenTlsBulk({
    identity: start.identity,
    ring: start.ring,
    listen: start.bulk,
    software: SOFTWARE_VERSION,
    jobApi: JOB_API_VERSION,
    admit: (node) => service?.knows(node) ?? memberById(start.view.members, node) !== undefined,
  });
  try {
    service = await DataService.start({
      dir: start.dir,
      self: start.identity.node,
      transport,
      callbacks,
      http: parseHostPort(start.http),
      secret: start.secret,
      keepShuffle: start.keepShuffle,
      ...(start.settings && { settings: start.settings }),
    });
    await service.setView(start.view);
    return service;
  } catch (error) {
    await transport.close();
    throw error;
  }
}
