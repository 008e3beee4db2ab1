/** Sizes, durations and counts: read from flags, and shown to people. */
import { RingfoldError } from "../base/errors.ts";
import type { Bytes, Millis } from "../base/ids.ts";
import type { Replicas } from "../contract/scalar.ts";

const BYTES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  kb: 1e3,
  kib: 2 ** 10,
  m: 2 ** 20,
  mb: 1e6,
  mib: 2 ** 20,
  g: 2 ** 30,
  gb: 1e9,
  gib: 2 ** 30,
};
const MILLIS: Readonly<Record<string, number>> = {
  ms: 1,
  "": 1e3,
  s: 1e3,
  m: 6e4,
  min: 6e4,
  h: 36e5,
  d: 864e5,
};

/** `4MiB`, `64k`, `1000000`. @throws bad-option */
export const bytesOf = (flag: string, text: string): Bytes =>
  quantity(flag, text, BYTES, "a size such as 4MiB");

/** `30s`, `5m`, `1h`; a plain number is seconds. @throws bad-option */
export const millisOf = (flag: string, text: string): Millis =>
  quantity(flag, text, MILLIS, "a time such as 30s");

function quantity(
  flag: string,
  text: string,
  units: Readonly<Record<string, number>>,
  wanted: string,
): number {
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim()) ?? [];
  const factor = Object.hasOwn(units, unit.toLowerCase()) ? units[unit.toLowerCase()] : undefined;
  const value = Math.round(Number(digits) * (factor ?? Number.NaN));
  if (digits !== "" && Number.isSafeInteger(value)) return value;
  throw new RingfoldError("bad-option", `${flag} "${text.slice(0, 80)}": give ${wanted}`);
}

/** @throws bad-option */
export function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new RingfoldError(
    "bad-option",
    `${flag} "${text.slice(0, 80)}": give a whole number from ${least} to ${most}`,
  );
}

/** A number of copies, or `all`. @throws bad-option */
export const replicasOf = (text: string): Replicas =>
  text === "all" ? "all" : wholeNumber("--replicas", text, 1, 64);

/** `12.3 MB`: decimal, as disks and networks are told. */
export function showBytes(bytes: Bytes): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `340 ms`, `2.4 s`, `3 min 20 s`, `5 h 3 min`, `3 days`. */
export function showMillis(ms: Millis): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds >= 172_800) return `${Math.floor(seconds / 86_400)} days`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** `1 file`, `3 files`. */
export const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;

/** Enough of an id to tell it from others by eye. */
export const shortId = (id: string): string => id.slice(0, 8);
