/** What this node tells of itself, once a second to the leader. */
import type { Logger } from "pino";
import { errorNote } from "../../base/errors.ts";
import type { Millis } from "../../base/ids.ts";
import type { ControlMethods, Vitals } from "../../wire/control.ts";
import type { DataPort, DataStats } from "../data/data-port.ts";
import type { PeerAddress, Transport } from "../transport/transport.ts";
import type { RepairDriver } from "./repair-driver.ts";
import type { TaskRunner } from "./task-runner.ts";

const PULSE: Millis = 1000;
const DEADLINE: Millis = 10_000;

export interface PulseParts {
  readonly data: DataPort;
  readonly runner: TaskRunner;
  readonly repair: RepairDriver;
  readonly transport: Transport<ControlMethods>;
  /** Undefined while none is known, and on the leader itself. */
  readonly leader: () => PeerAddress | undefined;
  readonly log: Logger;
}

export class VitalsPulse {
  readonly #parts: PulseParts;
  #stats: DataStats | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: PulseParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#beat();
    this.#timer = setInterval(() => this.#beat(), PULSE);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  now(): Vitals {
    const { runner, repair } = this.#parts;
    const { report, epoch, filesVersion } = repair.status;
    const { blocks = 0, bytes = 0, free = 0, rss = 0 } = this.#stats ?? {};
    return {
      blocks,
      bytes,
      free,
      memory: rss + process.memoryUsage.rss(),
      running: runner.running,
      copies: {
        total: report.planned,
        short: report.missing,
        lastCopy: report.oneCopyLeft,
        none: report.noCopy,
      },
      settled: report.unknown === 0 && filesVersion >= 0,
      filesVersion: Math.max(0, filesVersion),
      epoch,
    };
  }

  #beat(): void {
    this.#tell().catch((error: unknown) =>
      this.#parts.log.debug({ error: errorNote(error) }, "vitals were not told"),
    );
  }

  async #tell(): Promise<void> {
    const { data, transport, leader } = this.#parts;
    this.#stats = await data.stats().catch(() => this.#stats);
    const to = leader();
    if (to !== undefined) await transport.request(to, "vitals", this.now(), { deadline: DEADLINE });
  }
}
