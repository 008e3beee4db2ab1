/** What must hold when the storm is over (S5). */
import { present } from "../src/base/errors.ts";
import { blockIdOf } from "../src/base/hash.ts";
import type { BlockId } from "../src/base/ids.ts";
import { holders } from "../src/ring/holders.ts";
import { violated } from "./checkers.ts";
import type { Fleet } from "./fleet.ts";
import { expectedCount } from "./text.ts";
import type { Users } from "./users.ts";

/** What is not at rest yet, in words. */
export function unsettled(fleet: Fleet, users: Users): string | undefined {
  const running = fleet.leader.coordinator.scheduler.jobs();
  if (running.length > 0) return `${running.join()} still runs`;
  if (users.waiting > 0) return `${users.waiting} users still wait`;
  for (const machine of fleet.machines) {
    if (machine.leaving) return `${machine.name} is still leaving`;
    const { node, name } = machine;
    if (node === undefined) return `${name} is not running`;
    if (node.view?.number !== fleet.leader.view.number) return `${name} has an old view`;
    const state = fleet.leader.view.members.members.find((it) => it.id === node.id)?.state;
    if (state !== "up") return `${name} is ${state}`;
    if (node.worker.busy > 0) return `${name} still works`;
    if (node.worker.holding > 0) return `${name} keeps map outputs of ended jobs`;
  }
  return unwhole(fleet);
}

/** A block that does not have all its copies at its holders, in words. */
export function unwhole(fleet: Fleet): string | undefined {
  const { members, table } = fleet.leader.view;
  if (members.members.some((member) => member.state !== "up")) return "a member is not up";
  const disks = new Map(fleet.machines.map((it) => [it.id, it]));
  for (const { block, copies } of fleet.leader.wanted()) {
    for (const id of holders(table, members.members, block, copies)) {
      const machine = disks.get(id);
      if (machine?.node === undefined || !machine.disk.blocks.has(block)) {
        return `block ${block.slice(0, 8)} is not on ${machine?.name ?? id.slice(0, 6)}`;
      }
    }
  }
  return undefined;
}

/** Files and answers, to the byte. @throws InvariantError */
export function checkEnd(fleet: Fleet, users: Users): void {
  for (const file of users.acked) {
    const text = readBack(fleet, file.manifest);
    if (text !== file.text) violated(`S5: ${file.name} reads as it was written`);
  }
  for (const { id, texts, output } of users.jobs) {
    const record = fleet.leader.store.get("job", id);
    if (record === undefined) continue;
    if (record.state !== "done") violated(`S5: ${id} is done, not ${record.state}`);
    const parts = fleet.leader.store.keys("file", { prefix: `${output}/` }).map((name) => {
      const file = present(fleet.leader.store.get("file", name), "a listed file");
      return readBack(fleet, file.versions[0].manifest);
    });
    if (merged(parts).join("\n") !== expectedCount(texts).join("\n")) {
      violated(`S5: ${id} answers what the oracle answers`);
    }
    fleet.world.tell(`${id} is right`);
  }
}

/** From the disks of the living, as any reader would find it. */
function readBack(fleet: Fleet, manifest: BlockId): string {
  const read = (block: BlockId): Uint8Array => {
    const holder = fleet.machines.find((it) => it.disk.blocks.has(block));
    if (holder === undefined) violated(`S5: block ${block.slice(0, 8)} is not lost`);
    const bytes = present(holder.disk.blocks.get(block), "just found");
    if (blockIdOf(bytes) !== block) violated(`S5: block ${block.slice(0, 8)} is what its id says`);
    return bytes;
  };
  const listed = JSON.parse(Buffer.from(read(manifest)).toString()) as {
    readonly blocks: readonly { readonly id: BlockId }[];
  };
  return Buffer.concat(listed.blocks.map(({ id }) => read(id))).toString();
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
