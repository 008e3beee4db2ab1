/**
 * Raft (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014, section
 * 5) as a pure core, for a configuration of one voter: its own vote is the majority, its own disk
 * the quorum. A driver turns effects into I/O: it persists before anything that follows from
 * `persisted` leaves the process. With three voters the same shape gains `received` and
 * `timer-fired` as inputs, `send` and `set-timer` as effects.
 *
 * R1  Nothing is applied before it is persisted: `apply` never reaches past the last `persisted`
 *     index. Tested.
 * R2  Entries follow one another: indexes without a gap, terms and times that never fall. Asserted
 *     at start, tested.
 * R3  A start leads in a term that was never led before: the higher term and the vote are persisted
 *     before it leads, and nothing is accepted until then. Tested.
 * R4  The first entry of a term is a no-op, so that what earlier terms left is committed with it
 *     (section 5.4.2). Tested.
 * R5  Every index is handed to `apply` once, in order, from the applied index that the driver
 *     started with. Tested.
 * R6  A configuration of other than this one voter is refused. Tested.
 *
 * States are values: a driver whose transaction failed goes on from the state before it.
 */
import { assert, RingfoldError, unreachable } from "../base/errors.ts";
import type { Millis, NodeId } from "../base/ids.ts";

/** Which replicated log an entry is of. Today there is one. */
export const ONLY_GROUP = 0;

export interface Entry {
  readonly group: typeof ONLY_GROUP;
  /** From 1. */
  readonly index: number;
  readonly term: number;
  /** The leader's clock at the proposal; never smaller than in the entry before. */
  readonly now: Millis;
  /** The command. Empty: a no-op. */
  readonly bytes: Uint8Array;
}

/** What must survive a crash beside the log. */
export interface HardState {
  readonly term: number;
  readonly votedFor: NodeId;
}

/** The end of the log. All 0 for an empty one. */
export interface LogTail {
  readonly index: number;
  readonly term: number;
  readonly now: Millis;
}

export type RaftInput =
  /** Once, first: what the disk holds. `hardState` is absent on a new disk. */
  | {
      readonly type: "started";
      readonly hardState?: HardState | undefined;
      readonly tail: LogTail;
      /** The last index that the state machine has applied. */
      readonly applied: number;
      readonly now: Millis;
    }
  | { readonly type: "proposed"; readonly commands: readonly Uint8Array[]; readonly now: Millis }
  /** The hard state of the term, and the log up to the index, are on the disk. */
  | { readonly type: "persisted"; readonly term: number; readonly lastIndex: number };

export type RaftEffect =
  /** Write both in one step, entries in order, and sync; then say `persisted`. */
  | {
      readonly type: "persist";
      readonly hardState?: HardState;
      readonly entries: readonly Entry[];
    }
  /** Both ends included. */
  | { readonly type: "apply"; readonly from: number; readonly to: number }
  | { readonly type: "became-leader"; readonly term: number }
  /** None of the commands of this input was taken. */
  | { readonly type: "refuse"; readonly why: "no-leader" };

export interface RaftState {
  readonly self: NodeId;
  readonly role: "stopped" | "candidate" | "leader";
  readonly term: number;
  /** The end of the log, persisted or on its way. */
  readonly tail: LogTail;
  /** The last index that was handed to `apply`. */
  readonly applied: number;
}

export interface RaftStep {
  readonly state: RaftState;
  readonly effects: readonly RaftEffect[];
}

/**
 * The core before its `started` input.
 * @throws RingfoldError `bad-option` for other voters than this one (R6)
 */
export function raft(self: NodeId, voters: readonly NodeId[]): RaftState {
  if (voters.length !== 1 || voters[0] !== self) {
    throw new RingfoldError(
      "bad-option",
      `a catalog of ${voters.length} voters was asked for; this version keeps it on one, this node`,
    );
  }
  return { self, role: "stopped", term: 0, tail: { index: 0, term: 0, now: 0 }, applied: 0 };
}

export function step(state: RaftState, input: RaftInput): RaftStep {
  switch (input.type) {
    case "started":
      return started(state, input);
    case "proposed":
      return proposed(state, input);
    case "persisted":
      return persisted(state, input);
    default:
      return unreachable(input);
  }
}

type InputOf<T extends RaftInput["type"]> = Extract<RaftInput, { readonly type: T }>;

function started(
  state: RaftState,
  { hardState, tail, applied, now }: InputOf<"started">,
): RaftStep {
  assert(state.role === "stopped", "R5: a core is started once");
  const known = hardState?.term ?? 0;
  assert(known >= tail.term, "R2: the log has no entry of a term after the persisted one");
  assert(applied <= tail.index, "R1: nothing is applied that the log does not hold");
  const term = known + 1;
  const noOp = entryAfter(tail, term, now, new Uint8Array(0));
  return {
    state: { ...state, role: "candidate", term, tail: tailOf(noOp), applied },
    effects: [{ type: "persist", hardState: { term, votedFor: state.self }, entries: [noOp] }],
  };
}

function proposed(state: RaftState, { commands, now }: InputOf<"proposed">): RaftStep {
  if (state.role !== "leader") return { state, effects: [{ type: "refuse", why: "no-leader" }] };
  let { tail } = state;
  const entries: Entry[] = [];
  for (const bytes of commands) {
    assert(bytes.length > 0, "R4: an empty entry is a no-op, never a command");
    const entry = entryAfter(tail, state.term, now, bytes);
    entries.push(entry);
    tail = tailOf(entry);
  }
  if (entries.length === 0) return { state, effects: [] };
  return { state: { ...state, tail }, effects: [{ type: "persist", entries }] };
}

function persisted(state: RaftState, { term, lastIndex }: InputOf<"persisted">): RaftStep {
  assert(lastIndex <= state.tail.index, "R1: no more is persisted than there is");
  // A report about an earlier term says nothing about this one's vote.
  if (term !== state.term || lastIndex <= state.applied) return { state, effects: [] };
  const effects: RaftEffect[] = [];
  if (state.role === "candidate") effects.push({ type: "became-leader", term });
  effects.push({ type: "apply", from: state.applied + 1, to: lastIndex });
  return { state: { ...state, role: "leader", applied: lastIndex }, effects };
}

const entryAfter = (tail: LogTail, term: number, now: Millis, bytes: Uint8Array): Entry => ({
  group: ONLY_GROUP,
  index: tail.index + 1,
  term,
  // A clock that was set back holds still in the log until it has caught up (R2).
  now: Math.max(now, tail.now),
  bytes,
});

const tailOf = ({ index, term, now }: Entry): LogTail => ({ index, term, now });
