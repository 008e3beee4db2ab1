/**
 * A whole cluster on one seed: who is there, what users do, what goes wrong, and what must hold in the end. Everything is
 * drawn from the seed; the leader is never harmed in this issue.
 */
import type { Millis } from "../src/base/ids.ts";
import { checkEnd, unsettled } from "./aftermath.ts";
import { violated } from "./checkers.ts";
import { Fleet } from "./fleet.ts";
import { SCENARIOS, type ScenarioName } from "./scenario.ts";
import { STORM_ENDS, Storm } from "./storm.ts";
import { Users } from "./users.ts";
import { World } from "./world.ts";

export interface RunOptions {
  readonly seed: number;
  readonly scenario: ScenarioName;
  readonly nodes: number;
  readonly keepTrace?: boolean;
}

/** By then everything must be whole again. */
const SETTLED_BY: Millis = 120_000;

export class Cluster {
  readonly world: World;
  readonly #fleet: Fleet;
  readonly #users: Users;
  readonly #storm: Storm;

  constructor({ seed, scenario: name, nodes, keepTrace = false }: RunOptions) {
    const scenario = SCENARIOS[name];
    this.world = new World(`${name} ${seed}`, keepTrace);
    this.#fleet = new Fleet(this.world, seed, scenario.tasks);
    this.#users = new Users(this.#fleet);
    this.#storm = new Storm(this.#fleet, scenario);
    this.#fleet.onKilled = (node) => this.#users.killed(node);
    for (let i = 1; i < nodes; i++) this.#fleet.join();
  }

  /** From the first event to the last check. @throws InvariantError at the first broken promise */
  run(): void {
    const { first } = this.#fleet;
    this.world.after(500, first.life, () => {
      first.launch(this.#users.work());
      first.launch(this.#storm.blow());
    });
    this.world.run(STORM_ENDS);
    this.#storm.calm();
    const restless = (): string | undefined => unsettled(this.#fleet, this.#users);
    for (let at = this.world.now; at < SETTLED_BY && restless() !== undefined; at += 500) {
      this.world.run(at);
    }
    const why = restless();
    if (why !== undefined) violated(`S5: after the storm ${why}`);
    checkEnd(this.#fleet, this.#users);
  }

  /** Breaks what no product code would: to see that the checkers notice. */
  harm(how: "lose-block" | "garble-block"): void {
    const block = this.#users.acked[0]?.blocks[0];
    for (const { disk } of this.#fleet.machines) {
      const bytes = block === undefined ? undefined : disk.blocks.get(block.id);
      if (block === undefined || bytes === undefined) continue;
      if (how === "lose-block") disk.blocks.delete(block.id);
      else disk.blocks.set(block.id, bytes.slice(1));
    }
  }

  /** Figures of the run, for people. */
  get figures(): { readonly files: number; readonly jobs: number; readonly events: number } {
    const { acked, jobs } = this.#users;
    return { files: acked.length, jobs: jobs.length, events: this.world.events };
  }
}
