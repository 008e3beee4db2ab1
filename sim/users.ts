/** What users do: put files, read them, run word counts over all that was acknowledged. */
import { type FileName, fileName, type JobId, jobId, type Millis } from "../src/base/ids.ts";
import type { Random } from "../src/base/random.ts";
import { planJob } from "../src/jobs/plan.ts";
import { violated } from "./checkers.ts";
import type { Fleet } from "./fleet.ts";
import { type Flow, pause } from "./flow.ts";
import type { SimNode } from "./node.ts";
import type { Copies, StoredFile } from "./storage.ts";
import { STORM_ENDS } from "./storm.ts";
import { randomText, wordsIn } from "./text.ts";

/** A file whose put was acknowledged. */
export interface Acked extends StoredFile {
  readonly name: FileName;
  readonly text: string;
}

export interface Submitted {
  readonly id: JobId;
  readonly texts: readonly string[];
  readonly output: FileName;
}

const CALL: Millis = 1000;
/** So long after the storm every read succeeds. */
const QUIET: Millis = 5000;
const READ_TRIES = 10;

export class Users {
  readonly acked: Acked[] = [];
  readonly jobs: Submitted[] = [];
  readonly #fleet: Fleet;
  readonly #random: Random;
  /** Puts, gets and submits that somebody waits for. */
  readonly #underWay = new Set<{ readonly node: SimNode }>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#random = fleet.world.random("users");
  }

  get waiting(): number {
    return this.#underWay.size;
  }

  /** The node's process ended: nobody waits for it any longer. */
  killed(node: SimNode): void {
    for (const work of this.#underWay) if (work.node === node) this.#underWay.delete(work);
  }

  *work(): Flow<void> {
    const files = 3 + this.#random.below(3);
    for (let i = 0; i < files; i++) {
      this.#put(fileName(`books/${i}`));
      yield* this.#fleet.wait(50 + this.#random.below(200));
    }
    for (let i = 0; this.#fleet.world.now < STORM_ENDS - 1000; i++) {
      yield* this.#fleet.wait(200 + this.#random.below(1200));
      const dice = this.#random.below(10);
      if (dice < 3) this.#put(fileName(`more/${i}`));
      else if (dice < 7) this.#get();
      else if (this.jobs.length < 3) this.#submit(i);
    }
    if (this.jobs.length === 0) this.#submit(99);
  }

  #put(name: FileName): void {
    const node = this.#fleet.anybody(this.#random);
    const copies = this.#random.pick<Copies>([2, 2, 2, 3, "all"]);
    const text = randomText(this.#random, 1000 + this.#random.below(20_000));
    this.#track(node, this.#putting(node, name, text, copies));
  }

  *#putting(node: SimNode, name: FileName, text: string, replicas: Copies): Flow<void> {
    const stored = yield* node.storage.putBlocks(text, replicas);
    if (stored === undefined) return;
    const { manifest, manifestBytes, bytes, blocks } = stored;
    const content = { manifest, manifestBytes, bytes, blocks: blocks.length, replicas };
    const body = { name, content: { ...content, contentType: "text/plain" } };
    const { leader } = node;
    for (let tries = 0; tries < 20; tries++) {
      const reply = yield* this.#fleet.network.call(node, leader, "commit-file", body, CALL);
      if (reply.ok) {
        this.#fleet.world.tell(`${node.name} put ${name} x${replicas}`);
        this.acked.push({ ...stored, name, text });
        return;
      }
      yield* pause(this.#fleet.world, node.life, 100);
    }
  }

  #get(): void {
    if (this.acked.length === 0) return;
    const node = this.#fleet.anybody(this.#random);
    this.#track(node, this.#getting(node, this.#random.pick(this.acked)));
  }

  /** Tries for a while. In the storm it may be in vain; soon after it must not. */
  *#getting(node: SimNode, file: Acked): Flow<void> {
    for (let tries = 0; tries < READ_TRIES; tries++) {
      const text = yield* node.storage.get(file.manifest);
      if (text === file.text) {
        this.#fleet.world.tell(`${node.name} got ${file.name}`);
        return;
      }
      if (text !== undefined) violated(`S5: ${file.name} reads as it was written`);
      yield* pause(this.#fleet.world, node.life, 500);
    }
    if (this.#fleet.world.now > STORM_ENDS + QUIET)
      violated(`S5: ${file.name} can be read after a storm`);
    if (!this.#fleet.stormy) return yield* this.#getting(node, file);
    this.#fleet.world.tell(`${node.name} could not get ${file.name}`);
  }

  #submit(number: number): void {
    const files = [...this.acked];
    if (files.length === 0) return;
    const node = this.#fleet.anybody(this.#random);
    const id = jobId(`j${String(number).padStart(12, "0")}`);
    const output = fileName(`out/${number}`);
    const reducers = this.#random.below(4);
    const plan = planJob({
      id,
      name: "count",
      stage: "count",
      source: { kind: "blocks", files: files.map(({ name, blocks }) => sourceFile(name, blocks)) },
      hasReduce: reducers > 0,
      ...(reducers > 0 ? { reducers } : {}),
      replicas: 2,
      output,
      limits: { taskTimeout: 3000, maxAttempts: 10 },
    });
    const texts = files.map((file) => file.text);
    this.#fleet.checkers.expectWords(id, wordsIn(texts));
    this.jobs.push({ id, texts, output });
    this.#track(node, this.#submitting(node, plan));
  }

  *#submitting(node: SimNode, plan: ReturnType<typeof planJob>): Flow<void> {
    for (let tries = 0; tries < 20; tries++) {
      const reply = yield* this.#fleet.network.call(node, node.leader, "submit", plan, CALL);
      if (reply.ok) {
        this.#fleet.world.tell(`${node.name} submitted ${plan.id}: ${plan.maps.length} maps`);
        return;
      }
      yield* pause(this.#fleet.world, node.life, 100);
    }
  }

  /** Counts what a user waits for; what its node's crash ended is not waited for. */
  #track(node: SimNode, flow: Flow<void>): void {
    const work = { node };
    this.#underWay.add(work);
    node.launch(flow, () => this.#underWay.delete(work));
  }
}

function sourceFile(name: FileName, blocks: StoredFile["blocks"]) {
  let offset = 0;
  const manifestBlocks = blocks.map(({ id, length }) => {
    offset += length;
    return { id, length, offset: offset - length };
  });
  return { name, manifestBlocks };
}
