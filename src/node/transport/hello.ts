/** The first frame on every connection, both ways: who speaks, for which ring, in which version. */
import { z } from "zod";
import { RingfoldError } from "../../base/errors.ts";
import type { NodeId, RingId } from "../../base/ids.ts";
import { countSchema, nodeIdSchema, ringIdSchema } from "../../wire/schema-ids.ts";

export const helloSchema = z.object({
  protocol: countSchema,
  jobApi: countSchema,
  software: z.string().max(64),
  ring: ringIdSchema,
  node: nodeIdSchema,
  incarnation: countSchema,
  /** The speaker is no member yet and knows the ring from a token. */
  joining: z.boolean(),
});

export type Hello = z.output<typeof helloSchema>;

/** Why these two cannot talk; undefined when they can. `proven` is the node of the key that TLS checked. */
export function helloFault(mine: Hello, theirs: Hello, proven: NodeId): RingfoldError | undefined {
  if (theirs.protocol !== mine.protocol || theirs.jobApi !== mine.jobApi) {
    return new RingfoldError(
      "version-mismatch",
      `node ${short(mine.node)} runs ${versions(mine)}, node ${short(proven)} ${versions(theirs)}`,
    );
  }
  if (theirs.node !== proven) {
    return new RingfoldError("protocol", `node ${short(proven)} said that it is another node`);
  }
  if (theirs.ring !== mine.ring) return foreign(mine, theirs);
  return undefined;
}

function foreign(mine: Hello, theirs: Hello): RingfoldError {
  const rings: readonly RingId[] = [mine.ring, theirs.ring];
  const both = `node ${short(mine.node)} is of cluster ${rings[0]}, node ${short(theirs.node)}`;
  return mine.joining || theirs.joining
    ? new RingfoldError("token-foreign", `the token is of another cluster: ${both} of ${rings[1]}`)
    : new RingfoldError("wrong-cluster", `${both} of ${rings[1]}`);
}

const versions = (hello: Hello): string =>
  `ringfold ${hello.software} (protocol ${hello.protocol}, job API ${hello.jobApi})`;

/** Enough of a node's id to find it in a table. */
export const short = (node: NodeId): string => node.slice(0, 8);
