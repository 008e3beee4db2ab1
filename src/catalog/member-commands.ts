/**
 * The commands about the cluster's members: who is on the list, in which state, and who holds what.
 *
 * C10 Each real change of the list gives out exactly one new epoch; a command that changes nothing
 *     gives none. Tested.
 * C11 What an older incarnation says, or is said of it, never undoes what a newer one did. Tested.
 * C12 A token admits as many nodes as it has uses, none after its expiry by the entry's clock.
 *     Tested.
 * C13 A partition table replaces exactly the one that it was computed from. Tested.
 */
import type { NodeId } from "../base/ids.ts";
import type { CommandOf, MemberResult } from "./commands.ts";
import {
  clusterOf,
  done,
  type Handlers,
  type LogPlace,
  nextEpoch,
  recordsOf,
  refuse,
} from "./handler.ts";
import type { MemberRecord } from "./records.ts";
import type { CatalogStore } from "./store.ts";

type MemberCommand =
  | "cluster-init"
  | "token-add"
  | "member-admit"
  | "member-up"
  | "member-down"
  | "member-leaving"
  | "member-remove"
  | "table-set";

export const memberHandlers: Handlers<MemberCommand> = {
  "cluster-init": (store, { ringId }) => {
    const cluster = store.get("cluster", "cluster");
    if (cluster === undefined) {
      store.put("cluster", "cluster", { ringId, epoch: 0, filesVersion: 0 });
    } else if (cluster.ringId !== ringId) {
      return refuse("wrong-cluster", `this catalog is of cluster ${cluster.ringId}, not ${ringId}`);
    }
    return done({ ringId });
  },

  "token-add": (store, { hash, expiresAt, uses }, { now }) => {
    if (expiresAt <= now) return refuse("bad-request", "the token would have expired already");
    for (const old of recordsOf(store, "token")) {
      if (old.expiresAt <= now) store.delete("token", old.hash);
    }
    store.put("token", hash, { hash, expiresAt, uses });
    return done({ expiresAt });
  },

  "member-admit": (store, command, at) => {
    const { member, tokenHash } = command;
    const known = store.get("member", member.id);
    // The answer to its first admission was lost, or it joins again by habit: its key is its
    // identity, no token is spent.
    if (known !== undefined) return bringUp(store, known, member, at);
    const fault = tokenFault(store, tokenHash, at) ?? placeFault(store, member.position);
    if (fault !== undefined) return fault;
    if (tokenHash !== undefined) spendToken(store, tokenHash);
    const record: MemberRecord = { ...member, state: "up", since: at.now };
    return done({ ...written(store, record), member: record });
  },

  "member-up": (store, command, at) => {
    const known = store.get("member", command.id);
    if (known === undefined) {
      return refuse("not-a-member", `node ${short(command.id)} is not on the member list`);
    }
    return bringUp(store, known, command, at);
  },

  "member-down": (store, { id, incarnation }, { now }) => {
    const known = store.get("member", id);
    // A report about a node that was removed, came back newer, or is known to be down says nothing
    // new.
    if (known === undefined || known.incarnation > incarnation || known.state === "down") {
      return done(unchanged(store));
    }
    return done(written(store, { ...known, state: "down", since: now }));
  },

  "member-leaving": (store, { id }, { now }) => {
    const known = store.get("member", id);
    if (known === undefined) return refuse("no-such-node", `no node ${short(id)} in the cluster`);
    if (known.state !== "up") return done(unchanged(store));
    return done(written(store, { ...known, state: "leaving", since: now }));
  },

  "member-remove": (store, { id }) => {
    const known = store.get("member", id);
    if (known === undefined) return refuse("no-such-node", `no node ${short(id)} in the cluster`);
    store.delete("member", id);
    return done({ epoch: nextEpoch(store), changed: true });
  },

  "table-set": (store, { table, basedOn }) => {
    const current = store.get("table", "current")?.version ?? 0;
    if (basedOn !== current || table.version <= current) {
      return refuse(
        "version-conflict",
        `the partition table is at version ${current}; version ${table.version} was computed from ${basedOn}`,
      );
    }
    store.put("table", "current", table);
    return done({ version: table.version });
  },
};

const short = (id: NodeId): string => id.slice(0, 12);

const unchanged = (store: CatalogStore): MemberResult => ({
  epoch: clusterOf(store).epoch,
  changed: false,
});

function written(store: CatalogStore, member: MemberRecord): MemberResult {
  store.put("member", member.id, member);
  return { epoch: nextEpoch(store), changed: true };
}

/** The member as it says that it is now. It stays `leaving` in the incarnation that said so. */
function bringUp(
  store: CatalogStore,
  known: MemberRecord,
  said: Omit<CommandOf<"member-up">, "type">,
  { now }: LogPlace,
) {
  if (said.incarnation < known.incarnation) {
    return refuse(
      "data-dir-in-use",
      `node ${short(known.id)} runs already in incarnation ${known.incarnation}; this is ${said.incarnation}`,
    );
  }
  const stays =
    known.state === "up" || (known.state === "leaving" && said.incarnation === known.incarnation);
  const state = stays ? known.state : "up";
  const member: MemberRecord = {
    ...known,
    name: said.name ?? known.name,
    zone: said.zone ?? known.zone,
    weight: said.weight ?? known.weight,
    slots: said.slots,
    addresses: said.addresses,
    incarnation: said.incarnation,
    state,
    since: state === known.state ? known.since : now,
  };
  if (sameMember(known, member)) return done({ ...unchanged(store), member: known });
  return done({ ...written(store, member), member });
}

const sameMember = (a: MemberRecord, b: MemberRecord): boolean =>
  a.name === b.name &&
  a.zone === b.zone &&
  a.weight === b.weight &&
  a.slots === b.slots &&
  a.incarnation === b.incarnation &&
  a.state === b.state &&
  a.addresses.control === b.addresses.control &&
  a.addresses.bulk === b.addresses.bulk &&
  a.addresses.http === b.addresses.http;

function tokenFault(store: CatalogStore, hash: string | undefined, { now }: LogPlace) {
  if (hash === undefined) {
    // Epoch 0: nobody was ever admitted, so the founder is speaking.
    return clusterOf(store).epoch === 0
      ? undefined
      : refuse("token-wrong", "a join token is needed to become a member");
  }
  const token = store.get("token", hash);
  if (token === undefined) return refuse("token-wrong", "the join token is unknown or used up");
  return token.expiresAt <= now ? refuse("token-expired", "the join token has expired") : undefined;
}

function spendToken(store: CatalogStore, hash: string): void {
  const token = store.get("token", hash);
  if (token === undefined) return;
  if (token.uses > 1) store.put("token", hash, { ...token, uses: token.uses - 1 });
  else store.delete("token", hash);
}

/** Two drivers may have computed the same place from the same list. */
const placeFault = (store: CatalogStore, position: string) =>
  recordsOf(store, "member").some((member) => member.position === position)
    ? refuse("version-conflict", `the place ${position} on the circle is taken meanwhile`)
    : undefined;
