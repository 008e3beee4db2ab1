/** The machines of a simulated cluster: made, started, killed. The first one leads and is never harmed in this issue. */
import { present } from "../src/base/errors.ts";
import { sha256Hex } from "../src/base/hash.ts";
import { type Millis, type NodeId, nodeId } from "../src/base/ids.ts";
import type { Random } from "../src/base/random.ts";
import { Checkers } from "./checkers.ts";
import { Disk } from "./disk.ts";
import { type Flow, pause } from "./flow.ts";
import { Leader } from "./leader.ts";
import { Network } from "./network.ts";
import { SimNode } from "./node.ts";
import type { TaskFaults } from "./worker.ts";
import type { World } from "./world.ts";

/** Its disk outlives its processes, unless it is destroyed. */
export interface Machine {
  readonly id: NodeId;
  readonly name: string;
  readonly zone: string;
  readonly slots: number;
  readonly disk: Disk;
  incarnation: number;
  node: SimNode | undefined;
  leaving: boolean;
}

export class Fleet {
  readonly world: World;
  readonly network: Network;
  readonly checkers = new Checkers();
  readonly machines: Machine[] = [];
  readonly leader: Leader;
  stormy = true;
  /** Told of each process that ends. */
  onKilled: (node: SimNode) => void = () => {};
  readonly #seed: number;
  readonly #tasks: TaskFaults;
  readonly #random: Random;
  readonly #first: NodeId | undefined;
  #made = 0;

  /** @param tasks what befalls tasks while it is stormy */
  constructor(world: World, seed: number, tasks: TaskFaults) {
    this.world = world;
    this.network = new Network(world);
    this.#seed = seed;
    this.#tasks = tasks;
    this.#random = world.random("faults");
    const machine = this.#machine();
    const node = this.boot(machine);
    this.#first = machine.id;
    this.leader = new Leader(node, world, this.network, this.checkers);
    this.leader.found();
  }

  isFirst(machine: Machine): boolean {
    return machine.id === this.#first;
  }

  /** The process ends, its disk stays. */
  kill(machine: Machine): void {
    const { node } = machine;
    if (node === undefined) return;
    machine.node = undefined;
    node.life.alive = false;
    this.network.vanish(node);
    this.onKilled(node);
  }

  /** A new machine, not started. */
  #machine(): Machine {
    const number = this.#made;
    this.#made += 1;
    const machine: Machine = {
      id: nodeId(sha256Hex(`node ${number} of ${this.#seed}`)),
      name: `n${number}`,
      zone: `z${number % 3}`,
      slots: 1 + (number % 2),
      disk: new Disk(),
      incarnation: 0,
      node: undefined,
      leaving: false,
    };
    this.machines.push(machine);
    return machine;
  }

  join(): void {
    const machine = this.#machine();
    this.world.after(10 + this.#random.below(300), undefined, () => {
      if (machine.node === undefined && this.machines.includes(machine)) this.boot(machine);
    });
  }

  boot(machine: Machine): SimNode {
    machine.incarnation += 1;
    const { id, name, zone, slots, disk, incarnation } = machine;
    const node = new SimNode({
      id,
      name,
      zone,
      slots,
      disk,
      incarnation,
      leader: this.#first ?? id,
      world: this.world,
      network: this.network,
      checkers: this.checkers,
      taskFaults: () => (this.stormy ? this.#tasks : { dies: 0, hangs: 0 }),
    });
    machine.node = node;
    this.network.enter(node);
    this.world.tell(`${name} starts, incarnation ${incarnation}`);
    if (this.#first !== undefined) node.launch(node.announce());
    return node;
  }

  /** The leader's process. */
  get first(): SimNode {
    return present(this.machines[0]?.node, "the leader is never harmed");
  }

  /** Some node that runs and knows the cluster. */
  anybody(random: Random): SimNode {
    const nodes = this.machines.flatMap(({ node }) =>
      node?.view !== undefined && node.life.pausedUntil <= this.world.now ? [node] : [],
    );
    return random.pick(nodes);
  }

  /** Waits by the leader's life, which lasts. */
  wait(ms: Millis): Flow<void> {
    return pause(this.world, this.first.life, Math.max(0, ms));
  }
}
