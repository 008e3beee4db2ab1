/** What goes wrong, and when: drawn from the seed as the scenario says. */
import { present } from "../src/base/errors.ts";
import type { Millis, NodeId } from "../src/base/ids.ts";
import type { Random } from "../src/base/random.ts";
import { unwhole } from "./aftermath.ts";
import { violated } from "./checkers.ts";
import type { Fleet, Machine } from "./fleet.ts";
import type { Flow } from "./flow.ts";
import type { SimNode } from "./node.ts";
import type { Fault, Scenario } from "./scenario.ts";

const STORM_STARTS: Millis = 1500;
export const STORM_ENDS: Millis = 12_000;
const MOST_NODES = 9;
const MOST_LEFT = 3;

export class Storm {
  readonly #fleet: Fleet;
  readonly #scenario: Scenario;
  readonly #faults: Random;
  /** Machines that left or were destroyed. */
  #left = 0;

  constructor(fleet: Fleet, scenario: Scenario) {
    this.#fleet = fleet;
    this.#scenario = scenario;
    this.#faults = fleet.world.random("faults");
  }

  *blow(): Flow<void> {
    yield* this.#fleet.wait(STORM_STARTS - this.#fleet.world.now);
    this.#fleet.network.weather = this.#scenario.weather;
    while (this.#fleet.stormy) {
      this.#fault(this.#faults.pick(this.#scenario.faults));
      const [least, most] = this.#scenario.every;
      yield* this.#fleet.wait(least + this.#faults.below(most - least));
    }
  }

  #fault(kind: Fault): void {
    if (kind === "join") {
      if (this.#fleet.machines.length < MOST_NODES) this.#fleet.join();
      return;
    }
    const up = this.#fleet.machines.filter(
      (it) => it.node !== undefined && !this.#fleet.isFirst(it),
    );
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
    this.#fleet.world.tell(`${machine.name} crashes`);
    this.#fleet.kill(machine);
    machine.leaving = false;
    this.#fleet.world.after(restartAfter, undefined, () => {
      if (machine.node === undefined && this.#fleet.machines.includes(machine))
        this.#fleet.boot(machine);
    });
  }

  #pause(node: SimNode, ms: Millis): void {
    this.#fleet.world.tell(`${node.name} stands still for ${ms}`);
    node.life.pausedUntil = this.#fleet.world.now + ms;
  }

  /** Links in one direction or both, to one other node; they heal after a while. */
  #cut(node: NodeId): void {
    const other = this.#faults.pick(this.#fleet.machines).id;
    if (other === node) return;
    this.#fleet.world.tell(`cut ${node.slice(0, 6)} from ${other.slice(0, 6)}`);
    this.#fleet.network.cut(node, other);
    if (this.#faults.below(2) === 0) this.#fleet.network.cut(other, node);
    this.#fleet.world.after(1000 + this.#faults.below(4000), undefined, () => {
      this.#fleet.network.mend(node, other);
    });
  }

  /** A disk is lost for good: only while nothing else is wrong, for with R = 2 one loss must be survived, not two. */
  #destroy(machine: Machine): void {
    const others = this.#fleet.machines.filter((it) => it.node !== undefined && it !== machine);
    if (others.length < 3 || this.#left >= MOST_LEFT || unwhole(this.#fleet) !== undefined) return;
    this.#fleet.world.tell(`${machine.name} is destroyed`);
    this.#fleet.kill(machine);
    this.#remove(machine);
    const given = 5000 + this.#faults.below(10_000);
    this.#fleet.world.after(given, undefined, () => this.#fleet.leader.remove(machine.id));
  }

  #leave(machine: Machine, node: SimNode): void {
    const staying = this.#fleet.machines.filter((it) => it.node !== undefined && !it.leaving);
    if (machine.leaving || staying.length < 4 || this.#left >= MOST_LEFT) return;
    machine.leaving = true;
    this.#left += 1;
    this.#fleet.world.tell(`${machine.name} wants to leave`);
    node.launch(node.leave(), (gone) => {
      this.#fleet.world.tell(`${machine.name} ${gone ? "left" : "could not leave"}`);
      if (!gone) violated("S5: a node that wants to leave can go");
      this.#fleet.kill(machine);
      this.#remove(machine);
    });
  }

  #remove(machine: Machine): void {
    this.#fleet.machines.splice(this.#fleet.machines.indexOf(machine), 1);
    if (!machine.leaving) this.#left += 1;
  }

  /** Everything is mended, everybody is back. */
  calm(): void {
    this.#fleet.stormy = false;
    this.#fleet.world.tell("calm");
    this.#fleet.network.healAll();
    for (const machine of this.#fleet.machines) {
      if (machine.node === undefined) this.#fleet.boot(machine);
      else machine.node.life.pausedUntil = 0;
    }
  }
}
