/** What a node is started with, checked. The command line and tests give texts; {@link nodeOptions} makes them values. */
import { availableParallelism, homedir, hostname } from "node:os";
import { join, resolve } from "node:path";
import { RingfoldError } from "../base/errors.ts";
import { isLoopbackName } from "./http/guard.ts";

export interface HostPort {
  /** Without brackets. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

export interface NodeOptions {
  /** Absolute. */
  readonly dataDir: string;
  readonly listen: HostPort;
  /** Loopback. */
  readonly http: HostPort;
  /** Ports that were asked for are used or refused; a default one that is taken gives way to a free one. */
  readonly asked: { readonly listen: boolean; readonly http: boolean };
  /** Join token; without it a data directory without a cluster founds one. */
  readonly join?: string;
  readonly name: string;
  readonly zone: string;
  /** 0 stores nothing. */
  readonly weight: number;
  /** Tasks at once; 0 runs none. */
  readonly slots: number;
  /** 3: control, data and task hosts apart. 1: all in this process, for tests. */
  readonly processes: 1 | 3;
}

/** As texts, each with a default. */
export interface RawNodeOptions {
  readonly data?: string | undefined;
  readonly listen?: string | undefined;
  readonly http?: string | undefined;
  readonly join?: string | undefined;
  readonly name?: string | undefined;
  readonly zone?: string | undefined;
  readonly weight?: string | undefined;
  readonly slots?: string | undefined;
  readonly processes?: string | undefined;
}

/** A node that serves. */
export interface RunningNode {
  /** Such as http://127.0.0.1:7700. */
  readonly http: string;
  /** HOST:PORT for other nodes. */
  readonly listen: string;
  readonly node: string;
  readonly name: string;
  readonly cluster: string;
  /** `ringfold up --join …` for the next node; undefined while no token can be made (no leader yet). */
  readonly joinCommand: string | undefined;
  /** Stops the processes in order; the node stays a member. Bounded in time. */
  stop(): Promise<void>;
  /** Settles when the node has ended: after {@link stop}, after a polite leave, or rejects with what ended it. */
  readonly ended: Promise<void>;
}

const DEFAULT_LISTEN = "127.0.0.1:7701";
const DEFAULT_HTTP = "127.0.0.1:7700";
const MAX_WEIGHT = 1000;
const MAX_SLOTS = 1024;

/** @throws bad-option, listen-address, http-exposed */
export function nodeOptions(raw: RawNodeOptions): NodeOptions {
  const http = hostPort("--http", raw.http ?? DEFAULT_HTTP);
  if (!isLoopbackName(http.host)) {
    const why = "the HTTP port has no password, so it may listen on loopback only";
    throw new RingfoldError("http-exposed", `--http ${raw.http ?? ""}: ${why}`);
  }
  const options = {
    dataDir: resolve(raw.data ?? join(dataHome(), "ringfold")),
    listen: hostPort("--listen", raw.listen ?? DEFAULT_LISTEN),
    http,
    asked: { listen: raw.listen !== undefined, http: raw.http !== undefined },
    name: label("--name", raw.name ?? hostLabel()),
    zone: label("--zone", raw.zone ?? "default"),
    weight: number("--weight", raw.weight ?? "1", MAX_WEIGHT),
    slots: wholeNumber("--slots", raw.slots ?? String(availableParallelism()), MAX_SLOTS),
    processes: processCount(raw.processes ?? "3"),
  };
  return raw.join === undefined ? options : { ...options, join: raw.join };
}

const dataHome = (): string => process.env["XDG_DATA_HOME"] || join(homedir(), ".local", "share");

/** HOST:PORT, [V6]:PORT, or :PORT and PORT for loopback. @throws listen-address */
function hostPort(flag: string, text: string): HostPort {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]*):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new RingfoldError("listen-address", `${flag} "${text.slice(0, 80)}" is not HOST:PORT`);
  }
  return { host: (match[1] || "127.0.0.1").replace(/^\[|\]$/g, ""), port };
}

const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

function label(flag: string, text: string): string {
  if (LABEL.test(text)) return text;
  const wanted =
    "letters, digits, dot, dash and underscore, at most 63, the first a letter or digit";
  throw new RingfoldError("bad-option", `${flag} "${text.slice(0, 80)}": give ${wanted}`);
}

/** The machine's name, or a plain word where that is no label. */
function hostLabel(): string {
  const name = hostname().split(".")[0] ?? "";
  return LABEL.test(name) ? name : "node";
}

function number(flag: string, text: string, most: number): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= 0 && value <= most) return value;
  throw new RingfoldError(
    "bad-option",
    `${flag} "${text.slice(0, 80)}": give a number from 0 to ${most}`,
  );
}

function wholeNumber(flag: string, text: string, most: number): number {
  if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
  throw new RingfoldError(
    "bad-option",
    `${flag} "${text.slice(0, 80)}": give a whole number from 0 to ${most}`,
  );
}

function processCount(text: string): 1 | 3 {
  if (text === "1") return 1;
  if (text === "3") return 3;
  throw new RingfoldError("bad-option", `--processes "${text.slice(0, 80)}": give 1 or 3`);
}
