import { X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ringId } from "../../base/ids.ts";
import { nodeIdOfKey } from "./certificate.ts";
import { bindToRing, loadOrCreateIdentity, newIdentity, ringOf } from "./identity.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "ringfold-identity-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const ring = ringId("0".repeat(32));

describe("identity", () => {
  it("is named by the hash of the key that its certificate carries and signs", () => {
    const identity = newIdentity();
    const certificate = new X509Certificate(identity.certPem);
    expect(nodeIdOfKey(certificate.publicKey)).toBe(identity.node);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(newIdentity().node).not.toBe(identity.node);
  });

  it("I1: stays the same over starts, with a greater incarnation each time", () => {
    const first = loadOrCreateIdentity(dir);
    const second = loadOrCreateIdentity(dir);
    expect(first.incarnation).toBe(1);
    expect(second).toEqual({ ...first, incarnation: 2 });
    expect(loadOrCreateIdentity(dir).incarnation).toBe(3);
  });

  it("keeps its files from everybody but their owner, and leaves no temporary ones", () => {
    loadOrCreateIdentity(dir);
    const folder = join(dir, "identity");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readdirSync(folder).toSorted()).toEqual(["cert.pem", "incarnation", "key.pem"]);
    for (const name of readdirSync(folder)) {
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    }
  });

  it.each([
    ["key.pem", "nonsense", /key\.pem is damaged: it is not a private key/],
    ["cert.pem", "nonsense", /cert\.pem is damaged: it is not a certificate/],
    ["incarnation", "-1", /incarnation is damaged: it is not a number/],
    ["incarnation", "", /incarnation is damaged: it is not a number/],
  ])("says that %s is damaged when it holds %j", (name, content, message) => {
    loadOrCreateIdentity(dir);
    writeFileSync(join(dir, "identity", name), content);
    expect(() => loadOrCreateIdentity(dir)).toThrow(message);
    expect(() => loadOrCreateIdentity(dir)).toThrow(expect.objectContaining({ code: "data-dir" }));
  });

  it("refuses the certificate of another key", () => {
    loadOrCreateIdentity(dir);
    writeFileSync(join(dir, "identity", "cert.pem"), newIdentity().certPem);
    expect(() => loadOrCreateIdentity(dir)).toThrow(/not the certificate of key\.pem/);
  });

  it("does not become another node when a member's key is gone", () => {
    loadOrCreateIdentity(dir);
    bindToRing(dir, ring);
    rmSync(join(dir, "identity", "key.pem"));
    expect(() => loadOrCreateIdentity(dir)).toThrow(/key\.pem is damaged: it is missing/);
  });

  it("begins again after a crash before the key was written", () => {
    loadOrCreateIdentity(dir);
    rmSync(join(dir, "identity", "key.pem"));
    expect(loadOrCreateIdentity(dir).incarnation).toBe(1);
  });

  it.skipIf(process.getuid?.() === 0)("says so when the directory cannot be written", () => {
    chmodSync(dir, 0o500);
    expect(() => loadOrCreateIdentity(dir)).toThrow(expect.objectContaining({ code: "data-dir" }));
    chmodSync(dir, 0o700);
  });

  it("says so when the data directory is a file", () => {
    const file = join(dir, "file");
    writeFileSync(file, "");
    expect(() => loadOrCreateIdentity(file)).toThrow(expect.objectContaining({ code: "data-dir" }));
  });
});

describe("the ring of a data directory", () => {
  it("is none at first, then the one it was bound to, and never another", () => {
    expect(ringOf(dir)).toBeUndefined();
    bindToRing(dir, ring);
    bindToRing(dir, ring);
    expect(ringOf(dir)).toBe(ring);
    expect(() => bindToRing(dir, ringId("1".repeat(32)))).toThrow(
      expect.objectContaining({ code: "wrong-cluster" }),
    );
  });

  it.each(["", "{}", '{"version":2,"ring":"00"}', '{"version":1,"ring":"00"}'])(
    "is damaged when its record is %j",
    (text) => {
      bindToRing(dir, ring);
      writeFileSync(join(dir, "identity", "ring.json"), text);
      expect(() => ringOf(dir)).toThrow(expect.objectContaining({ code: "data-dir" }));
    },
  );
});
