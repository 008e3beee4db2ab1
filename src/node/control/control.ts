/**
 * The control process of a node: its parts, wired. It starts the transport, the data process and (as the cluster's founder)
 * the catalog, gets itself on the member list, then serves HTTP. It handles no user data and runs no user code.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Logger } from "pino";
import { errorNote, RingfoldError } from "../../base/errors.ts";
import { sha256Hex } from "../../base/hash.ts";
import type { Millis, NodeId, RingId } from "../../base/ids.ts";
import { EMPTY_LIST } from "../../ring/member.ts";
import { EMPTY_TABLE } from "../../ring/partition-table.ts";
import { formatHostPort } from "../../wire/address.ts";
import {
  type Announcement,
  type ControlMethods,
  controlMethods,
  type TaskReport,
  type Vitals,
} from "../../wire/control.ts";
import type { JoinToken } from "../../wire/token.ts";
import { openCatalog } from "../catalog/catalog.ts";
import type { Catalog } from "../catalog/catalog-port.ts";
import type { CommitFile, DataCallbacks, DataEvent, DataStats } from "../data/data-port.ts";
import { HostPool } from "../hosts/host-pool.ts";
import { type Gateway, startGateway } from "../http/gateway.ts";
import type { Identity } from "../identity/identity.ts";
import type { HostPort, NodeOptions, RunningNode } from "../node-options.ts";
import { listenTls } from "../transport/tls-transport.ts";
import type { PeerAddress, Transport } from "../transport/transport.ts";
import { JOB_API_VERSION, SOFTWARE_VERSION } from "../version.ts";
import { type Asks, RemoteAsks } from "./asks.ts";
import { type CatalogAccess, RemoteCatalog } from "./catalog-access.ts";
import { DataKeeper } from "./data-keeper.ts";
import { EventLog, viewEvents } from "./event-log.ts";
import { FileApi } from "./file-api.ts";
import { JobHosts } from "./job-hosts.ts";
import { JobResults } from "./job-results.ts";
import { keepKnownView, readKnownView } from "./known-cluster.ts";
import { Leader } from "./leader.ts";
import { Leaving } from "./leaving.ts";
import { NodeApi } from "./node-api.ts";
import { RepairDriver } from "./repair-driver.ts";
import { TaskRunner } from "./task-runner.ts";
import { messageOf, ViewHolder, viewOf } from "./view-holder.ts";
import { addressOf, WatchDriver } from "./watch-driver.ts";

const JOIN_DEADLINE: Millis = 10_000;
const ANNOUNCE_DEADLINE: Millis = 5000;
const ANNOUNCE_PAUSE: Millis = 500;
const VITALS_PULSE: Millis = 1000;
const REPORT_DEADLINE: Millis = 10_000;
const REPAIR_GRACE: Millis = 15_000;
/** A memory of 512 MiB is the default of one task's process. */
const NO_STATS: DataStats = {
  blocks: 0,
  bytes: 0,
  free: 0,
  rss: 0,
  quarantined: 0,
  shuffleBytes: 0,
};

export interface ControlStart {
  readonly options: NodeOptions;
  readonly identity: Identity;
  readonly ring: RingId;
  readonly role: "founder" | "joiner" | "member";
  readonly token: JoinToken | undefined;
  readonly log: Logger;
}

export interface RunningControl {
  readonly node: Omit<RunningNode, "stop" | "ended">;
  readonly stop: () => Promise<void>;
  readonly ended: Promise<void>;
}

/** @param bind called once the node is a member: from then on the data directory belongs to the cluster */
export async function startControl(start: ControlStart, bind: () => void): Promise<RunningControl> {
  const control = new Control(start);
  try {
    return await control.start(bind);
  } catch (error) {
    await control.close();
    throw error;
  }
}

class Control {
  readonly #start: ControlStart;
  readonly #self: NodeId;
  readonly #log: Logger;
  readonly #view = new ViewHolder();
  readonly #events = new EventLog();
  readonly #secret = randomBytes(32);
  readonly #startedAt = Date.now();
  /** What to undo, last first. */
  readonly #undo: (() => void | Promise<void>)[] = [];
  #stats: DataStats = NO_STATS;
  #stopping: Promise<void> | undefined;
  readonly #ended = Promise.withResolvers<void>();

  constructor(start: ControlStart) {
    this.#start = start;
    this.#self = start.identity.node;
    this.#log = start.log;
  }

  async start(bind: () => void): Promise<RunningControl> {
    const { options, ring, identity } = this.#start;
    const known = readKnownView(options.dataDir);
    if (known !== undefined) this.#view.offer(known);
    const transport = await this.#listen();
    const files = { commit: (_file: CommitFile): Promise<never> => Promise.reject(notYet()) } as {
      commit: FileApi["commit"];
    };
    const [keeper, catalog] = await Promise.all([
      this.#startData(transport, files),
      this.#openCatalog(),
    ]);
    const data = keeper.port;
    const parts = { self: this.#self, ring, transport, data, view: this.#view, log: this.#log };
    const watch = new WatchDriver({ ...parts, incarnation: identity.incarnation });
    watch.start();
    this.#undo.push(() => watch.close());
    const access: CatalogAccess = catalog ?? new RemoteCatalog(transport, () => this.#leader());
    const hosts = this.#startHosts(keeper);
    const report = { send: (_report: TaskReport): Promise<void> => Promise.reject(notYet()) };
    const runner = new TaskRunner({
      data,
      hosts,
      log: this.#log,
      report: (told) => report.send(told),
    });
    this.#undo.push(() => runner.close());
    const repair = new RepairDriver({ ...parts, catalog: access, grace: REPAIR_GRACE });
    this.#undo.push(() => repair.close());
    const vitals = (): Vitals => this.#vitals(runner, repair);
    const leader =
      catalog &&
      new Leader({
        ...parts,
        ...{ catalog, runner, watch, vitals, events: this.#events },
        results: new JobResults({
          ...{ catalog, data, describe: (bundle) => hosts.describe(bundle) },
          pool: () => hosts.spare(),
        }),
        incarnation: identity.incarnation,
      });
    this.#serve(transport, runner, keeper, leader);
    const { api, gateway } = await this.#startGateway({
      access,
      keeper,
      transport,
      hosts,
      leader,
      vitals,
      files,
    });
    const announcement = this.#announcement(transport, keeper, gateway);
    this.#follow(transport, keeper, () => this.#announceAgain(transport, announcement));
    report.send = (told) => this.#report(transport, leader, told);
    await this.#enter(transport, announcement, leader);
    bind();
    repair.start();
    this.#pulse(transport, keeper, leader, vitals);
    return this.#running(transport, gateway, api);
  }

  /** Without a leader a token could only be waited for. */
  #readyForTokens(): boolean {
    return this.#announcing === undefined;
  }

  async close(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) {
      try {
        await undo();
      } catch (error) {
        this.#log.warn({ error: errorNote(error) }, "closing");
      }
    }
  }

  #stop(): Promise<void> {
    this.#stopping ??= this.close().then(() => this.#ended.resolve());
    return this.#stopping;
  }

  /** The node cannot go on. */
  #fail(error: unknown): void {
    this.#log.fatal({ error: errorNote(error) }, "the node ends");
    this.#stopping ??= this.close().then(() => this.#ended.reject(error));
  }

  async #listen(): Promise<Transport<ControlMethods>> {
    const { options, identity, ring } = this.#start;
    const open = (listen: HostPort): Promise<Transport<ControlMethods>> =>
      listenTls(controlMethods, {
        identity,
        ring,
        listen: formatHostPort(listen),
        software: SOFTWARE_VERSION,
        jobApi: JOB_API_VERSION,
        admit: (node) => this.#view.member(node) !== undefined,
        joining: () => this.#view.current === undefined,
        log: this.#log,
      });
    const transport = await orFreePort(open, options.listen, options.asked.listen);
    this.#undo.push(() => transport.close());
    return transport;
  }

  async #startData(
    transport: Transport<ControlMethods>,
    files: { commit: FileApi["commit"] },
  ): Promise<DataKeeper> {
    const { options, identity, ring } = this.#start;
    const { host } = options.listen;
    const callbacks: DataCallbacks = {
      commitFile: (file) => files.commit(file),
      event: async (event) => this.#dataEvent(event),
    };
    const view = this.#view.current ?? { members: EMPTY_LIST, table: EMPTY_TABLE };
    const keeper = await orFreePort(
      (bulk) =>
        DataKeeper.start(
          {
            dir: options.dataDir,
            identity,
            ring,
            bulk: formatHostPort(bulk),
            http: formatHostPort({ host: options.http.host, port: 0 }),
            secret: this.#secret,
            view: { members: view.members, table: view.table },
          },
          callbacks,
          options.processes === 3,
          this.#log,
        ),
      // The bulk port is the next one, so that a firewall can be told.
      { host, port: options.listen.port === 0 ? 0 : portOf(transport.address) + 1 },
      false,
    );
    this.#undo.push(() => keeper.stop());
    return keeper;
  }

  async #openCatalog(): Promise<Catalog | undefined> {
    const { options, token } = this.#start;
    // A joiner knows a view before its directory is bound: one that is bound without a view was the founder's.
    const view = this.#view.current;
    const leads = view === undefined ? token === undefined : view.leader === this.#self;
    if (!leads) return undefined;
    const catalog = await openCatalog(join(options.dataDir, "catalog"), this.#self);
    this.#undo.push(() => catalog.close());
    catalog.onFailure((error) => this.#fail(error));
    return catalog;
  }

  #startHosts(keeper: DataKeeper): JobHosts {
    const { options } = this.#start;
    const scratch = join(options.dataDir, "scratch");
    const pool = new HostPool({ slots: options.slots, scratchRoot: scratch });
    let spares = 0;
    const spare = (): HostPool =>
      new HostPool({ slots: 1, scratchRoot: `${scratch}-${spares++}`, warm: 0 });
    const hosts = new JobHosts(pool, options.slots, spare, (id) => keeper.port.getSmall(id));
    this.#undo.push(() => hosts.close());
    return hosts;
  }

  #serve(
    transport: Transport<ControlMethods>,
    runner: TaskRunner,
    keeper: DataKeeper,
    leader: Leader | undefined,
  ): void {
    transport.handle("join", async ({ secret, self }, from) =>
      this.#admit(transport, leader, from.node, sha256Hex(secret), self),
    );
    transport.handle("view", async (message, from) => {
      if (from.node === message.leader) this.#view.offer(viewOf(message));
      return { epoch: this.#view.members.epoch };
    });
    transport.handle("start-task", async ({ order, info }, from) => {
      if (from.node === this.#view.current?.leader) runner.start(order, info);
    });
    transport.handle("stop-task", async (attempt) => runner.stop(attempt));
    transport.handle("clean-job", async ({ job }) => runner.clean(job));
    transport.handle("wake-hosts", async ({ job }) => runner.wake(job));
    transport.handle("roll-call", async () => [...runner.rollCall().attempts]);
    transport.handle("task-logs", async ({ job, task }) => runner.logs.of(job, task));
    transport.handle("inventory", async (ids) => [...(await keeper.port.inventory(ids))]);
    transport.handle("copy-block", async ({ block, from }) => {
      const { bytes } = await keeper.port.copyBlock({ block, from });
      return { bytes };
    });
    transport.handle("events", async (events, from) => {
      if (from.node !== this.#view.current?.leader) return;
      for (const { kind, subject, text, at } of events) {
        this.#events.add(kind as Parameters<EventLog["add"]>[0], subject, text, at);
      }
    });
  }

  async #admit(
    transport: Transport<ControlMethods>,
    leader: Leader | undefined,
    node: NodeId,
    tokenHash: string,
    self: Announcement,
  ) {
    if (leader !== undefined) return messageOf(await leader.admit(node, tokenHash, self));
    const to = this.#leader();
    if (to === undefined) throw new RingfoldError("no-leader", "this node knows no leader now");
    return transport.request(to, "admit", { node, tokenHash, self }, { deadline: JOIN_DEADLINE });
  }

  async #startGateway(parts: {
    readonly access: CatalogAccess;
    readonly keeper: DataKeeper;
    readonly transport: Transport<ControlMethods>;
    readonly hosts: JobHosts;
    readonly leader: Leader | undefined;
    readonly vitals: () => Vitals;
    readonly files: { commit: FileApi["commit"] };
  }): Promise<{ readonly api: NodeApi; readonly gateway: Gateway }> {
    const { access, keeper, transport, hosts, leader, vitals } = parts;
    const { options } = this.#start;
    const shared = { self: this.#self, catalog: access, data: keeper.port, view: this.#view };
    const asks: Asks = leader?.asks ?? new RemoteAsks(transport, () => this.#leader());
    const files = new FileApi({ ...shared, transport });
    parts.files.commit = (file) => files.commit(file);
    const leaving = new Leaving({
      ...shared,
      ...{ transport, asks, leader: () => this.#leader(), gone: () => void this.#stop() },
    });
    const api = new NodeApi({
      ...shared,
      ...{ version: SOFTWARE_VERSION, startedAt: this.#startedAt, keeper, secret: this.#secret },
      ...{ asks, events: this.#events, files, leaving, vitals },
      hostPids: () => hosts.pids,
      describe: (bundle) => hosts.describe(bundle),
    });
    const gateway = await orFreePort(
      ({ host, port }) =>
        startGateway({
          ...{ api, host, port },
          onFault: (fault, place) => this.#log.error({ error: errorNote(fault), place }, "http"),
        }),
      options.http,
      options.asked.http,
    );
    this.#undo.push(() => gateway.close());
    return { api, gateway };
  }

  #announcement(
    transport: Transport<ControlMethods>,
    keeper: DataKeeper,
    gateway: Gateway,
  ): Announcement {
    const { options, identity } = this.#start;
    const { name, zone, weight, slots } = options;
    return {
      ...{ name, zone, weight, slots, incarnation: identity.incarnation },
      addresses: {
        control: reachable(transport.address),
        bulk: reachable(keeper.ready.bulk),
        http: new URL(gateway.url).host,
      },
    };
  }

  /** Gets this node on the member list, or up on it again. */
  async #enter(
    transport: Transport<ControlMethods>,
    announcement: Announcement,
    leader: Leader | undefined,
  ): Promise<void> {
    const { role, token } = this.#start;
    if (leader !== undefined) {
      await leader.start(announcement);
      this.#undo.push(() => leader.close());
    } else if (role === "joiner" && token !== undefined) {
      await this.#join(transport, announcement, token);
    } else {
      await this.#announceOnce(transport, announcement).catch((error: unknown) => {
        if (error instanceof RingfoldError && error.code === "not-a-member") throw error;
        this.#log.warn({ error: errorNote(error) }, "the leader does not answer; trying on");
        this.#announceAgain(transport, announcement);
      });
    }
  }

  async #join(
    transport: Transport<ControlMethods>,
    self: Announcement,
    token: JoinToken,
  ): Promise<void> {
    let last: unknown;
    for (const address of token.addresses) {
      try {
        const to = { node: token.inviter, address };
        const body = { secret: token.secret, self };
        const message = await transport.request(to, "join", body, { deadline: JOIN_DEADLINE });
        this.#view.offer(viewOf(message));
        return;
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  #announcing: Promise<void> | undefined;

  /** Until the leader has heard it: it was away, or took this node for dead. */
  #announceAgain(transport: Transport<ControlMethods>, announcement: Announcement): void {
    this.#announcing ??= (async () => {
      while (this.#stopping === undefined) {
        try {
          await this.#announceOnce(transport, announcement);
          return;
        } catch (error) {
          if (error instanceof RingfoldError && error.code === "not-a-member") {
            return this.#fail(error);
          }
          await new Promise((resolve) => setTimeout(resolve, ANNOUNCE_PAUSE));
        }
      }
    })().finally(() => {
      this.#announcing = undefined;
    });
  }

  async #announceOnce(
    transport: Transport<ControlMethods>,
    announcement: Announcement,
  ): Promise<void> {
    const to = this.#leader();
    if (to === undefined) throw new RingfoldError("no-leader", "no leader is known");
    const message = await transport.request(to, "announce", announcement, {
      deadline: ANNOUNCE_DEADLINE,
    });
    this.#view.offer(viewOf(message));
  }

  /** Every later view: kept on disk, given to data, told to people; and this node's own place in it watched. */
  #follow(
    transport: Transport<ControlMethods>,
    keeper: DataKeeper,
    announceAgain: () => void,
  ): void {
    const { options, log } = this.#start;
    this.#view.subscribe((view, before) => {
      keepKnownView(options.dataDir, view, before, log);
      keeper.setView({ members: view.members, table: view.table });
      transport.recheck();
      for (const { kind, subject, text } of viewEvents(view, before)) {
        this.#events.add(kind as Parameters<EventLog["add"]>[0], subject, text);
      }
      const own = this.#view.member(this.#self);
      if (own?.state === "down" && view.leader !== this.#self) announceAgain();
      if (own === undefined && before !== undefined && this.#stopping === undefined) {
        log.info("this node is no longer on the member list");
      }
    });
    if (this.#view.current !== undefined) keeper.setView(this.#view.current);
  }

  #pulse(
    transport: Transport<ControlMethods>,
    keeper: DataKeeper,
    leader: Leader | undefined,
    vitals: () => Vitals,
  ): void {
    const beat = async (): Promise<void> => {
      this.#stats = await keeper.port.stats().catch(() => this.#stats);
      const to = this.#leader();
      if (leader !== undefined || to === undefined) return;
      await transport.request(to, "vitals", vitals(), { deadline: REPORT_DEADLINE });
    };
    const timer = setInterval(() => {
      beat().catch((error: unknown) => this.#log.debug({ error: errorNote(error) }, "vitals"));
    }, VITALS_PULSE);
    this.#undo.push(() => clearInterval(timer));
    void beat().catch(() => {});
  }

  #vitals(runner: TaskRunner, repair: RepairDriver): Vitals {
    const { report, epoch, filesVersion } = repair.status;
    const { blocks, bytes, free, rss } = this.#stats;
    return {
      ...{ blocks, bytes, free },
      memory: rss + process.memoryUsage.rss(),
      running: runner.running,
      copies: {
        total: report.planned,
        short: report.missing,
        lastCopy: report.oneCopyLeft,
        none: report.noCopy,
      },
      settled: report.unknown === 0 && filesVersion >= 0,
      filesVersion: Math.max(0, filesVersion),
      epoch,
    };
  }

  async #report(
    transport: Transport<ControlMethods>,
    leader: Leader | undefined,
    told: TaskReport,
  ): Promise<void> {
    if (leader !== undefined) return leader.coordinator.report(this.#self, told);
    const to = this.#leader();
    if (to === undefined) throw new RingfoldError("no-leader", "no leader is known");
    await transport.request(to, "report", told, { deadline: REPORT_DEADLINE });
  }

  #dataEvent(event: DataEvent): void {
    this.#log.warn({ event }, "data");
  }

  #leader(): PeerAddress | undefined {
    const view = this.#view.current;
    return view === undefined ? undefined : addressOf(this.#view, view.leader);
  }

  async #running(
    transport: Transport<ControlMethods>,
    gateway: Gateway,
    api: NodeApi,
  ): Promise<RunningControl> {
    const token = this.#readyForTokens()
      ? await api.joinToken({}).catch(() => undefined)
      : undefined;
    const name = this.#view.member(this.#self)?.name ?? this.#start.options.name;
    return {
      node: {
        http: gateway.url,
        listen: transport.address,
        node: this.#self,
        name,
        cluster: this.#start.ring,
        joinCommand: token?.command,
      },
      stop: () => this.#stop(),
      ended: this.#ended.promise,
    };
  }
}

const notYet = (): RingfoldError => new RingfoldError("no-leader", "the node is still starting");

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1));

/** Where others reach what listens on every interface: loopback cannot be meant. */
const reachable = (address: string): string => address;

/** A default port that is taken gives way to a free one; one that was asked for does not. */
async function orFreePort<T>(
  open: (at: HostPort) => Promise<T>,
  wanted: HostPort,
  asked: boolean,
): Promise<T> {
  try {
    return await open(wanted);
  } catch (error) {
    const taken = error instanceof RingfoldError && error.code === "port-in-use";
    if (!taken || asked || wanted.port === 0) throw error;
    return open({ host: wanted.host, port: 0 });
  }
}
