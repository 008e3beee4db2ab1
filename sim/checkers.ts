/**
 * What must hold, looked at while a simulation runs. A broken promise throws at the event that broke it.
 *
 * S1  The member list's epoch never goes back; the table names distinct members, as many as there can be.
 * S2  Of each task one completion counts, and a job's counters say each word of its input once.
 * S3  A job ends once, and nothing of it is started afterwards.
 * S4  No node is given more tasks than its slots.
 * S5  After the storm: every acknowledged file reads as it was written, every block has its copies at its holders, every job
 *     is done with the oracle's answer, and every node is up, idle and of one view. By cluster.ts, with {@link violated}.
 */
import { InvariantError, present } from "../src/base/errors.ts";
import type { BlockId, Epoch, JobId } from "../src/base/ids.ts";
import type { Command, Outcome } from "../src/catalog/commands.ts";
import type { Scheduler } from "../src/jobs/scheduler.ts";
import type { SchedulerEffect, SchedulerInput } from "../src/jobs/scheduler-events.ts";
import type { Member } from "../src/ring/member.ts";
import { type PartitionTable, ROW_DEPTH } from "../src/ring/partition-table.ts";
import type { View } from "./methods.ts";

/** Ends the run: the product broke a promise. */
export function violated(promise: string): never {
  throw new InvariantError(promise);
}

const check = (holds: boolean, promise: string): void => {
  if (!holds) violated(promise);
};

export class Checkers {
  readonly #contents = new Map<BlockId, Uint8Array>();
  readonly #counted = new Set<string>();
  readonly #words = new Map<JobId, number>();
  readonly #slots = new Map<string, number>();
  readonly #ended = new Set<JobId>();
  #epoch: Epoch = 0;
  /** Commands applied, for the figures. */
  commands = 0;

  /** A block that was made: the simulator's own way to look into a manifest. */
  remember(block: BlockId, bytes: Uint8Array): void {
    this.#contents.set(block, bytes);
  }

  content(block: BlockId): Uint8Array {
    return present(this.#contents.get(block), "every committed block was made by somebody");
  }

  /** How many words a job must count. */
  expectWords(job: JobId, words: number): void {
    this.#words.set(job, words);
  }

  applied(command: Command, outcome: Outcome): void {
    this.commands += 1;
    if (!outcome.ok) return;
    const { result } = outcome;
    if (command.type === "job-tasks-done" && "recorded" in result) {
      for (const { stage, task } of result.recorded) {
        const key = `${command.job} ${stage} ${task}`;
        check(!this.#counted.has(key), `S2: ${key} is recorded once`);
        this.#counted.add(key);
      }
    } else if (command.type === "job-tasks-lost" && "removed" in result) {
      for (const { stage, task } of result.removed) {
        this.#counted.delete(`${command.job} ${stage} ${task}`);
      }
    } else if (command.type === "job-end" && command.state === "done" && "counters" in result) {
      const [words, wanted] = [result.counters.words ?? 0, this.#words.get(command.job)];
      check(words === wanted, `S2: ${command.job} counts ${wanted} words once, not ${words}`);
    }
  }

  table(table: PartitionTable, hosts: readonly Member[]): void {
    const depth = Math.min(ROW_DEPTH, hosts.length);
    for (const [partition, row] of table.rows.entries()) {
      const nodes = new Set(row.map((index) => table.hosts[index]));
      const known = hosts.filter((host) => nodes.has(host.id)).length;
      check(known === depth, `S1: partition ${partition} has ${depth} distinct members`);
    }
  }

  view({ members }: View): void {
    check(members.epoch >= this.#epoch, "S1: the epoch never goes back");
    this.#epoch = members.epoch;
  }

  scheduled(
    input: SchedulerInput,
    effects: readonly SchedulerEffect[],
    scheduler: Scheduler,
  ): void {
    if (input.type === "node-up") this.#slots.set(input.node, input.slots);
    for (const effect of effects) {
      if (effect.type === "end-job") {
        check(!this.#ended.has(effect.job), `S3: ${effect.job} ends once`);
        this.#ended.add(effect.job);
      } else if (effect.type === "start-task") {
        check(!this.#ended.has(effect.order.job), "S3: nothing is started after the end");
        const { running } = scheduler.needs(effect.node);
        const slots = this.#slots.get(effect.node) ?? 0;
        check(running <= slots, `S4: ${running} tasks on ${slots} slots`);
      }
    }
  }
}
