/** Files as the API tells them, and the queries that put, list and remove them. */
import { z } from "zod";
import {
  blockSize,
  bytes,
  count,
  cut,
  globText,
  hex64,
  instant,
  nameText,
  replicas,
} from "./scalar.ts";

export const blockRow = z.object({
  id: hex64,
  offset: bytes,
  bytes,
  holders: z.array(z.object({ node: hex64, name: z.string(), live: z.boolean() })),
});
export type BlockRow = z.infer<typeof blockRow>;

export const fileStat = z
  .object({
    name: nameText,
    version: count.describe("1 at first; grows with each put"),
    bytes,
    blocks: count,
    cut: cut.optional().describe("when one file is asked for"),
    replicas: replicas.describe("copies wanted"),
    copies: z
      .object({ min: count, max: count })
      .optional()
      .describe("live copies of the block that has fewest and of the one that has most; likewise"),
    manifest: hex64.describe("id of the block that lists the file's blocks"),
    createdAt: instant,
    contentType: z.string(),
    blockRows: z.array(blockRow).optional().describe("with ?holders=1 only"),
    warning: z.string().optional().describe("after a put: fewer live nodes than copies wanted"),
  })
  .meta({ id: "File" });
export type FileStat = z.infer<typeof fileStat>;

export const fileList = z.object({
  files: z.array(fileStat),
  next: nameText.nullable().describe("give it as `after` to read on; null at the end"),
});
export type FileList = z.infer<typeof fileList>;

export const MAX_FILE_PAGE = 1000;

/** `?glob=books/*&after=books/m.txt&limit=100`: names in order. */
export const fileQuery = z.strictObject({
  glob: globText.optional(),
  after: nameText.optional(),
  limit: z.coerce.number().int().min(1).max(MAX_FILE_PAGE).optional(),
});
export type FileQuery = z.infer<typeof fileQuery>;

export const statQuery = z.strictObject({ holders: z.enum(["0", "1"]).optional() });

/**
 * How a new version is stored: the query of `PUT /files/NAME/content` and of the data port's
 * `PUT /content/NAME`.
 */
export const putQuery = z.strictObject({
  replicas: z
    .union([z.literal("all"), z.coerce.number().int().min(1).max(64)])
    .optional()
    .describe("copies wanted, or all; default 2"),
  blockSize: z.coerce.number().pipe(blockSize).optional().describe("bytes; default 4 MiB"),
  cut: cut.optional().describe("default: lines for text, bytes for the rest"),
  expected: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe("the version that this put replaces, 0 for a new name; refused when it is another"),
  contentType: z.string().max(200).optional(),
});
export type PutQuery = z.infer<typeof putQuery>;

export const removed = z.object({ name: nameText, version: count });
export type Removed = z.infer<typeof removed>;

/** The answer to a small block stored by `POST /blocks`, such as a job's bundle. */
export const storedBlock = z.object({ id: hex64, bytes }).meta({ id: "StoredBlock" });
export type StoredBlock = z.infer<typeof storedBlock>;
