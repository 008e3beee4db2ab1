/**
 * Who a node is: a key pair, and an incarnation that grows with each start, so that peers can tell a node that came back
 * from one that never went. Kept in DATA/identity. The address is no part of it.
 *
 * I1: the incarnation is on disk before it is shown to anybody, and never given twice (tested).
 * I2: key.pem is written last: where it exists, everything else was written before (by order of writes).
 */
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { RingfoldError } from "../../base/errors.ts";
import type { NodeId, RingId } from "../../base/ids.ts";
import { ringId } from "../../base/ids.ts";
import { nodeIdOfKey, selfSignedCertificate } from "./certificate.ts";
import { makePrivateDirectory, readIfThere, writeDurably } from "./durable-file.ts";

/** All that a process of the node needs to speak for it. The key is a secret: never log this. */
export interface Identity {
  readonly node: NodeId;
  /** 1 at the first start. */
  readonly incarnation: number;
  readonly keyPem: string;
  readonly certPem: string;
}

/** A new identity that is nowhere on disk. ECDSA P-256: the fastest handshake that node:tls takes. */
export function newIdentity(): Identity {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    node: nodeIdOfKey(privateKey),
    incarnation: 1,
    keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    certPem: selfSignedCertificate(privateKey),
  };
}

const filesOf = (dataDir: string) => {
  const directory = join(dataDir, "identity");
  return {
    directory,
    key: join(directory, "key.pem"),
    cert: join(directory, "cert.pem"),
    incarnation: join(directory, "incarnation"),
    ring: join(directory, "ring.json"),
  };
};

/**
 * The identity of a data directory, with the next incarnation; made at the first start. Take
 * {@link lockDataDirectory} before: two starters would share an incarnation.
 * @throws RingfoldError `data-dir` when it cannot be read or written, or a part is damaged
 */
export function loadOrCreateIdentity(dataDir: string): Identity {
  const files = filesOf(dataDir);
  makePrivateDirectory(files.directory);
  const keyPem = readIfThere(files.key);
  if (keyPem !== undefined) return nextIncarnation(dataDir, keyPem);
  if (readIfThere(files.ring) !== undefined) {
    throw damaged(files.key, "it is missing, and without it the node is not the member it was");
  }
  const identity = newIdentity();
  writeDurably(files.incarnation, "1\n");
  writeDurably(files.cert, identity.certPem);
  writeDurably(files.key, identity.keyPem);
  return identity;
}

function nextIncarnation(dataDir: string, keyPem: string): Identity {
  const files = filesOf(dataDir);
  const certPem = readIfThere(files.cert) ?? "";
  const node = provenNode(dataDir, keyPem, certPem);
  const last = readIfThere(files.incarnation)?.trim() ?? "";
  if (!/^[1-9][0-9]{0,14}$/.test(last)) throw damaged(files.incarnation, "it is not a number");
  const incarnation = Number(last) + 1;
  writeDurably(files.incarnation, `${incarnation}\n`);
  return { node, incarnation, keyPem, certPem };
}

function provenNode(dataDir: string, keyPem: string, certPem: string): NodeId {
  const files = filesOf(dataDir);
  const key = readable(files.key, "it is not a private key", () => createPrivateKey(keyPem));
  const fits = readable(files.cert, "it is not a certificate", () =>
    new X509Certificate(certPem).checkPrivateKey(key),
  );
  if (!fits) throw damaged(files.cert, "it is not the certificate of key.pem");
  return nodeIdOfKey(key);
}

/** The ring that the data directory belongs to; undefined before it joined one. @throws RingfoldError `data-dir` */
export function ringOf(dataDir: string): RingId | undefined {
  const path = filesOf(dataDir).ring;
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  return readable(path, "it does not name a cluster", () => {
    const record = JSON.parse(text) as { version?: unknown; ring?: unknown };
    if (record.version !== 1) throw damaged(path, `its version is ${String(record.version)}`);
    return ringId(String(record.ring));
  });
}

/**
 * Binds the data directory to a ring, for good.
 * @throws RingfoldError `wrong-cluster` when it belongs to another, `data-dir`
 */
export function bindToRing(dataDir: string, ring: RingId): void {
  const present = ringOf(dataDir);
  if (present === ring) return;
  if (present !== undefined) {
    throw new RingfoldError(
      "wrong-cluster",
      `the data directory ${dataDir} belongs to cluster ${present}, not to ${ring}`,
    );
  }
  makePrivateDirectory(filesOf(dataDir).directory);
  writeDurably(filesOf(dataDir).ring, `${JSON.stringify({ version: 1, ring })}\n`);
}

function readable<T>(path: string, why: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof RingfoldError && error.code === "data-dir" ? error : damaged(path, why);
  }
}

const damaged = (path: string, why: string): RingfoldError =>
  new RingfoldError("data-dir", `${path} is damaged: ${why}`);
