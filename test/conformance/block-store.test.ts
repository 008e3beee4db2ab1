import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { present } from "../../src/base/errors.ts";
import { blockIdOf } from "../../src/base/hash.ts";
import { type BlockId, blockId } from "../../src/base/ids.ts";
import { AlignedPool, SLOT_BYTES, wholePages } from "../../src/node/data/aligned-pool.ts";
import { BlockStore } from "../../src/node/data/block-store.ts";
import { realDisk } from "../../src/node/data/disk.ts";
import { type DiskStep, FaultyDisk } from "./block-store-faulty-disk.ts";

const MIB = 1024 * 1024;

let dir: string;
let disk: FaultyDisk;
const quarantined: BlockId[] = [];

const openStore = (): Promise<BlockStore> =>
  BlockStore.open({ dir, disk, onQuarantine: (block) => quarantined.push(block) });

const pathOf = (id: BlockId): string => join(dir, "blocks", id.slice(0, 2), id);
const leftovers = (): Promise<string[]> => readdir(join(dir, "blocks", "tmp"));
/** Compared outside of the matchers, which look at each byte as an object. */
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const code = (wanted: string) => expect.objectContaining({ code: wanted });

function block(size: number): { id: BlockId; bytes: Buffer } {
  const bytes = randomBytes(size);
  return { id: blockIdOf(bytes), bytes };
}

async function receive(store: BlockStore, id: BlockId, length: number, pieces: Uint8Array[]) {
  const writer = await store.receive(id, length);
  try {
    for (const piece of pieces) await writer.write(piece);
  } catch (error) {
    await writer.abort();
    throw error;
  }
  await writer.commit();
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ringfold-store-"));
  disk = new FaultyDisk(realDisk);
  quarantined.length = 0;
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe("a block that is put", () => {
  it("is read back, here and after a restart", async () => {
    const { id, bytes } = block(300_000);
    const store = await openStore();
    await store.put(id, bytes);
    expect(same(await store.read(id), bytes)).toBe(true);
    const again = await openStore();
    expect([again.has(id), again.size(id), again.count, again.bytes]).toEqual([
      true,
      300_000,
      1,
      300_000,
    ]);
    expect(same(await again.read(id), bytes)).toBe(true);
  });

  it("is synced, renamed, and its folder synced, in this order, before the answer (B1)", async () => {
    const store = await openStore();
    const { id, bytes } = block(1000);
    disk.done.length = 0;
    await store.put(id, bytes);
    expect(disk.done).toEqual(["create", "write", "sync", "rename", "syncDir"]);
  });

  it("is not listed before its folder is synced (B1)", async () => {
    const store = await openStore();
    const { id, bytes } = block(1000);
    let listed = true;
    disk.plan = (step) => {
      if (step === "syncDir") listed = store.has(id);
      return undefined;
    };
    await store.put(id, bytes);
    expect([listed, store.has(id)]).toEqual([false, true]);
  });

  it("may be put twice: the second put writes nothing", async () => {
    const store = await openStore();
    const { id, bytes } = block(1000);
    await store.put(id, bytes);
    disk.done.length = 0;
    await store.put(id, bytes);
    expect(disk.done).toEqual([]);
    expect([store.count, store.bytes]).toEqual([1, 1000]);
  });

  it("may be put by many at once, and counts once (B3)", async () => {
    const store = await openStore();
    const { id, bytes } = block(2 * MIB);
    await Promise.all(Array.from({ length: 8 }, () => store.put(id, bytes)));
    expect([store.count, store.bytes]).toEqual([1, 2 * MIB]);
    expect(same(await store.read(id), bytes)).toBe(true);
    expect(await leftovers()).toEqual([]);
  });

  it("can be empty", async () => {
    const store = await openStore();
    const { id, bytes } = block(0);
    await store.put(id, bytes);
    expect(same(await store.read(id), bytes)).toBe(true);
  });
});

describe("a block that arrives in pieces", () => {
  it("is the same however it was cut", async () => {
    const store = await openStore();
    const sizes = fc.array(fc.integer({ min: 1, max: 700_000 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(sizes, async (lengths) => {
        const pieces = lengths.map((length) => randomBytes(length));
        const whole = Buffer.concat(pieces);
        const id = blockIdOf(whole);
        await receive(store, id, whole.length, pieces);
        expect(same(await store.read(id), whole)).toBe(true);
      }),
      { numRuns: 20 },
    );
    expect(await leftovers()).toEqual([]);
  });

  it("is refused when other bytes arrive than its name says", async () => {
    const store = await openStore();
    const { id } = block(1000);
    await expect(receive(store, id, 1000, [randomBytes(1000)])).rejects.toEqual(
      code("block-corrupt"),
    );
    expect([store.has(id), await leftovers()]).toEqual([false, []]);
  });

  it("is refused when fewer or more bytes arrive than promised", async () => {
    const store = await openStore();
    const { id, bytes } = block(1000);
    await expect(receive(store, id, 1000, [bytes.subarray(1)])).rejects.toEqual(code("protocol"));
    await expect(receive(store, id, 999, [bytes])).rejects.toEqual(code("protocol"));
    expect([store.has(id), await leftovers()]).toEqual([false, []]);
  });

  it("is refused before its first byte when it is larger than any block", async () => {
    const store = await openStore();
    await expect(store.receive(block(10).id, 64 * MIB + 1)).rejects.toEqual(code("too-large"));
    expect(await leftovers()).toEqual([]);
  });

  it("leaves nothing when it is given up", async () => {
    const store = await openStore();
    const { id, bytes } = block(3 * MIB);
    const writer = await store.receive(id, bytes.length);
    await writer.write(bytes.subarray(0, 2 * MIB));
    await writer.abort();
    expect([store.has(id), await leftovers()]).toEqual([false, []]);
  });
});

describe("what a crash left", () => {
  it("is removed when it had no name yet", async () => {
    await openStore();
    const { id, bytes } = block(1000);
    await writeFile(join(dir, "blocks", "tmp", `0.${id}`), bytes.subarray(0, 500));
    const store = await openStore();
    expect([store.has(id), await leftovers()]).toEqual([false, []]);
  });

  it("is synced by the next start before it is listed, when only the folder's sync was missing", async () => {
    const store = await openStore();
    const { id, bytes } = block(1000);
    disk.plan = (step) => (step === "syncDir" ? "EIO" : undefined);
    await expect(store.put(id, bytes)).rejects.toEqual(code("disk-failed"));
    expect(store.has(id)).toBe(false);
    const synced: string[] = [];
    disk.plan = (step, path) => {
      if (step === "syncDir") synced.push(path);
      return undefined;
    };
    // A crash would have come here: the file has its name or has not; the next start must sync what
    // it lists.
    await mkdir(join(dir, "blocks", id.slice(0, 2)), { recursive: true });
    await writeFile(pathOf(id), bytes);
    const again = await openStore();
    expect(again.has(id)).toBe(true);
    expect(synced).toContain(join(dir, "blocks", id.slice(0, 2)));
  });

  it("is not listed when its name is no block id, or lies in a wrong folder", async () => {
    const store = await openStore();
    const { id, bytes } = block(1000);
    await store.put(id, bytes);
    const other = join(dir, "blocks", id.startsWith("00") ? "01" : "00");
    await writeFile(join(other, id), bytes);
    await writeFile(join(other, "passwd"), "x");
    const again = await openStore();
    expect(again.ids()).toEqual([id]);
    expect(again.bytes).toBe(1000);
  });
});

describe("a damaged copy", () => {
  const damages: Record<string, (path: string) => Promise<void>> = {
    "a flipped bit": async (path) => {
      const bytes = await readFile(path);
      bytes[500] = (bytes[500] ?? 0) ^ 1;
      await writeFile(path, bytes);
    },
    "a cut end": (path) => truncate(path, 999),
    "no bytes at all": (path) => truncate(path, 0),
  };
  for (const [name, damage] of Object.entries(damages)) {
    it(`with ${name} is never handed out and goes to quarantine (B2)`, async () => {
      const store = await openStore();
      const { id, bytes } = block(1000);
      await store.put(id, bytes);
      await damage(pathOf(id));
      await expect(store.read(id)).rejects.toEqual(code("block-corrupt"));
      expect([store.has(id), quarantined, store.quarantined]).toEqual([false, [id], 1]);
      expect(await readdir(join(dir, "quarantine"))).toEqual([id]);
      await store.put(id, bytes);
      expect(same(await store.read(id), bytes)).toBe(true);
    });
  }

  it("is found by verify, and a sound or absent one is not", async () => {
    const store = await openStore();
    const good = block(1000);
    const bad = block(1000);
    await store.put(good.id, good.bytes);
    await store.put(bad.id, bad.bytes);
    await truncate(pathOf(bad.id), 10);
    expect([await store.verify(good.id), await store.verify(bad.id)]).toEqual([true, false]);
    expect(quarantined).toEqual([bad.id]);
  });

  it("whose file is gone is missing, not corrupt", async () => {
    const store = await openStore();
    const { id, bytes } = block(1000);
    await store.put(id, bytes);
    await rm(pathOf(id));
    await expect(store.read(id)).rejects.toEqual(code("block-missing"));
    expect(store.has(id)).toBe(false);
  });
});

describe("a disk that fails", () => {
  const steps: DiskStep[] = ["create", "write", "sync", "rename", "syncDir"];
  for (const step of steps) {
    for (const [errno, expected] of [
      ["ENOSPC", "disk-full"],
      ["EIO", "disk-failed"],
    ] as const) {
      it(`with ${errno} at ${step} promises nothing and leaves nothing under way (B5)`, async () => {
        const store = await openStore();
        const { id, bytes } = block(2 * MIB);
        disk.plan = (at) => (at === step ? errno : undefined);
        await expect(store.put(id, bytes)).rejects.toEqual(code(expected));
        await expect(receive(store, id, bytes.length, [bytes])).rejects.toEqual(code(expected));
        expect([store.has(id), store.bytes, await leftovers()]).toEqual([false, 0, []]);
        disk.plan = () => undefined;
        await store.put(id, bytes);
        expect(same(await store.read(id), bytes)).toBe(true);
      });
    }
  }

  it("that is nearly full refuses before the first byte and keeps what it has", async () => {
    const store = await openStore();
    const first = block(1 * MIB);
    await store.put(first.id, first.bytes);
    disk.freeBytes = 64 * MIB + 5 * MIB;
    const full = await BlockStore.open({ dir, disk });
    const large = block(6 * MIB);
    disk.done.length = 0;
    await expect(full.put(large.id, large.bytes)).rejects.toEqual(code("disk-full"));
    expect(disk.done).toEqual([]);
    expect(same(await full.read(first.id), first.bytes)).toBe(true);
    const small = block(4 * MIB);
    await full.put(small.id, small.bytes);
    expect(full.has(small.id)).toBe(true);
  });

  it("that has room for one of two at once takes one", async () => {
    disk.freeBytes = 64 * MIB + 5 * MIB;
    const store = await openStore();
    const [a, b] = [block(4 * MIB), block(4 * MIB)];
    const results = await Promise.allSettled([store.put(a.id, a.bytes), store.put(b.id, b.bytes)]);
    const statuses = results.map((result) => result.status);
    expect(new Set(statuses)).toEqual(new Set(["fulfilled", "rejected"]));
  });
});

describe("a block that goes around the page cache", () => {
  const pool = new AlignedPool(1);
  async function inSlot(size: number, use: (bytes: Buffer, slot: Buffer) => Promise<void>) {
    const slot = pool.take(SLOT_BYTES);
    try {
      await use(slot.subarray(0, size).fill(randomBytes(997)), slot);
    } finally {
      pool.give(slot);
    }
  }

  for (const size of [0, 1, 4095, 4096, 4097, 1_000_001, SLOT_BYTES]) {
    it(`has exactly its bytes on the disk, ${size} of them`, async () => {
      const store = await openStore();
      await inSlot(size, async (bytes, slot) => {
        const id = blockIdOf(bytes);
        const before = Buffer.from(bytes);
        await store.put(id, bytes, true);
        expect([store.size(id), (await stat(pathOf(id))).size]).toEqual([size, size]);
        expect(same(await store.read(id), before)).toBe(true);
        slot.fill(1);
        const cold = await store.readCold(id, slot);
        if (store.isCold(id)) expect(cold !== undefined && same(cold, before)).toBe(true);
      });
      expect(await leftovers()).toEqual([]);
    });
  }

  it("is written the ordinary way where the file system cannot, or the bytes are no slot", async () => {
    disk.direct = false;
    const store = await openStore();
    await inSlot(5000, async (bytes) => {
      await store.put(blockIdOf(bytes), bytes, true);
      expect([store.isCold(blockIdOf(bytes)), store.count]).toEqual([false, 1]);
    });
    disk.direct = true;
    const { id, bytes } = block(5000);
    await store.put(id, bytes, true);
    expect([store.isCold(id), same(await store.read(id), bytes)]).toEqual([false, true]);
  });

  it("promises nothing and leaves nothing when the disk fails (B5)", async () => {
    const store = await openStore();
    for (const step of ["create", "write", "sync", "rename", "syncDir"]) {
      disk.plan = (at) => (at === step ? "ENOSPC" : undefined);
      await inSlot(9000, async (bytes) => {
        const id = blockIdOf(bytes);
        await expect(store.put(id, bytes, true)).rejects.toEqual(code("disk-full"));
        expect([store.has(id), store.isCold(id), await leftovers()]).toEqual([false, false, []]);
      });
    }
  });
});

describe("the pool of slots", () => {
  it("never lends a slot twice, and gives ordinary buffers when all are out (A1)", () => {
    const pool = new AlignedPool(1);
    const slots = Array.from({ length: 24 }, () => pool.take(SLOT_BYTES));
    const aligned = slots.filter((slot) => wholePages(slot) !== undefined);
    expect([aligned.length, new Set(aligned.map((slot) => slot.byteOffset)).size]).toEqual([
      20, 20,
    ]);
    expect(pool.lent).toBe(24);
    for (const slot of slots) pool.give(slot);
    expect(pool.lent).toBe(0);
    expect(() => pool.give(present(aligned[0], "a slot"))).toThrow(/A1/);
  });
});

describe("names", () => {
  it("that are no block ids never reach the disk (B4)", () => {
    const evil = ["../../etc/passwd", "..", "", "A".repeat(64), `${"a".repeat(63)}/`, "a\0b"];
    for (const text of evil) expect(() => blockId(text)).toThrow(/block id/);
  });
});

describe("a task's link", () => {
  it("has the block's bytes without a copy, and survives the drop of the block", async () => {
    const store = await openStore();
    const { id, bytes } = block(1000);
    await store.put(id, bytes);
    const link = join(dir, "in");
    expect(await store.link(id, link)).toBe(1000);
    expect((await stat(link)).ino).toBe((await stat(pathOf(id))).ino);
    expect(await store.drop([id, block(5).id])).toBe(1);
    expect([store.has(id), store.bytes]).toEqual([false, 0]);
    expect(await readFile(link)).toEqual(bytes);
  });

  it("of a block that is not here is refused", async () => {
    const store = await openStore();
    await expect(store.link(block(10).id, join(dir, "in"))).rejects.toEqual(code("block-missing"));
  });
});
