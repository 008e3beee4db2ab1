/** What can go wrong in a run, and how often. */
import type { Millis } from "../src/base/ids.ts";
import type { Weather } from "./network.ts";
import type { TaskFaults } from "./worker.ts";

export type Fault = "crash" | "pause" | "destroy" | "join" | "leave" | "cut";

export interface Scenario {
  /** Drawn evenly: one that is named twice comes twice as often. */
  readonly faults: readonly Fault[];
  /** Between two faults, at the least and at the most. */
  readonly every: readonly [Millis, Millis];
  readonly weather: Weather;
  readonly tasks: TaskFaults;
}

const CALM: Weather = { loss: 0, repeat: 0, slow: 0.02, slowest: 50 };
const ROUGH: Weather = { loss: 0.04, repeat: 0.04, slow: 0.1, slowest: 300 };
const SOUND: TaskFaults = { dies: 0, hangs: 0 };
const SHAKY: TaskFaults = { dies: 0.02, hangs: 0.01 };

export const SCENARIOS = {
  /** Processes die, stop for a while, come back; a disk is lost when every block has its copies. */
  crash: {
    faults: ["crash", "crash", "pause", "destroy"],
    every: [300, 1500],
    weather: CALM,
    tasks: SHAKY,
  },
  /** Messages are lost, repeated, late; links are cut, in one direction or both. */
  loss: { faults: ["cut"], every: [500, 2500], weather: ROUGH, tasks: SOUND },
  /** Nodes join and leave, and some are lost for good. */
  churn: {
    faults: ["join", "leave", "leave", "destroy"],
    every: [500, 2500],
    weather: CALM,
    tasks: SOUND,
  },
  /** All of it. */
  mix: {
    faults: ["crash", "crash", "pause", "destroy", "join", "leave", "cut"],
    every: [300, 2000],
    weather: ROUGH,
    tasks: SHAKY,
  },
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;

export const isScenario = (name: string): name is ScenarioName => Object.hasOwn(SCENARIOS, name);
