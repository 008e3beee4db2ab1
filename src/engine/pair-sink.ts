/**
 * Takes a task's pairs in bounded memory: a store of columns, spilled to disk as a sorted run
 * whenever it holds half of `sortMemory` (the other half is for growing, sorting and the frames of
 * the final merge).
 *
 * K1: what comes out is every pair that went in, folded where the stage folds, sorted, whatever the
 *     bound. Tested.
 * K2: memory does not grow with the number of pairs. Tested on the number of bytes in use.
 */
import { closeSync, openSync, rmSync } from "node:fs";
import { RingfoldError } from "../base/errors.ts";
import { murmur3 } from "../base/hash.ts";
import { showValue } from "./codec.ts";
import { FileWriter } from "./file-writer.ts";
import { type PairStore, type PartitionOf, pairStore, type ShufflePlan } from "./pair-store.ts";
import { CombinedStream, MergedStream, type PairStream } from "./pair-stream.ts";
import { RunReader, RunWriter, type SegmentIndex } from "./run-file.ts";

/** Runs that are merged at once: each keeps one frame of 64 KiB in memory. */
const FAN_IN = 256;

interface Run {
  readonly path: string;
  /** By partition. */
  readonly segments: readonly SegmentIndex[];
}

export interface SinkOptions {
  readonly plan: ShufflePlan;
  readonly partitions: number;
  /** Bytes. */
  readonly sortMemory: number;
  /** Spilled runs are files of this name and a number. */
  readonly spillPath: string;
}

export class PairSink {
  readonly store: PairStore;
  private readonly plan: ShufflePlan;
  private readonly partitions: number;
  private readonly bound: number;
  private readonly spillPath: string;
  private readonly partitionOf: PartitionOf;
  private runs: Run[] = [];
  private spilled = 0;
  private readonly open: number[] = [];

  constructor({ plan, partitions, sortMemory, spillPath }: SinkOptions) {
    this.plan = plan;
    this.partitions = partitions;
    this.bound = sortMemory / 2;
    this.spillPath = spillPath;
    this.store = pairStore(plan);
    this.partitionOf = partitionOf(plan, partitions);
  }

  emit(key: unknown, value: unknown): void {
    this.store.emit(key, value);
    if (this.store.used > this.bound) this.spill();
  }

  add(pair: PairStream): void {
    this.store.add(pair);
    if (this.store.used > this.bound) this.spill();
  }

  /** Call now and then when pairs are put into `store` directly. */
  checkMemory(): void {
    if (this.store.used > this.bound) this.spill();
  }

  /** Sorted pairs by partition. Ends the sink; call {@link close} when they are read. */
  streams(): PairStream[] {
    const rest = this.store.sorted(this.partitions, this.partitionOf);
    if (this.runs.length === 0) return rest;
    this.shrinkRuns();
    const files = this.runs.map((run) => this.openRun(run));
    return rest.map((stream, p) => {
      const inputs = this.runs.map((run, i) => reader(files[i], run, p));
      return this.merged([...inputs, stream]);
    });
  }

  /** Writes all partitions into one file, one segment each. */
  writeTo(path: string): { readonly bytes: number; readonly segments: readonly SegmentIndex[] } {
    const streams = this.streams();
    const written = this.writeRun(path, streams);
    this.close();
    return written;
  }

  /** Removes what was spilled. */
  close(): void {
    for (const fd of this.open.splice(0)) closeSync(fd);
    for (const run of this.runs.splice(0)) rmSync(run.path, { force: true });
  }

  private merged(inputs: readonly PairStream[]): PairStream {
    const { combine, sortValues, value } = this.plan;
    const merged = new MergedStream(inputs, sortValues);
    return combine === undefined ? merged : new CombinedStream(merged, value, combine);
  }

  private writeRun(
    path: string,
    streams: readonly PairStream[],
  ): { readonly bytes: number; readonly segments: readonly SegmentIndex[] } {
    const file = new FileWriter(path);
    const writer = new RunWriter(file, this.plan.key.width, this.plan.value.width);
    const segments = streams.map((stream) => writer.segment(stream));
    file.close();
    return { bytes: file.offset, segments };
  }

  private spill(): void {
    const path = `${this.spillPath}.spill-${this.spilled++}`;
    const streams = this.store.sorted(this.partitions, this.partitionOf);
    const { segments } = this.writeRun(path, streams);
    this.runs.push({ path, segments });
    this.store.clear();
  }

  /**
   * Merges neighbouring runs until one merge can read them all. Neighbours: equal keys keep their
   * order.
   */
  private shrinkRuns(): void {
    while (this.runs.length > FAN_IN) {
      const merged: Run[] = [];
      for (let i = 0; i < this.runs.length; i += FAN_IN) {
        merged.push(this.mergeRuns(this.runs.slice(i, i + FAN_IN)));
      }
      this.runs = merged;
    }
  }

  private mergeRuns(runs: readonly Run[]): Run {
    const files = runs.map((run) => openSync(run.path, "r"));
    const path = `${this.spillPath}.spill-${this.spilled++}`;
    const streams = Array.from({ length: this.partitions }, (_, p) =>
      this.merged(runs.map((run, i) => reader(files[i], run, p))),
    );
    const { segments } = this.writeRun(path, streams);
    files.forEach((fd) => {
      closeSync(fd);
    });
    for (const run of runs) rmSync(run.path);
    return { path, segments };
  }

  private openRun(run: Run): number {
    const fd = openSync(run.path, "r");
    this.open.push(fd);
    return fd;
  }
}

const reader = (fd: number | undefined, run: Run, partition: number): RunReader =>
  new RunReader(fd as number, run.segments[partition] as SegmentIndex);

function partitionOf(plan: ShufflePlan, partitions: number): PartitionOf {
  const { partition, key } = plan;
  if (partition === undefined) return (bytes, from, to) => murmur3(bytes, from, to) % partitions;
  return (bytes, from, to) => {
    const value = key.read(bytes, from, to);
    const home = partition(value, partitions);
    if (Number.isInteger(home) && (home as number) >= 0 && (home as number) < partitions) {
      return home as number;
    }
    throw new RingfoldError(
      "job-codec",
      `partition gave ${showValue(home)} for key ${showValue(value)}, not 0 to ${partitions - 1}`,
    );
  };
}
