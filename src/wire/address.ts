/**
 * `host:port` as text: what peers tell each other, and what `--listen` takes. IPv6 hosts are in
 * brackets.
 */
import { RingfoldError } from "../base/errors.ts";

export interface HostPort {
  readonly host: string;
  /** 0 to 65535; 0 asks for any free one. */
  readonly port: number;
}

const addressPattern = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9a-zA-Z.-]{1,253})):([0-9]{1,5})$/;

/** @throws RingfoldError `listen-address` */
export function parseHostPort(text: string): HostPort {
  const match = addressPattern.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new RingfoldError("listen-address", `"${text.slice(0, 80)}" is not HOST:PORT`);
  }
  return { host: match[1] ?? match[2] ?? "", port };
}

export const formatHostPort = ({ host, port }: HostPort): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

/**
 * Whether the text is an address that {@link parseHostPort} accepts, with a port that can be
 * dialled.
 */
export function isDialable(text: string): boolean {
  const match = addressPattern.exec(text);
  const port = Number(match?.[3]);
  return match !== null && port > 0 && port <= 65535;
}
