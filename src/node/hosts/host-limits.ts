/** What one task may use. Passing a limit ends the task's process; the node lives on. */
import type { Bytes, Millis } from "../../base/ids.ts";

export interface HostLimits {
  /** Resident memory of the process. */
  readonly memory: Bytes;
  /** Longest time without progress: an endless loop in `map` ends here. */
  readonly silence: Millis;
  /** Longest time of one task; 0: none. */
  readonly wall: Millis;
  /** Size of the scratch folder's `out`. */
  readonly disk: Bytes;
  /** Log and output kept of one task: its end. */
  readonly log: Bytes;
}

export const HOST_LIMITS: HostLimits = {
  memory: 1 << 30,
  silence: 10_000,
  wall: 0,
  disk: 64 * 2 ** 30,
  log: 1 << 20,
};
