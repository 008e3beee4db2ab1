import { describe, expect, it } from "vitest";
import { DirSync } from "./dir-sync.ts";
import { realDisk } from "./disk.ts";

function slowDisk() {
  const started: string[] = [];
  const open: (() => void)[] = [];
  const syncDir = (dir: string): Promise<void> => {
    started.push(dir);
    return new Promise((resolve) => open.push(resolve));
  };
  return { started, open, disk: { ...realDisk, syncDir } };
}

describe("directory syncs", () => {
  it("are shared by all that wait, and start after each of their calls (S1)", async () => {
    const { started, open, disk } = slowDisk();
    const sync = new DirSync(disk);
    const done: number[] = [];
    const first = sync.ofFile("/d/x").then(() => done.push(1));
    const later = [2, 3, 4].map((n) => sync.ofFile("/d/y").then(() => done.push(n)));
    expect(started).toEqual(["/d"]);
    open[0]?.();
    await first;
    expect(done).toEqual([1]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(started).toEqual(["/d", "/d"]);
    open[1]?.();
    await Promise.all(later);
    expect(done).toEqual([1, 2, 3, 4]);
  });

  it("of different folders do not wait for each other", () => {
    const { started, disk } = slowDisk();
    const sync = new DirSync(disk);
    void sync.of("/a");
    void sync.of("/b");
    expect(started).toEqual(["/a", "/b"]);
  });

  it("that fail do not stop the next one", async () => {
    let calls = 0;
    const syncDir = async (): Promise<void> => {
      calls++;
      if (calls === 1) throw new Error("EIO");
    };
    const sync = new DirSync({ ...realDisk, syncDir });
    const [first, second] = await Promise.allSettled([sync.of("/d"), sync.of("/d")]);
    expect([first.status, second.status, calls]).toEqual(["rejected", "fulfilled", 2]);
  });
});
