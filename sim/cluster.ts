/**
 * A whole cluster on one seed: who is there, what users do, what goes wrong, and what must hold in the end. Everything is
 * drawn from the seed; the leader (node 0) is never harmed in this issue.
 */
import { present } from "../src/base/errors.ts";
import { blockIdOf, sha256Hex } from "../src/base/hash.ts";
import {
  type BlockId,
  type FileName,
  fileName,
  type JobId,
  jobId,
  type Millis,
  type NodeId,
  nodeId,
} from "../src/base/ids.ts";
import type { Random } from "../src/base/random.ts";
import { planJob } from "../src/jobs/plan.ts";
import { holders } from "../src/ring/holders.ts";
import { Checkers, violated } from "./checkers.ts";
import { Disk } from "./disk.ts";
import { type Flow, pause } from "./flow.ts";
import { Leader } from "./leader.ts";
import { Network } from "./network.ts";
import { SimNode } from "./node.ts";
import { type Fault, SCENARIOS, type Scenario, type ScenarioName } from "./scenario.ts";
import type { Copies, StoredFile } from "./storage.ts";
import { expectedCount, randomText, wordsIn } from "./text.ts";
import { World } from "./world.ts";

export interface RunOptions {
  readonly seed: number;
  readonly scenario: ScenarioName;
  readonly nodes: number;
  readonly keepTrace?: boolean;
}

/** A machine: its disk outlives its processes, unless it is destroyed. */
interface Machine {
  readonly id: NodeId;
  readonly name: string;
  readonly zone: string;
  readonly slots: number;
  readonly disk: Disk;
  incarnation: number;
  node: SimNode | undefined;
  leaving: boolean;
}

/** A file whose put was acknowledged. */
interface Acked extends StoredFile {
  readonly name: FileName;
  readonly text: string;
}

interface Submitted {
  readonly id: JobId;
  readonly texts: readonly string[];
  readonly output: FileName;
}

const CALL: Millis = 1000;
const STORM_STARTS: Millis = 1500;
const STORM_ENDS: Millis = 12_000;
/** By then everything must be whole again. */
const SETTLED_BY: Millis = 120_000;
/** So long after the storm every read succeeds. */
const QUIET: Millis = 5000;
const READ_TRIES = 10;
const MOST_NODES = 9;
const MOST_LEFT = 3;

export class Cluster {
  readonly world: World;
  readonly network: Network;
  readonly checkers = new Checkers();
  readonly #options: RunOptions;
  readonly #scenario: Scenario;
  readonly #machines: Machine[] = [];
  readonly #leader: Leader;
  readonly #leaderId: NodeId;
  readonly #users: Random;
  readonly #faults: Random;
  readonly #acked: Acked[] = [];
  readonly #jobs: Submitted[] = [];
  /** Puts, gets and submits that somebody waits for. */
  readonly #underWay = new Set<{ readonly node: SimNode }>();
  #stormy = true;
  /** Machines that left or were destroyed. */
  #left = 0;
  #machineNumber = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#scenario = SCENARIOS[options.scenario];
    this.world = new World(`${options.scenario} ${options.seed}`, options.keepTrace ?? false);
    this.network = new Network(this.world);
    this.#users = this.world.random("users");
    this.#faults = this.world.random("faults");
    const first = this.#machine();
    this.#leaderId = first.id;
    const node = this.#boot(first);
    this.#leader = new Leader(node, this.world, this.network, this.checkers);
    this.#leader.found();
    for (let i = 1; i < options.nodes; i++) this.#join();
  }

  /** From the first event to the last check. @throws InvariantError at the first broken promise */
  run(): void {
    const { life } = this.#node(this.#leaderId);
    const start = (flow: Flow<void>): void => this.#node(this.#leaderId).launch(flow);
    this.world.after(500, life, () => {
      start(this.#usersWork());
      start(this.#storm());
    });
    this.world.run(STORM_ENDS);
    this.#calmDown();
    const settled = (): boolean => this.#unsettled() === undefined;
    for (let at = this.world.now; at < SETTLED_BY && !settled(); at += 500) this.world.run(at);
    const why = this.#unsettled();
    if (why !== undefined) violated(`S5: after the storm ${why}`);
    this.#checkEnd();
  }

  // What users do.

  *#usersWork(): Flow<void> {
    const files = 3 + this.#users.below(3);
    for (let i = 0; i < files; i++) {
      this.#put(fileName(`books/${i}`));
      yield* this.#wait(50 + this.#users.below(200));
    }
    for (let i = 0; this.world.now < STORM_ENDS - 1000; i++) {
      yield* this.#wait(200 + this.#users.below(1200));
      const dice = this.#users.below(10);
      if (dice < 3) this.#put(fileName(`more/${i}`));
      else if (dice < 7) this.#get();
      else if (this.#jobs.length < 3) this.#submit(i);
    }
    if (this.#jobs.length === 0) this.#submit(99);
  }

  #put(name: FileName): void {
    const node = this.#anybody();
    const copies = this.#users.pick<Copies>([2, 2, 2, 3, "all"]);
    const text = randomText(this.#users, 1000 + this.#users.below(20_000));
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
      const reply = yield* this.network.call(node, leader, "commit-file", body, CALL);
      if (reply.ok) {
        this.world.tell(`${node.name} put ${name} x${replicas}`);
        this.#acked.push({ ...stored, name, text });
        return;
      }
      yield* pause(this.world, node.life, 100);
    }
  }

  #get(): void {
    if (this.#acked.length === 0) return;
    const node = this.#anybody();
    this.#track(node, this.#getting(node, this.#users.pick(this.#acked)));
  }

  /** Tries for a while. In the storm it may be in vain; soon after it must not. */
  *#getting(node: SimNode, file: Acked): Flow<void> {
    for (let tries = 0; tries < READ_TRIES; tries++) {
      const text = yield* node.storage.get(file.manifest);
      if (text === file.text) {
        this.world.tell(`${node.name} got ${file.name}`);
        return;
      }
      if (text !== undefined) violated(`S5: ${file.name} reads as it was written`);
      yield* pause(this.world, node.life, 500);
    }
    if (this.world.now > STORM_ENDS + QUIET) violated(`S5: ${file.name} can be read after a storm`);
    if (!this.#stormy) return yield* this.#getting(node, file);
    this.world.tell(`${node.name} could not get ${file.name}`);
  }

  #submit(number: number): void {
    const files = [...this.#acked];
    if (files.length === 0) return;
    const node = this.#anybody();
    const id = jobId(`j${String(number).padStart(12, "0")}`);
    const output = fileName(`out/${number}`);
    const reducers = this.#users.below(4);
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
    this.checkers.expectWords(id, wordsIn(texts));
    this.#jobs.push({ id, texts, output });
    this.#track(node, this.#submitting(node, plan));
  }

  *#submitting(node: SimNode, plan: ReturnType<typeof planJob>): Flow<void> {
    for (let tries = 0; tries < 20; tries++) {
      const reply = yield* this.network.call(node, node.leader, "submit", plan, CALL);
      if (reply.ok) {
        this.world.tell(`${node.name} submitted ${plan.id}: ${plan.maps.length} maps`);
        return;
      }
      yield* pause(this.world, node.life, 100);
    }
  }

  /** Counts what a user waits for; what its node's crash ended is not waited for. */
  #track(node: SimNode, flow: Flow<void>): void {
    const work = { node };
    this.#underWay.add(work);
    node.launch(flow, () => this.#underWay.delete(work));
  }

  // What goes wrong.

  *#storm(): Flow<void> {
    yield* this.#wait(STORM_STARTS - this.world.now);
    this.network.weather = this.#scenario.weather;
    while (this.#stormy) {
      this.#fault(this.#faults.pick(this.#scenario.faults));
      const [least, most] = this.#scenario.every;
      yield* this.#wait(least + this.#faults.below(most - least));
    }
  }

  #fault(kind: Fault): void {
    if (kind === "join") {
      if (this.#machines.length < MOST_NODES) this.#join();
      return;
    }
    const up = this.#machines.filter((it) => it.node !== undefined && it.id !== this.#leaderId);
    if (up.length === 0) return;
    const machine = this.#faults.pick(up);
    const node = present(machine.node, "it was just filtered");
    if (kind === "crash") this.#crash(machine, 300 + this.#faults.below(8000));
    else if (kind === "pause") this.#pause(node, 500 + this.#faults.below(6000));
    else if (kind === "cut") this.#cut(node.id);
    else if (kind === "destroy") this.#destroy(machine);
    else this.#leave(machine, node);
  }

  #crash(machine: Machine, restartAfter: Millis): void {
    this.world.tell(`${machine.name} crashes`);
    this.#kill(machine);
    machine.leaving = false;
    this.world.after(restartAfter, undefined, () => {
      if (machine.node === undefined && this.#machines.includes(machine)) this.#boot(machine);
    });
  }

  #kill(machine: Machine): void {
    const { node } = machine;
    if (node === undefined) return;
    machine.node = undefined;
    node.life.alive = false;
    this.network.vanish(node);
    for (const work of this.#underWay) if (work.node === node) this.#underWay.delete(work);
  }

  #pause(node: SimNode, ms: Millis): void {
    this.world.tell(`${node.name} stands still for ${ms}`);
    node.life.pausedUntil = this.world.now + ms;
  }

  /** Links in one direction or both, to one other node; they heal after a while. */
  #cut(node: NodeId): void {
    const other = this.#faults.pick(this.#machines).id;
    if (other === node) return;
    this.world.tell(`cut ${node.slice(0, 6)} from ${other.slice(0, 6)}`);
    this.network.cut(node, other);
    if (this.#faults.below(2) === 0) this.network.cut(other, node);
    this.world.after(1000 + this.#faults.below(4000), undefined, () => {
      this.network.mend(node, other);
    });
  }

  /** A disk is lost for good: only while nothing else is wrong, for with R = 2 one loss must be survived, not two. */
  #destroy(machine: Machine): void {
    const others = this.#machines.filter((it) => it.node !== undefined && it !== machine);
    if (others.length < 3 || this.#left >= MOST_LEFT || this.#unwhole() !== undefined) return;
    this.world.tell(`${machine.name} is destroyed`);
    this.#kill(machine);
    this.#remove(machine);
    const given = 5000 + this.#faults.below(10_000);
    this.world.after(given, undefined, () => this.#leader.remove(machine.id));
  }

  #leave(machine: Machine, node: SimNode): void {
    const staying = this.#machines.filter((it) => it.node !== undefined && !it.leaving);
    if (machine.leaving || staying.length < 4 || this.#left >= MOST_LEFT) return;
    machine.leaving = true;
    this.#left += 1;
    this.world.tell(`${machine.name} wants to leave`);
    node.launch(node.leave(), (gone) => {
      this.world.tell(`${machine.name} ${gone ? "left" : "could not leave"}`);
      if (!gone) violated("S5: a node that wants to leave can go");
      this.#kill(machine);
      this.#remove(machine);
    });
  }

  #remove(machine: Machine): void {
    this.#machines.splice(this.#machines.indexOf(machine), 1);
    if (!machine.leaving) this.#left += 1;
  }

  #calmDown(): void {
    this.#stormy = false;
    this.world.tell("calm");
    this.network.healAll();
    for (const machine of this.#machines) {
      if (machine.node === undefined) this.#boot(machine);
      else machine.node.life.pausedUntil = 0;
    }
  }

  // Machines.

  #machine(): Machine {
    const number = this.#machineNumber;
    this.#machineNumber += 1;
    const machine: Machine = {
      id: nodeId(sha256Hex(`node ${number} of ${this.#options.seed}`)),
      name: `n${number}`,
      zone: `z${number % 3}`,
      slots: 1 + (number % 2),
      disk: new Disk(),
      incarnation: 0,
      node: undefined,
      leaving: false,
    };
    this.#machines.push(machine);
    return machine;
  }

  #join(): void {
    const machine = this.#machine();
    this.world.after(10 + this.#faults.below(300), undefined, () => {
      if (machine.node === undefined && this.#machines.includes(machine)) this.#boot(machine);
    });
  }

  #boot(machine: Machine): SimNode {
    machine.incarnation += 1;
    const { id, name, zone, slots, disk, incarnation } = machine;
    const node = new SimNode({
      id,
      name,
      zone,
      slots,
      disk,
      incarnation,
      leader: this.#leaderId ?? id,
      world: this.world,
      network: this.network,
      checkers: this.checkers,
      taskFaults: () => (this.#stormy ? this.#scenario.tasks : { dies: 0, hangs: 0 }),
    });
    machine.node = node;
    this.network.enter(node);
    this.world.tell(`${name} starts, incarnation ${incarnation}`);
    if (this.#leaderId !== id) node.launch(node.announce());
    return node;
  }

  #node(id: NodeId): SimNode {
    const machine = this.#machines.find((it) => it.id === id);
    return present(machine?.node, "the leader is never harmed");
  }

  /** Some node that runs and knows the cluster. */
  #anybody(): SimNode {
    const nodes = this.#machines.flatMap(({ node }) =>
      node?.view !== undefined && node.life.pausedUntil <= this.world.now ? [node] : [],
    );
    return this.#users.pick(nodes);
  }

  #wait(ms: Millis): Flow<void> {
    return pause(this.world, this.#node(this.#leaderId).life, Math.max(0, ms));
  }

  // What must hold in the end.

  /** What is not at rest yet, in words. */
  #unsettled(): string | undefined {
    const running = this.#leader.scheduler.jobs();
    if (running.length > 0) return `${running.join()} still runs`;
    if (this.#underWay.size > 0) return `${this.#underWay.size} users still wait`;
    for (const machine of this.#machines) {
      if (machine.leaving) return `${machine.name} is still leaving`;
      const { node, name } = machine;
      if (node === undefined) return `${name} is not running`;
      if (node.view?.number !== this.#leader.view.number) return `${name} has an old view`;
      const state = this.#leader.view.members.members.find((it) => it.id === node.id)?.state;
      if (state !== "up") return `${name} is ${state}`;
      if (node.worker.busy > 0) return `${name} still works`;
      if (node.worker.holding > 0) return `${name} keeps map outputs of ended jobs`;
    }
    return this.#unwhole();
  }

  /** A block that does not have all its copies at its holders, in words. */
  #unwhole(): string | undefined {
    const { members, table } = this.#leader.view;
    if (members.members.some((member) => member.state !== "up")) return "a member is not up";
    const disks = new Map(this.#machines.map((it) => [it.id, it]));
    for (const { block, copies } of this.#leader.wanted()) {
      for (const id of holders(table, members.members, block, copies)) {
        const machine = disks.get(id);
        if (machine?.node === undefined || !machine.disk.blocks.has(block)) {
          return `block ${block.slice(0, 8)} is not on ${machine?.name ?? id.slice(0, 6)}`;
        }
      }
    }
    return undefined;
  }

  #checkEnd(): void {
    for (const file of this.#acked) {
      const text = this.#readBack(file.manifest);
      if (text !== file.text) violated(`S5: ${file.name} reads as it was written`);
    }
    for (const { id, texts, output } of this.#jobs) {
      const record = this.#leader.store.get("job", id);
      if (record === undefined) continue;
      if (record.state !== "done") violated(`S5: ${id} is done, not ${record.state}`);
      const parts = this.#leader.store.keys("file", { prefix: `${output}/` }).map((name) => {
        const file = present(this.#leader.store.get("file", name), "a listed file");
        return this.#readBack(file.versions[0].manifest);
      });
      if (merged(parts).join("\n") !== expectedCount(texts).join("\n")) {
        violated(`S5: ${id} answers what the oracle answers`);
      }
      this.world.tell(`${id} is right`);
    }
  }

  /** From the disks of the living, as any reader would find it. */
  #readBack(manifest: BlockId): string {
    const read = (block: BlockId): Uint8Array => {
      const holder = this.#machines.find((it) => it.disk.blocks.has(block));
      if (holder === undefined) violated(`S5: block ${block.slice(0, 8)} is not lost`);
      const bytes = present(holder.disk.blocks.get(block), "just found");
      if (blockIdOf(bytes) !== block)
        violated(`S5: block ${block.slice(0, 8)} is what its id says`);
      return bytes;
    };
    const listed = JSON.parse(Buffer.from(read(manifest)).toString()) as {
      readonly blocks: readonly { readonly id: BlockId }[];
    };
    return Buffer.concat(listed.blocks.map(({ id }) => read(id))).toString();
  }

  /** Breaks what no product code would: to see that the checkers notice. */
  harm(how: "lose-block" | "garble-block"): void {
    const block = this.#acked[0]?.blocks[0];
    for (const { disk } of this.#machines) {
      const bytes = block === undefined ? undefined : disk.blocks.get(block.id);
      if (block === undefined || bytes === undefined) continue;
      if (how === "lose-block") disk.blocks.delete(block.id);
      else disk.blocks.set(block.id, bytes.slice(1));
    }
  }

  /** Figures of the run, for people. */
  get figures(): { readonly files: number; readonly jobs: number; readonly events: number } {
    return { files: this.#acked.length, jobs: this.#jobs.length, events: this.world.events };
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

/** Parts of a map-only job overlap: their counts add up. */
function merged(parts: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of parts.join("").split("\n")) {
    const [word, n] = line.split(" ");
    if (word !== undefined && n !== undefined)
      counts.set(word, (counts.get(word) ?? 0) + Number(n));
  }
  return [...counts].map(([word, n]) => `${word} ${n}`).sort();
}
