/**
 * The public API keeps its shape: a change of the document is made on purpose, with
 * `npx vitest run test/golden -u`.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildGateway } from "../../src/node/http/gateway.ts";
import { MemoryCluster } from "../../src/node/http/memory-cluster.ts";

let cluster: MemoryCluster;

beforeAll(async () => {
  cluster = await MemoryCluster.start();
});

afterAll(() => cluster.stop());

it("publishes the OpenAPI document that it published before", async () => {
  const app = await buildGateway({ api: cluster });
  const answer = await app.inject({ url: "/api/v1/openapi.json", headers: { host: "localhost" } });
  await app.close();
  expect(answer.statusCode).toBe(200);
  const document = JSON.parse(answer.body);
  expect(Object.keys(document.paths)).toContain("/api/v1/files/{name}/content");
  await expect(`${JSON.stringify(document, null, 1)}\n`).toMatchFileSnapshot("./api.openapi.json");
});
