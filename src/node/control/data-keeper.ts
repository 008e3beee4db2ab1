/**
 * The node's data process as control sees it: always there. When it dies it is started again on the same ports with the
 * last view, and calls wait for it a while; what was under way fails with `data-process` and is tried again by whoever
 * asked.
 */
import type { Logger } from "pino";
import { errorNote, RingfoldError } from "../../base/errors.ts";
import type { Millis } from "../../base/ids.ts";
import { type DataProcess, startDataProcess } from "../data/data-client.ts";
import type { DataCallbacks, DataPort, DataReady, DataView } from "../data/data-port.ts";
import { type DataStart, PORT_METHODS } from "../data/data-start.ts";
import { startData } from "../data/start-data.ts";

/** How long a call waits for a data process that is being started again. */
const PATIENCE: Millis = 5000;
/** Between two starts that fail. */
const PAUSE: Millis = 500;

type Start = Omit<DataStart, "keepShuffle">;

/** What is common to a data process and a data service in this process. */
interface Running {
  readonly port: DataPort;
  readonly ready: DataReady;
  stop(): Promise<void>;
}

export class DataKeeper {
  readonly #callbacks: DataCallbacks;
  readonly #log: Logger;
  readonly #apart: boolean;
  #start: Start;
  #running: Promise<Running>;
  #ready: DataReady | undefined;
  #stopping = false;
  #restarts = 0;
  /** Every method of the port, each call going to the process that runs then. */
  readonly port: DataPort;

  private constructor(start: Start, callbacks: DataCallbacks, apart: boolean, log: Logger) {
    this.#start = start;
    this.#callbacks = callbacks;
    this.#apart = apart;
    this.#log = log;
    this.#running = this.#launch(false);
    this.port = this.#delegate();
  }

  /**
   * @param apart a process of its own; else everything runs in this one, for tests
   * @throws RingfoldError `port-in-use`, `disk-failed`, `data-process`
   */
  static async start(
    start: Start,
    callbacks: DataCallbacks,
    apart: boolean,
    log: Logger,
  ): Promise<DataKeeper> {
    const keeper = new DataKeeper(start, callbacks, apart, log);
    await keeper.#running;
    return keeper;
  }

  /** Where it listens, and its pid. */
  get ready(): DataReady {
    if (this.#ready === undefined) {
      throw new RingfoldError("data-process", "the data process has not started yet");
    }
    return this.#ready;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Kept for later starts too. */
  setView(view: DataView): void {
    this.#start = { ...this.#start, view };
    this.port.setView(view).catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const running = await this.#running.catch(() => undefined);
    await running?.stop();
  }

  async #launch(again: boolean): Promise<Running> {
    const options: DataStart = { ...this.#start, keepShuffle: again };
    if (!this.#apart) {
      const service = await startData(options, this.#callbacks);
      this.#ready = service.ready;
      return { port: service, ready: service.ready, stop: () => service.close() };
    }
    const process = await startDataProcess(options, this.#callbacks);
    this.#ready = process.ready;
    const { bulk, http } = process.ready;
    this.#start = { ...this.#start, bulk, http: new URL(http).host };
    process.onExit((how) => this.#ended(process, how));
    return { port: process.port, ready: process.ready, stop: () => process.stop() };
  }

  #ended(ended: DataProcess, how: string): void {
    if (this.#stopping) return;
    this.#restarts++;
    this.#log.error({ pid: ended.ready.pid, how }, "the data process ended; starting it again");
    this.#running = this.#relaunch();
    this.#running.catch(() => {});
  }

  async #relaunch(): Promise<Running> {
    for (;;) {
      if (this.#stopping) throw new RingfoldError("data-process", "the node is stopping");
      try {
        return await this.#launch(true);
      } catch (error) {
        this.#log.error({ error: errorNote(error) }, "the data process did not start");
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  }

  #delegate(): DataPort {
    const calls = PORT_METHODS.map((name) => [
      name,
      async (...args: readonly unknown[]): Promise<unknown> => {
        const { port } = await this.#current();
        const call = port[name] as (...given: unknown[]) => Promise<unknown>;
        return call.apply(port, [...args]);
      },
    ]);
    return Object.fromEntries(calls) as unknown as DataPort;
  }

  async #current(): Promise<Running> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new RingfoldError("data-process", "the node's data process is not back yet")),
        PATIENCE,
      );
    });
    try {
      return await Promise.race([this.#running, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
