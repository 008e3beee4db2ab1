/** `up` with a wrong token, port or data directory: refused in one message, and no process stays. */
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ErrorCode } from "../../src/base/errors.ts";
import { formatToken, type JoinToken, parseToken } from "../../src/wire/token.ts";
import { expectRefusal, ringfold } from "./bad-input.ts";
import { TestCluster, waitFor } from "./cluster.ts";

let cluster: TestCluster;
let other: TestCluster;
let cwd: string;

beforeAll(async () => {
  [cluster, other] = await Promise.all([
    TestCluster.start({ nodes: 1 }),
    TestCluster.start({ nodes: 1 }),
  ]);
  cwd = join(cluster.temporary, "../work");
  mkdirSync(cwd);
  writeFileSync(join(cwd, "file"), "not a folder\n");
});
afterAll(() => Promise.all([cluster.close(), other.close()]));

/** @param input the token, for `--join -` */
async function refused(
  flags: string,
  code: ErrorCode,
  says: readonly (string | RegExp)[],
  input?: string,
): Promise<void> {
  const ports = ["--listen", "--http"].flatMap((flag) =>
    flags.includes(flag) ? [] : [flag, "127.0.0.1:0"],
  );
  const args = ["up", ...flags.split(" "), ...ports];
  expectRefusal(
    await ringfold(args, { cwd, ...(input === undefined ? {} : { input }) }),
    code,
    says,
  );
}

describe("a token", () => {
  const token = async (change: Partial<JoinToken> = {}): Promise<string> => {
    const made = await cluster.first.client.joinToken();
    return formatToken({ ...parseToken(made.token), ...change });
  };
  const zeros = (length: number) => "0".repeat(length);

  test.each([
    [
      "that is none",
      async (): Promise<string> => "garbage",
      "token-malformed",
      "does not begin with rf1.",
    ],
    ["that is empty", async (): Promise<string> => "", "token-malformed", "empty"],
    [
      "of which a part was not pasted",
      async (): Promise<string> => (await token()).slice(0, -5),
      "token-malformed",
      "missing",
    ],
    ["with a wrong secret", () => token({ secret: new Uint8Array(32) }), "token-wrong", "unknown"],
    [
      "of another cluster",
      () => token({ ring: zeros(32) as JoinToken["ring"] }),
      "token-foreign",
      "another cluster",
    ],
    [
      "of a node with another key",
      () => token({ inviter: zeros(64) as JoinToken["inviter"] }),
      "join-unreachable",
      "another key",
    ],
    [
      "of a node that is away",
      () => token({ addresses: ["127.0.0.1:1"] }),
      "join-unreachable",
      "127.0.0.1:1: nothing listens",
    ],
    [
      "with the HTTP address",
      () => token({ addresses: [new URL(cluster.first.http).host] }),
      "join-unreachable",
      "no node",
    ],
  ] as const)("%s is refused", async (_what, make, code, says) => {
    await refused("--data new --join -", code, [says], await make());
  });

  test("that has expired is refused", async () => {
    const { token: short, expiresAt } = await cluster.first.client.joinToken({ ttlMs: 1000 });
    await waitFor("the expiry", async () => Date.now() > expiresAt);
    await refused("--data new --join -", "token-expired", ["expired"], short);
  });

  test("of one cluster is refused with the data directory of another", async () => {
    const data = join(other.temporary, "..", other.first.name);
    const { token: foreign } = await cluster.first.client.joinToken();
    const { node } = other.first;
    const first = other.first;
    process.kill(first.pid, "SIGTERM");
    await other.gone(first);
    await refused(`--data ${data} --join -`, "wrong-cluster", [data, "cluster"], foreign);
    const again = await other.restart(first);
    expect(again.node).toBe(node);
  });
});

describe("up", () => {
  test("refuses a data directory that a node uses", async () => {
    const data = join(cluster.temporary, "..", cluster.first.name);
    await refused(`--data ${data}`, "data-dir-in-use", [`process ${cluster.first.pid}`]);
    expect((await cluster.first.client.status()).nodes.up).toBe(1);
  });

  test.each([
    ["--data file", "data-dir", "in the way"],
    ["--data /proc/nothing/here", "data-dir", "/proc/nothing"],
    ["--data new --http 0.0.0.0:0", "http-exposed", "loopback only"],
    ["--data new --listen nonsense", "listen-address", "not HOST:PORT"],
    ["--data new --listen 203.0.113.1:0", "listen-address", "no such address"],
    ["--data new --slots many", "bad-option", "--slots"],
    ["--data new --name a/../b", "bad-option", "--name"],
  ] as const)("%s is refused", async (flags, code, says) => {
    await refused(flags, code, [says]);
  });

  test.each(["--listen", "--http"])("refuses a port of %s that is in use", async (flag) => {
    const server = createServer().listen(0, "127.0.0.1");
    await waitFor("a port", async () => server.listening);
    const { port } = server.address() as { port: number };
    try {
      await refused(`--data new ${flag} 127.0.0.1:${port}`, "port-in-use", [`127.0.0.1:${port}`]);
    } finally {
      server.close();
    }
  });
});
