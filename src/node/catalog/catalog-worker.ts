/**
 * The catalog's thread: disk I/O of the ledger never holds the node's event loop up. It takes all messages that wait, makes
 * one batch of their commands, syncs once, and answers.
 */
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from "node:worker_threads";
import { errorNote, present, RingfoldError } from "../../base/errors.ts";
import type { Outcome } from "../../catalog/commands.ts";
import type { Query } from "../../catalog/queries.ts";
import { Replica } from "./replica.ts";
import type { FromWorker, ToWorker, WorkerOptions } from "./worker-messages.ts";

/** Commands of one transaction: enough to make the sync cheap, few enough to answer the first one soon. */
const MAX_BATCH = 4096;

/** What waits together. */
interface Turn {
  first: number;
  readonly commands: Uint8Array[];
  readonly queries: { readonly id: number; readonly query: Query }[];
  close: boolean;
}

const port: MessagePort = present(parentPort, "the catalog's worker runs in a thread");
const tell = (message: FromWorker): void => port.postMessage(message);

function serve(replica: Replica): void {
  port.on("message", (message: ToWorker) => {
    try {
      if (runTurn(replica, collectTurn(message))) return;
      replica.close();
      port.close();
    } catch (error) {
      fail(error);
    }
  });
  tell({ type: "ready", term: replica.term });
}

/** This message and all that wait behind it. */
function collectTurn(message: ToWorker): Turn {
  const turn: Turn = { first: 0, commands: [], queries: [], close: false };
  let next: ToWorker | undefined = message;
  while (next !== undefined) {
    take(turn, next);
    if (turn.close || turn.commands.length >= MAX_BATCH) break;
    next = receiveMessageOnPort(port)?.message as ToWorker | undefined;
  }
  return turn;
}

function take(turn: Turn, message: ToWorker): void {
  switch (message.type) {
    case "commands":
      if (turn.commands.length === 0) turn.first = message.first;
      turn.commands.push(...message.commands);
      return;
    case "query":
      turn.queries.push(message);
      return;
    case "close":
      turn.close = true;
  }
}

/** False when the thread shall end. */
function runTurn(replica: Replica, { first, commands, queries, close }: Turn): boolean {
  if (commands.length > 0) commit(replica, first, commands);
  for (const { id, query } of queries) answerQuery(replica, id, query);
  return !close;
}

function commit(replica: Replica, first: number, commands: readonly Uint8Array[]): void {
  try {
    const { outcomes, changed } = replica.commit(commands, Date.now());
    tell({ type: "outcomes", first, outcomes, changed: [...changed] });
  } catch (error) {
    // Nothing of the batch was stored, and reading goes on: the one failure that is a refusal.
    if (!(error instanceof RingfoldError) || error.code !== "disk-full") throw error;
    const refusal = { why: error.code, message: error.message };
    const outcomes = commands.map((): Outcome => ({ ok: false, refusal }));
    tell({ type: "outcomes", first, outcomes, changed: [] });
  }
}

function answerQuery(replica: Replica, id: number, query: Query): void {
  try {
    tell({ type: "answer", id, answer: replica.answer(query) });
  } catch (error) {
    if (!(error instanceof RingfoldError) || error.code !== "bad-glob") throw error;
    tell({ type: "query-failed", id, note: errorNote(error) });
  }
}

/** Says why and takes no more; the node that hears it ends. */
function fail(error: unknown): void {
  tell({ type: "failed", note: errorNote(error) });
  port.close();
}

const { dir, self, database } = workerData as WorkerOptions;
try {
  serve(new Replica(dir, self, Date.now(), database));
} catch (error) {
  fail(error);
}
