/**
 * Requests both ways over one channel between a node's processes. The channel carries structured clones (child_process
 * with `serialization: "advanced"`), so bytes and dates cross as they are; errors cross as code, message and detail.
 *
 * I1: every call ends: answer, the other side's error, or `data-process` when the channel closes.
 * I2: only methods that are own properties of the table can be called from the other side.
 */
import type { ChildProcess } from "node:child_process";
import { errorNote, isErrorCode, RingfoldError } from "../base/errors.ts";

/** Whatever carries messages in order: a child, this process's parent, or a pair in a test. */
export interface IpcChannel {
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  onClose(listener: () => void): void;
}

type Message =
  | {
      readonly kind: "call";
      readonly id: number;
      readonly method: string;
      readonly args: unknown[];
    }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly error: WireError };

interface WireError {
  readonly code: string;
  readonly message: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: RingfoldError): void;
}

/** One side of a channel: serves `local`, calls the other. */
export class IpcPeer {
  readonly #channel: IpcChannel;
  readonly #local: Readonly<Record<string, unknown>>;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #closed = false;

  constructor(channel: IpcChannel, local: Readonly<Record<string, unknown>>) {
    this.#channel = channel;
    this.#local = local;
    channel.onMessage((message) => this.#receive(message as Message));
    channel.onClose(() => this.#fail());
  }

  /** @throws RingfoldError the other side's error, or `data-process` when the channel is or gets closed */
  call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    if (this.#closed) return Promise.reject(gone(method));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#channel.send({ kind: "call", id, method, args: [...args] } satisfies Message);
    });
  }

  /** The other side's methods as an object of calls. */
  remote<T extends object>(methods: readonly (keyof T & string)[]): T {
    const calls = methods.map((method) => {
      return [method, (...args: unknown[]) => this.call(method, ...args)] as const;
    });
    return Object.fromEntries(calls) as unknown as T;
  }

  #receive(message: Message): void {
    if (message.kind === "call") {
      void this.#serve(message.id, message.method, message.args);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.kind === "answer") waiting?.resolve(message.value);
    else waiting?.reject(fromWire(message.error));
  }

  async #serve(id: number, method: string, args: unknown[]): Promise<void> {
    try {
      const handler = Object.hasOwn(this.#local, method) ? this.#local[method] : undefined;
      if (typeof handler !== "function") {
        throw new RingfoldError("protocol", `no such call between processes: ${method}`);
      }
      const value: unknown = await handler(...args);
      this.#answer({ kind: "answer", id, value });
    } catch (error) {
      this.#answer({ kind: "failure", id, error: toWire(error) });
    }
  }

  #answer(message: Message): void {
    if (!this.#closed) this.#channel.send(message);
  }

  #fail(): void {
    this.#closed = true;
    for (const waiting of this.#waiting.values()) waiting.reject(gone("a call"));
    this.#waiting.clear();
  }
}

const gone = (what: string): RingfoldError =>
  new RingfoldError("data-process", `the node's data process ended during ${what}`);

function toWire(error: unknown): WireError {
  const note = errorNote(error);
  return error instanceof RingfoldError ? { ...note, detail: error.detail } : note;
}

function fromWire({ code, message, detail }: WireError): RingfoldError {
  return new RingfoldError(isErrorCode(code) ? code : "bug", message, detail && { detail });
}

/** The channel to a child that was forked with `serialization: "advanced"`. */
export function childChannel(child: ChildProcess): IpcChannel {
  return {
    // A failed send means a dying child: its exit closes the channel and fails the calls (I1).
    send: (message) => void (child.connected && child.send(message as object, () => {})),
    onMessage: (listener) => void child.on("message", listener),
    onClose: (listener) => {
      child.once("disconnect", listener);
      child.once("exit", listener);
      child.once("error", listener);
    },
  };
}

/** The channel to the process that forked this one. */
export function parentChannel(): IpcChannel {
  return {
    send: (message) => void (process.connected && process.send?.(message, undefined, {}, () => {})),
    onMessage: (listener) => void process.on("message", listener),
    onClose: (listener) => void process.once("disconnect", listener),
  };
}
