/**
 * The control process of a node: its parts, wired. It starts the transport, the data process and (as the cluster's founder)
 * the catalog, gets itself on the member list, then serves HTTP. It handles no user data and runs no user code.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Logger } from "pino";
import { errorNote, RingfoldError } from "../../base/errors.ts";
import type { Millis, NodeId, RingId } from "../../base/ids.ts";
import type { EventKind } from "../../contract/event.ts";
import { EMPTY_LIST } from "../../ring/member.ts";
import { EMPTY_TABLE } from "../../ring/partition-table.ts";
import { formatHostPort, parseHostPort } from "../../wire/address.ts";
import { type Announcement, type ControlMethods, controlMethods } from "../../wire/control.ts";
import type { JoinToken } from "../../wire/token.ts";
import { openCatalog } from "../catalog/catalog.ts";
import type { Catalog } from "../catalog/catalog-port.ts";
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
import { Enrolment } from "./enrolment.ts";
import { EventLog, viewEvents } from "./event-log.ts";
import { FileApi } from "./file-api.ts";
import { JobHosts } from "./job-hosts.ts";
import { JobResults } from "./job-results.ts";
import { keepKnownView, readKnownView } from "./known-cluster.ts";
import { Leader } from "./leader.ts";
import { Leaving } from "./leaving.ts";
import { NodeApi } from "./node-api.ts";
import { orFreePort } from "./ports.ts";
import { RepairDriver } from "./repair-driver.ts";
import { serveMembers } from "./serve-members.ts";
import { TaskRunner } from "./task-runner.ts";
import { type ClusterView, ViewHolder } from "./view-holder.ts";
import { VitalsPulse } from "./vitals-pulse.ts";
import { addressOf, WatchDriver } from "./watch-driver.ts";

const REPORT_DEADLINE: Millis = 10_000;
const REPAIR_GRACE: Millis = 15_000;

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

/** What the later parts are made of. */
interface Base {
  readonly self: NodeId;
  readonly ring: RingId;
  readonly incarnation: number;
  readonly transport: Transport<ControlMethods>;
  readonly keeper: DataKeeper;
  readonly data: DataKeeper["port"];
  readonly view: ViewHolder;
  readonly events: EventLog;
  readonly log: Logger;
  readonly catalog: CatalogAccess;
  readonly hosts: JobHosts;
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
  readonly #ended = Promise.withResolvers<void>();
  #stopping: Promise<void> | undefined;
  /** Set once the parts are there that answer the data process. */
  #files: FileApi | undefined;

  constructor(start: ControlStart) {
    this.#start = start;
    this.#self = start.identity.node;
    this.#log = start.log;
  }

  async start(bind: () => void): Promise<RunningControl> {
    const known = readKnownView(this.#start.options.dataDir);
    if (known !== undefined) this.#view.offer(known);
    const transport = await this.#listen();
    const [keeper, own] = await Promise.all([this.#startData(transport), this.#openCatalog()]);
    const base = this.#base(transport, keeper, own);
    const watch = this.#closing(new WatchDriver(base));
    watch.start();
    const runner: TaskRunner = this.#closing(
      new TaskRunner({ ...base, report: (told) => this.#report(transport, leads, told) }),
    );
    const repair = this.#closing(new RepairDriver({ ...base, grace: REPAIR_GRACE }));
    const leader = (): PeerAddress | undefined => this.#leader();
    const other = (): PeerAddress | undefined => (own === undefined ? leader() : undefined);
    const pulse = this.#closing(new VitalsPulse({ ...base, runner, repair, leader: other }));
    const leads: Leader | undefined = own && this.#makeLeader(base, own, runner, watch, pulse);
    serveMembers({ ...base, runner, leads, leader });
    const { api, gateway } = await this.#startGateway(base, leads, pulse);
    const announcement = this.#announcement(transport, keeper, gateway);
    const enrolment = this.#closing(
      new Enrolment({ ...base, leader, removed: (error) => this.#fail(error) }),
    );
    this.#follow(base, () => enrolment.again(announcement));
    await this.#enter(enrolment, announcement, leads);
    bind();
    repair.start();
    pulse.start();
    return this.#running(transport, gateway, api, enrolment);
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

  #closing<T extends { close(): void | Promise<void> }>(part: T): T {
    this.#undo.push(() => part.close());
    return part;
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

  #base(transport: Transport<ControlMethods>, keeper: DataKeeper, own: Catalog | undefined): Base {
    return {
      self: this.#self,
      ring: this.#start.ring,
      incarnation: this.#start.identity.incarnation,
      transport,
      keeper,
      data: keeper.port,
      view: this.#view,
      events: this.#events,
      log: this.#log,
      catalog: own ?? new RemoteCatalog(transport, () => this.#leader()),
      hosts: this.#startHosts(keeper),
    };
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
    return this.#closing(await orFreePort(open, options.listen, options.asked.listen));
  }

  async #startData(transport: Transport<ControlMethods>): Promise<DataKeeper> {
    const { options, identity, ring } = this.#start;
    const { members, table } = this.#view.current ?? { members: EMPTY_LIST, table: EMPTY_TABLE };
    const start = {
      dir: options.dataDir,
      identity,
      ring,
      http: formatHostPort({ host: options.http.host, port: 0 }),
      secret: this.#secret,
      view: { members, table },
    };
    const callbacks: Parameters<typeof DataKeeper.start>[1] = {
      commitFile: (file) => {
        if (this.#files !== undefined) return this.#files.commit(file);
        return Promise.reject(new RingfoldError("no-leader", "the node is still starting"));
      },
      event: async (event) => this.#log.warn({ event }, "data"),
    };
    const apart = options.processes === 3;
    const open = (bulk: HostPort): Promise<DataKeeper> =>
      DataKeeper.start({ ...start, bulk: formatHostPort(bulk) }, callbacks, apart, this.#log);
    // The bulk port is the next one, so that a firewall can be told.
    const port = options.listen.port === 0 ? 0 : parseHostPort(transport.address).port + 1;
    const keeper = await orFreePort(open, { host: options.listen.host, port }, false);
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
    catalog.onFailure((error) => this.#fail(error));
    return this.#closing(catalog);
  }

  #startHosts(keeper: DataKeeper): JobHosts {
    const { slots, dataDir } = this.#start.options;
    const scratch = join(dataDir, "scratch");
    const pool = new HostPool({ slots, scratchRoot: scratch });
    let spares = 0;
    const spare = (): HostPool =>
      new HostPool({ slots: 1, scratchRoot: `${scratch}-${spares++}`, warm: 0 });
    return this.#closing(new JobHosts(pool, slots, spare, (id) => keeper.port.getSmall(id)));
  }

  #makeLeader(
    base: Base,
    catalog: Catalog,
    runner: TaskRunner,
    watch: WatchDriver,
    pulse: VitalsPulse,
  ): Leader {
    const { data, hosts } = base;
    const results = new JobResults({
      catalog,
      data,
      describe: (bundle) => hosts.describe(bundle),
      pool: () => hosts.spare(),
    });
    return new Leader({ ...base, catalog, runner, watch, results, vitals: () => pulse.now() });
  }

  async #startGateway(
    base: Base,
    leads: Leader | undefined,
    pulse: VitalsPulse,
  ): Promise<{ readonly api: NodeApi; readonly gateway: Gateway }> {
    const { options } = this.#start;
    const leader = (): PeerAddress | undefined => this.#leader();
    const asks: Asks = leads?.asks ?? new RemoteAsks(base.transport, leader);
    const files = new FileApi(base);
    this.#files = files;
    const api = new NodeApi({
      ...base,
      version: SOFTWARE_VERSION,
      startedAt: this.#startedAt,
      secret: this.#secret,
      asks,
      files,
      leaving: new Leaving({ ...base, asks, leader, gone: () => void this.#stop() }),
      hostPids: () => base.hosts.pids,
      describe: (bundle) => base.hosts.describe(bundle),
      vitals: () => pulse.now(),
    });
    const onFault = (fault: unknown, place: string): void =>
      this.#log.error({ error: errorNote(fault), place }, "http");
    const open = ({ host, port }: HostPort): Promise<Gateway> =>
      startGateway({ api, host, port, onFault });
    const gateway = await orFreePort(open, options.http, options.asked.http);
    return { api, gateway: this.#closing(gateway) };
  }

  #announcement(
    transport: Transport<ControlMethods>,
    keeper: DataKeeper,
    gateway: Gateway,
  ): Announcement {
    const { options, identity } = this.#start;
    const { name, zone, weight, slots } = options;
    const addresses = {
      control: transport.address,
      bulk: keeper.ready.bulk,
      http: new URL(gateway.url).host,
    };
    return { name, zone, weight, slots, addresses, incarnation: identity.incarnation };
  }

  /** Gets this node on the member list, or up on it again. */
  async #enter(
    enrolment: Enrolment,
    announcement: Announcement,
    leads: Leader | undefined,
  ): Promise<void> {
    const { role, token } = this.#start;
    if (leads !== undefined) {
      await leads.start(announcement);
      this.#closing(leads);
    } else if (role === "joiner" && token !== undefined) {
      await enrolment.join(announcement, token);
    } else await enrolment.returned(announcement);
  }

  /** Every later view: kept on disk, given to data, told to people; and this node's own place in it watched. */
  #follow({ transport, keeper }: Base, announceAgain: () => void): void {
    const { dataDir } = this.#start.options;
    const follow = (view: ClusterView, before: ClusterView | undefined): void => {
      keepKnownView(dataDir, view, before, this.#log);
      keeper.setView({ members: view.members, table: view.table });
      transport.recheck();
      for (const { kind, subject, text } of viewEvents(view, before)) {
        this.#events.add(kind as EventKind, subject, text);
      }
      const own = this.#view.member(this.#self);
      if (own?.state === "down" && view.leader !== this.#self) announceAgain();
    };
    this.#view.subscribe(follow);
    if (this.#view.current !== undefined) keeper.setView(this.#view.current);
  }

  async #report(
    transport: Transport<ControlMethods>,
    leads: Leader | undefined,
    told: Parameters<Leader["coordinator"]["report"]>[1],
  ): Promise<void> {
    if (leads !== undefined) return leads.coordinator.report(this.#self, told);
    const to = this.#leader();
    if (to === undefined) throw new RingfoldError("no-leader", "no leader is known");
    await transport.request(to, "report", told, { deadline: REPORT_DEADLINE });
  }

  #leader(): PeerAddress | undefined {
    const view = this.#view.current;
    return view === undefined ? undefined : addressOf(this.#view, view.leader);
  }

  async #running(
    transport: Transport<ControlMethods>,
    gateway: Gateway,
    api: NodeApi,
    enrolment: Enrolment,
  ): Promise<RunningControl> {
    // Without a leader a token could only be waited for.
    const token = enrolment.pending ? undefined : await api.joinToken({}).catch(() => undefined);
    return {
      node: {
        http: gateway.url,
        listen: transport.address,
        node: this.#self,
        name: this.#view.member(this.#self)?.name ?? this.#start.options.name,
        cluster: this.#start.ring,
        joinCommand: token?.command,
      },
      stop: () => this.#stop(),
      ended: this.#ended.promise,
    };
  }
}
