/**
 * The virtual network: requests between processes, with delay, loss, repetition and reordering as
 * the weather says. A request ends with the answer, or fails: at its deadline when something was
 * lost, soon when the other process is gone. A process that crashes closes its connections, and its
 * peers hear that; one that is cut off does not.
 */
import type { Millis, NodeId } from "../src/base/ids.ts";
import type { Random } from "../src/base/random.ts";
import { type Flow, launch, until } from "./flow.ts";
import type { AnswerOf, Method, RequestOf } from "./methods.ts";
import type { Life, World } from "./world.ts";

export type Reply<T> =
  | { readonly ok: true; readonly answer: T }
  | { readonly ok: false; readonly why: string };

/** What a process does with a request: it answers at once, or after a while. */
export type Served = { readonly answer: unknown } | { readonly flow: Flow<unknown> };

export interface Host {
  readonly id: NodeId;
  readonly incarnation: number;
  readonly life: Life;
  /** Undefined: it does not serve that. */
  serve(method: Method, body: unknown, from: Host): Served | undefined;
  peerClosed(peer: NodeId, incarnation: number): void;
}

/** How bad it is. Chances are out of 1. */
export interface Weather {
  readonly loss: number;
  readonly repeat: number;
  readonly slow: number;
  /** A slow message takes up to this. */
  readonly slowest: Millis;
}

export const FAIR: Weather = { loss: 0, repeat: 0, slow: 0, slowest: 0 };

export class Network {
  weather: Weather = FAIR;
  readonly #world: World;
  readonly #random: Random;
  readonly #hosts = new Map<NodeId, Host>();
  /** Pairs, in one direction, between which nothing gets through. */
  readonly #cuts = new Set<string>();
  /** Requests that a process works on: failed when it crashes. */
  readonly #open = new Map<Life, Set<() => void>>();

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random("network");
  }

  enter(host: Host): void {
    this.#hosts.set(host.id, host);
  }

  /** The process is gone: its peers see their connections close, its requests fail. */
  vanish(host: Host): void {
    if (this.#hosts.get(host.id) === host) this.#hosts.delete(host.id);
    for (const fail of this.#open.get(host.life) ?? []) {
      this.#world.after(this.#delay(), undefined, fail);
    }
    this.#open.delete(host.life);
    for (const peer of this.#hosts.values()) {
      if (this.#isCut(host.id, peer.id)) continue;
      const tell = (): void => peer.peerClosed(host.id, host.incarnation);
      this.#world.after(1 + this.#delay(), peer.life, tell);
    }
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from} ${to}`);
  }

  mend(a: NodeId, b: NodeId): void {
    this.#cuts.delete(`${a} ${b}`);
    this.#cuts.delete(`${b} ${a}`);
  }

  healAll(): void {
    this.#cuts.clear();
    this.weather = FAIR;
  }

  /** A request as a flow. */
  *call<M extends Method>(
    from: Host,
    to: NodeId,
    method: M,
    body: RequestOf<M>,
    deadline: Millis,
  ): Flow<Reply<AnswerOf<M>>> {
    return yield* until((resume) => this.ask(from, to, method, body, deadline, resume));
  }

  /** A request with a callback, for those that need no flow. */
  ask<M extends Method>(
    from: Host,
    to: NodeId,
    method: M,
    body: RequestOf<M>,
    deadline: Millis,
    resume: (reply: Reply<AnswerOf<M>>) => void,
  ): void {
    let open = true;
    const end = (reply: Reply<unknown>): void => {
      if (!open) return;
      open = false;
      // The method's types tie request and answer; both ends are checked by the compiler against
      // the same table.
      resume(reply as Reply<AnswerOf<M>>);
    };
    const late = this.#world.now + deadline;
    const expire = (): void =>
      this.#world.after(Math.max(0, late - this.#world.now), from.life, () =>
        end({ ok: false, why: "deadline" }),
      );
    if (this.#isLost(from.id, to)) return expire();
    this.#after(from.id, to, () => this.#arrive(from, to, method, body, end, expire));
    if (this.#random.next() < this.weather.repeat) {
      const nobody = (): void => {};
      this.#after(from.id, to, () => this.#arrive(from, to, method, body, nobody, nobody));
    }
  }

  #arrive(
    from: Host,
    to: NodeId,
    method: Method,
    body: unknown,
    end: (reply: Reply<unknown>) => void,
    expire: () => void,
  ): void {
    // What a crashed process had not got out is lost with its sockets.
    if (!from.life.alive) return;
    const host = this.#hosts.get(to);
    const answer = (reply: Reply<unknown>): void => {
      if (this.#isLost(to, from.id)) return expire();
      this.#world.after(this.#delay(), from.life, () => end(reply));
    };
    if (host === undefined) return answer({ ok: false, why: "peer-unreachable" });
    if (host.life.pausedUntil > this.#world.now) {
      expire();
      const wake = host.life.pausedUntil - this.#world.now;
      this.#world.after(wake, host.life, () =>
        this.#serve(host, from, method, body, answer, expire),
      );
      return;
    }
    this.#serve(host, from, method, body, answer, expire);
  }

  #serve(
    host: Host,
    from: Host,
    method: Method,
    body: unknown,
    answer: (reply: Reply<unknown>) => void,
    expire: () => void,
  ): void {
    const served = host.serve(method, body, from);
    if (served === undefined) return answer({ ok: false, why: "not served" });
    if ("answer" in served) return answer({ ok: true, answer: served.answer });
    expire();
    const open = this.#open.get(host.life) ?? new Set();
    this.#open.set(host.life, open);
    const fail = (): void => answer({ ok: false, why: "peer-unreachable" });
    open.add(fail);
    launch(served.flow, host.life, (value) => {
      open.delete(fail);
      answer({ ok: true, answer: value });
    });
  }

  #after(from: NodeId, to: NodeId, run: () => void): void {
    this.#world.after(from === to ? 0.01 : this.#delay(), undefined, run);
  }

  #delay(): Millis {
    const slow = this.#random.next() < this.weather.slow ? this.weather.slowest : 0;
    return 0.1 + this.#random.next() * (0.9 + slow);
  }

  #isLost(from: NodeId, to: NodeId): boolean {
    if (from === to) return false;
    return this.#isCut(from, to) || this.#random.next() < this.weather.loss;
  }

  #isCut(from: NodeId, to: NodeId): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(`${from} ${to}`);
  }
}
