/** Health in plain words, from counts that any node can give. */
import { z } from "zod";
import { count } from "./scalar.ts";

export const health = z.object({
  state: z
    .enum(["healthy", "healing", "at-risk", "broken"])
    .describe(
      "healing: copies are being made; at-risk: a block has one copy left; broken: some data has none",
    ),
  text: z.string().describe("the same in plain words"),
  healing: count.describe("blocks with fewer copies than wanted"),
  lastCopy: count.describe("blocks that want more copies and have one left"),
  missing: count.describe("blocks without any copy"),
});
export type Health = z.infer<typeof health>;

export interface BlockCounts {
  readonly total: number;
  /** Fewer live copies than wanted, the last-copy and the missing ones included. */
  readonly healing: number;
  readonly lastCopy: number;
  readonly missing: number;
}

/** The worst true sentence about the blocks. */
export function healthOf(blocks: BlockCounts): Health {
  const { healing, lastCopy, missing } = blocks;
  if (missing > 0) {
    return { ...of(blocks), state: "broken", text: `${have(missing)} no copy on a live node` };
  }
  if (lastCopy > 0)
    return { ...of(blocks), state: "at-risk", text: `${have(lastCopy)} one copy left` };
  if (healing > 0) {
    return {
      ...of(blocks),
      state: "healing",
      text: `Healing ${healing} of ${blocks.total} blocks`,
    };
  }
  return { ...of(blocks), state: "healthy", text: "Healthy" };
}

const of = ({ healing, lastCopy, missing }: BlockCounts) => ({ healing, lastCopy, missing });
const have = (n: number): string => (n === 1 ? "1 block has" : `${n} blocks have`);
