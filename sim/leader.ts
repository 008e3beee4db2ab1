/**
 * The leader's side: the catalog's state machine over a map store, the judge's verdicts, the partition table, the view that
 * goes to everybody. The simulated twin of the node's membership; the leader is never killed here.
 */
import { assert } from "../src/base/errors.ts";
import { type Millis, type NodeId, ringId } from "../src/base/ids.ts";
import type { Random } from "../src/base/random.ts";
import type { WantedBlock } from "../src/blocks/repair-words.ts";
import type {
  Command,
  CommandOf,
  CommandType,
  Outcome,
  ResultOf,
} from "../src/catalog/commands.ts";
import { MapStore } from "../src/catalog/map-store.ts";
import { answer } from "../src/catalog/read.ts";
import type { MemberRecord } from "../src/catalog/records.ts";
import { apply } from "../src/catalog/state-machine.ts";
import { type Member, memberList } from "../src/ring/member.ts";
import { claimPartitions, EMPTY_TABLE, type PartitionTable } from "../src/ring/partition-table.ts";
import { admissionPosition, position } from "../src/ring/position.ts";
import type { Checkers } from "./checkers.ts";
import { Coordinator } from "./coordinator.ts";
import { type Flow, launch, pause } from "./flow.ts";
import type { AnswerOf, Method, RequestOf, View } from "./methods.ts";
import type { Host, Network, Served } from "./network.ts";
import type { SimNode } from "./node.ts";
import { decodeManifest } from "./storage.ts";
import type { World } from "./world.ts";

/** As long as the product's, over three. */
const TABLE_GRACE: Millis = 20_000;
const VIEW_DEADLINE: Millis = 1000;
const PARTITIONS = 64;

type Handlers = {
  readonly [M in Method]?: (body: RequestOf<M>, from: Host) => AnswerOf<M> | Flow<AnswerOf<M>>;
};

export class Leader {
  readonly coordinator: Coordinator;
  readonly #node: SimNode;
  readonly #world: World;
  readonly #network: Network;
  readonly #checkers: Checkers;
  readonly #random: Random;
  readonly #store = new MapStore();
  readonly #handlers: Handlers;
  #index = 0;
  #viewNumber = 0;
  #tableTimer = 0;
  #read: { readonly index: number; readonly view: View } | undefined;
  #wanted: { readonly version: number; readonly blocks: readonly WantedBlock[] } | undefined;

  constructor(node: SimNode, world: World, network: Network, checkers: Checkers) {
    this.#node = node;
    this.#world = world;
    this.#network = network;
    this.#checkers = checkers;
    this.#random = world.random("leader");
    this.coordinator = new Coordinator(this, node, world, network, checkers);
    this.#handlers = this.#served();
  }

  /** Founds the cluster with this node as its first member. */
  found(): void {
    this.propose({ type: "cluster-init", ringId: ringId("5".repeat(32)) });
    this.#admit(this.#node);
    this.#node.lead(this);
    this.#node.watch.lead(({ kind, node, incarnation, because }) => {
      this.#world.tell(`verdict ${kind} ${node.slice(0, 6)}: ${because}`);
      const record = this.#store.get("member", node);
      if (kind === "member-down") {
        this.propose({ type: "member-down", id: node, incarnation, reason: because });
      } else if (record !== undefined) {
        const { addresses, slots } = record;
        this.propose({ type: "member-up", id: node, incarnation, addresses, slots });
      }
      this.#membersChanged();
    });
    this.#membersChanged();
    launch(this.coordinator.rollCalls(), this.#node.life);
  }

  /** The state of the catalog, as the number of the newest view. */
  get view(): View {
    if (this.#read?.index === this.#index && this.#read.view.number === this.#viewNumber) {
      return this.#read.view;
    }
    const state = answer(this.#store, { type: "state" });
    const members = state.members.map((member) => ({
      ...member,
      position: position(member.position),
    }));
    const view: View = {
      number: this.#viewNumber,
      leader: this.#node.id,
      members: memberList(state.epoch, members),
      table: (state.table as PartitionTable | undefined) ?? EMPTY_TABLE,
      filesVersion: state.filesVersion,
    };
    this.#read = { index: this.#index, view };
    return view;
  }

  get store(): MapStore {
    return this.#store;
  }

  serve(method: Method, body: unknown, from: Host): Served | undefined {
    const handler = this.#handlers[method] as ((body: unknown, from: Host) => unknown) | undefined;
    if (handler === undefined) return undefined;
    return { flow: this.#committed(() => handler(body, from)) };
  }

  /** Applies a command. */
  propose(command: Command): Outcome {
    this.#index += 1;
    const at = { index: this.#index, now: Math.floor(this.#world.now) };
    const outcome = apply(this.#store, command, at);
    this.#checkers.applied(command, outcome);
    if (!outcome.ok) this.#world.tell(`refused ${command.type}: ${outcome.refusal.why}`);
    return outcome;
  }

  expect<T extends CommandType>(command: CommandOf<T>): ResultOf<T> {
    // Each command has the outcome of its own type, which the compiler cannot follow through the union.
    const outcome = this.propose(command as Command) as Outcome<T>;
    assert(outcome.ok, `the catalog accepts ${command.type}`);
    return outcome.result;
  }

  /** Takes a node off the list: it left, or somebody gave it up. */
  remove(id: NodeId): void {
    if (this.#store.get("member", id) === undefined) return;
    this.propose({ type: "member-remove", id });
    this.#membersChanged();
  }

  *#committed(work: () => unknown): Flow<unknown> {
    const result = work();
    yield* this.sync();
    return result;
  }

  sync(): Flow<void> {
    return pause(this.#world, this.#node.life, 0.2 + this.#random.next() * 3);
  }

  #admit(node: Pick<SimNode, "id" | "incarnation" | "slots" | "zone">): void {
    const { members } = this.view.members;
    const known = this.#store.get("member", node.id);
    const { id, slots, zone, incarnation } = node;
    const addresses = { control: "sim", bulk: "sim", http: "sim" };
    if (known !== undefined) {
      this.expect({ type: "member-up", id, incarnation, addresses, slots, zone });
      return;
    }
    const tokenHash = members.length === 0 ? undefined : this.#token();
    const member = {
      id,
      name: id.slice(0, 6),
      zone,
      weight: 1,
      slots,
      position: admissionPosition(members),
      addresses,
      incarnation,
    } satisfies Omit<MemberRecord, "state" | "since">;
    this.expect({ type: "member-admit", member, tokenHash });
  }

  #token(): string {
    const hash = this.#index.toString(16).padStart(64, "0");
    this.expect({ type: "token-add", hash, expiresAt: this.#world.now + 60_000, uses: 1 });
    return hash;
  }

  #served(): Handlers {
    return {
      suspect: (body, from) => {
        this.#node.watch.judge({ kind: "suspected", watcher: from.id, ...body });
        return null;
      },
      alive: (body, from) => {
        this.#node.watch.judge({ kind: "alive", watcher: from.id, ...body });
        return null;
      },
      announce: ({ incarnation, slots, zone }, from) => {
        const before = this.#store.get("member", from.id)?.incarnation ?? 0;
        if (incarnation >= before) this.#admit({ id: from.id, incarnation, slots, zone });
        this.#membersChanged();
        return this.view;
      },
      leaving: (_, from) => {
        this.propose({ type: "member-leaving", id: from.id });
        this.#membersChanged();
        return null;
      },
      needs: (_, from) => this.coordinator.scheduler.needs(from.id),
      left: (_, from) => {
        this.remove(from.id);
        return null;
      },
      wanted: () => ({ version: this.view.filesVersion, blocks: this.wanted() }),
      "commit-file": ({ name, content }) => {
        const known = this.#store.get("file", name)?.versions[0];
        if (known?.manifest === content.manifest) return true;
        const { ok } = this.propose({ type: "file-put", name, expected: 0, content });
        this.push();
        return ok;
      },
      file: (name) => this.#store.get("file", name)?.versions[0],
      submit: (plan) => this.coordinator.submit(plan),
      "job-state": (id) => this.#store.get("job", id)?.state,
      report: (report, from) => {
        this.coordinator.reported(report, from.id);
        return null;
      },
    };
  }

  /** Every block that a kept version of a file needs, with the copies that the most careful one asks for. */
  wanted(): readonly WantedBlock[] {
    const version = this.view.filesVersion;
    if (this.#wanted?.version === version) return this.#wanted.blocks;
    const blocks = this.#allWanted();
    this.#wanted = { version, blocks };
    return blocks;
  }

  #allWanted(): readonly WantedBlock[] {
    const { manifests } = answer(this.#store, { type: "wanted", limit: 1000 });
    const wanted = new Map<string, WantedBlock>();
    const add = (it: WantedBlock): void => {
      const known = wanted.get(it.block);
      if (known === undefined || known.copies !== "all") wanted.set(it.block, larger(known, it));
    };
    for (const { manifest, manifestBytes, replicas } of manifests) {
      add({ block: manifest, length: manifestBytes, copies: replicas });
      const bytes = this.#checkers.content(manifest);
      for (const { id, length } of decodeManifest(bytes).blocks) {
        add({ block: id, length, copies: replicas });
      }
    }
    return [...wanted.values()];
  }

  /** After any change of the list: the table fits it, the scheduler and everybody else hear of it. */
  #membersChanged(): void {
    this.#fitTable();
    this.coordinator.membersChanged(this.view.members);
    this.push();
  }

  #fitTable(): void {
    const { members, table } = this.view;
    const now = Math.floor(this.#world.now);
    const keeps = (member: Member): boolean =>
      member.state === "up" || (member.state === "down" && now - member.since < TABLE_GRACE);
    const hosts = members.members.filter(keeps);
    this.#wakeForGrace(members.members, now);
    const before = table.version === 0 ? undefined : table;
    const next = claimPartitions(before, hosts, { partitions: PARTITIONS });
    if (next === before) return;
    this.#checkers.table(next, hosts);
    this.expect({ type: "table-set", table: next, basedOn: table.version });
    this.#world.tell(`table ${next.version} of ${hosts.length} hosts`);
  }

  #wakeForGrace(members: readonly Member[], now: Millis): void {
    const down = members.filter((member) => member.state === "down");
    const ends = down.map((member) => member.since + TABLE_GRACE - now).filter((end) => end > 0);
    if (ends.length === 0) return;
    this.#tableTimer += 1;
    const mine = this.#tableTimer;
    this.#world.after(Math.min(...ends) + 1, this.#node.life, () => {
      if (mine === this.#tableTimer) this.#membersChanged();
    });
  }

  /** Tells everybody who is up the newest view, until they have it or there is a newer one. */
  push(): void {
    this.#viewNumber += 1;
    const { view } = this;
    this.#checkers.view(view);
    this.#node.takeView(view);
    for (const { id, state } of view.members.members) {
      if (id !== this.#node.id && state !== "down") launch(this.#tell(id, view), this.#node.life);
    }
  }

  *#tell(node: NodeId, view: View): Flow<void> {
    while (view.number === this.#viewNumber) {
      const reply = yield* this.#network.call(this.#node, node, "view", view, VIEW_DEADLINE);
      if (reply.ok) return;
      yield* pause(this.#world, this.#node.life, 300);
    }
  }
}

function larger(known: WantedBlock | undefined, it: WantedBlock): WantedBlock {
  if (known === undefined || it.copies === "all") return it;
  return known.copies === "all" || known.copies >= it.copies ? known : it;
}
