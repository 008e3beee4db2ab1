import { RingfoldError } from "../../base/errors.ts";
import type { HostPort } from "../node-options.ts";

/** A default port that is taken gives way to a free one; one that was asked for does not. */
export async function orFreePort<T>(
  open: (at: HostPort) => Promise<T>,
  wanted: HostPort,
  asked: boolean,
): Promise<T> {
  try {
    return await open(wanted);
  } catch (error) {
    const taken = error instanceof RingfoldError && error.code === "port-in-use";
    if (!taken || asked || wanted.port === 0) throw error;
    return open({ host: wanted.host, port: 0 });
  }
}
