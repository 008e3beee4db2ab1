/**
 * Positions on the circle: 160 bits, the first 20 bytes of a SHA-256, as in Chord (Stoica et al.,
 * 2001, section 4.2).
 *
 * P1  Arithmetic is modulo 2^160: `distance(a, b) + distance(b, a)` is the whole circle, or 0 when
 *     equal. Tested.
 * P2  A position is 40 lower-case hex digits, so that text order is circle order. By parser.
 * P3  An admission position is nobody else's, and the same for everybody who computes it. Asserted,
 *     tested.
 */
import { assert, RingfoldError } from "../base/errors.ts";
import { sha256Hex } from "../base/hash.ts";
import type { BlockId } from "../base/ids.ts";

declare const brand: unique symbol;
/** A place on the circle: 40 lower-case hex digits. */
export type Position = string & { readonly [brand]: "Position" };

const BITS = 160n;
/** The length of the whole circle, 2^160. */
export const CIRCLE = 1n << BITS;
const DIGITS = 40;

/**
 * Parses a position.
 * @throws RingfoldError `bad-id`
 */
export function position(text: string): Position {
  if (!/^[0-9a-f]{40}$/.test(text)) {
    throw new RingfoldError("bad-id", `not a ring position: ${text.slice(0, 80)}`);
  }
  return text as Position;
}

const wrap = (value: bigint): bigint => ((value % CIRCLE) + CIRCLE) % CIRCLE;

/** The position of a number, modulo the circle. */
export const positionAt = (value: bigint): Position =>
  wrap(value).toString(16).padStart(DIGITS, "0") as Position;

export const numberAt = (at: Position): bigint => BigInt(`0x${at}`);

/** Where any key lives: the hash of its bytes. */
export const positionOf = (key: string | Uint8Array): Position =>
  sha256Hex(key).slice(0, DIGITS) as Position;

/** Where a block lives: its id is a hash already. */
export const positionOfBlock = (id: BlockId): Position => id.slice(0, DIGITS) as string as Position;

/** How far `to` lies ahead of `from`, going clockwise: in [0, 2^160). */
export const distance = (from: Position, to: Position): bigint =>
  wrap(numberAt(to) - numberAt(from));

/** The same, with the whole circle for a point and itself: the arc that a lone member owns. */
export const arc = (from: Position, to: Position): bigint =>
  from === to ? CIRCLE : distance(from, to);

/**
 * Whether x lies strictly inside the arc from a to b. `between(a, x, a)` holds for every x but a
 * (Zave, section 3).
 */
export const between = (a: Position, x: Position, b: Position): boolean =>
  a < b ? a < x && x < b : a < x || x < b;

export const comparePositions = (a: Position, b: Position): number => (a < b ? -1 : a > b ? 1 : 0);

/** The first member's place. */
export const FIRST_POSITION = positionAt(0n);

/**
 * A weight below this counts as this when arcs are compared, so that weight 0 does not draw every
 * newcomer.
 */
const LEAST_WEIGHT = 0.25;
const WEIGHT_UNITS = 1000;

/**
 * The place for a new member: the middle of the arc that is largest for its owner's weight (the
 * owner of an arc is the member at its end). Equal arcs: the one that starts first on the circle.
 */
export function admissionPosition(
  members: readonly { readonly position: Position; readonly weight: number }[],
): Position {
  const sorted = members.toSorted((a, b) => comparePositions(a.position, b.position));
  let best: { readonly from: Position; readonly length: bigint; readonly load: bigint } | undefined;
  for (const [index, member] of sorted.entries()) {
    const owner = sorted[(index + 1) % sorted.length] ?? member;
    const length = arc(member.position, owner.position);
    const load = length / BigInt(Math.round(Math.max(owner.weight, LEAST_WEIGHT) * WEIGHT_UNITS));
    if (best === undefined || load > best.load) best = { from: member.position, length, load };
  }
  if (best === undefined) return FIRST_POSITION;
  assert(best.length >= 2n, "P3: there is a free position in the largest arc");
  return positionAt(numberAt(best.from) + best.length / 2n);
}
