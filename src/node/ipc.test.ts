import { describe, expect, it } from "vitest";
import { RingfoldError } from "../base/errors.ts";
import { type IpcChannel, IpcPeer } from "./ipc.ts";

interface End extends IpcChannel {
  close(): void;
  deliver(message: unknown): void;
}

/** Two ends; messages are cloned as the real channel does. */
function pair(): [End, End] {
  const make = (): End & { other: End | undefined } => {
    const listeners: ((message: unknown) => void)[] = [];
    const closers: (() => void)[] = [];
    return {
      other: undefined,
      send(message) {
        const copy: unknown = structuredClone(message);
        queueMicrotask(() => this.other?.deliver(copy));
      },
      onMessage: (listener) => void listeners.push(listener),
      onClose: (listener) => void closers.push(listener),
      deliver: (message) => listeners.forEach((listener) => listener(message)),
      close: () => closers.forEach((closer) => closer()),
    };
  };
  const [a, b] = [make(), make()];
  a.other = b;
  b.other = a;
  return [a, b];
}

interface Far {
  add(a: number, b: number): Promise<number>;
  echo(bytes: Uint8Array): Promise<Uint8Array>;
  refuse(): Promise<void>;
  never(): Promise<void>;
}

const far = {
  add: async (a: number, b: number) => a + b,
  echo: async (bytes: Uint8Array) => bytes,
  refuse: async () => {
    throw new RingfoldError("disk-full", "no room", { detail: { path: "/x" } });
  },
  never: () => new Promise<void>(() => {}),
};

function connected(): { remote: Far; peer: IpcPeer; end: End } {
  const [a, b] = pair();
  new IpcPeer(b, far);
  const peer = new IpcPeer(a, {});
  return { remote: peer.remote<Far>(["add", "echo", "refuse", "never"]), peer, end: a };
}

describe("calls between processes", () => {
  it("are answered each with its own answer, however many are in flight", async () => {
    const { remote } = connected();
    const sums = await Promise.all(Array.from({ length: 100 }, (_, i) => remote.add(i, i)));
    expect(sums).toEqual(Array.from({ length: 100 }, (_, i) => 2 * i));
    expect(await remote.echo(new Uint8Array([1, 2]))).toEqual(new Uint8Array([1, 2]));
  });

  it("carry an error's code, message and detail", async () => {
    const { remote } = connected();
    await expect(remote.refuse()).rejects.toMatchObject({
      name: "RingfoldError",
      code: "disk-full",
      message: "no room",
      detail: { path: "/x" },
    });
  });

  it("end with data-process when the channel closes, and so do later ones (I1)", async () => {
    const { remote, end } = connected();
    const waiting = remote.never();
    end.close();
    await expect(waiting).rejects.toMatchObject({ code: "data-process" });
    await expect(remote.add(1, 2)).rejects.toMatchObject({ code: "data-process" });
  });

  it("reach only own methods of the table (I2)", async () => {
    const { peer } = connected();
    for (const name of ["toString", "constructor", "__proto__", "nothing"]) {
      await expect(peer.call(name)).rejects.toMatchObject({ code: "protocol" });
    }
  });
});
