/**
 * The manifest of one version of a file: its blocks in order. It is stored as a block itself (the key block of CFS; Dabek
 * et al., 2001, section 4), so that naming one hash names the whole file.
 *
 * B1  The lengths of the blocks add up to the file's length; none is empty. Checked by {@link parseManifest}.
 * B2  Where a file is cut by lines, a block holds whole lines, except that a block with `continues` ends within a line longer
 *     than {@link MAX_BLOCK_BYTES}. Such a file is stored and read like any other, but is no input for a job over lines: its
 *     reader calls {@link wholeRecords}, which refuses. Tested.
 * B3  Where it is cut by records of n bytes, every block but the last is a multiple of n. Checked.
 *
 * Limit: {@link MAX_MANIFEST_BLOCKS} blocks, 2 TiB at 4 MiB; such a manifest takes about 43 MB as CBOR.
 */
import { RingfoldError } from "../base/errors.ts";
import { type BlockId, type Bytes, blockId } from "../base/ids.ts";

/** Where a file may be cut: after a line end, anywhere, or after each n bytes. */
export type Cut = "lines" | "bytes" | { readonly record: Bytes };

export interface ManifestBlock {
  readonly id: BlockId;
  readonly length: Bytes;
  /** The block ends within a record that goes on in the next one. */
  readonly continues?: true;
}

export interface Manifest {
  readonly version: 1;
  readonly length: Bytes;
  readonly cut: Cut;
  readonly blocks: readonly ManifestBlock[];
  /** A media type, such as text/plain. */
  readonly contentType: string;
}

const KIB = 1024;
export const MIN_BLOCK_BYTES: Bytes = 8 * KIB;
export const DEFAULT_BLOCK_BYTES: Bytes = 4 * KIB * KIB;
/** The largest block there is: also where a line without end is cut. */
export const MAX_BLOCK_BYTES: Bytes = 64 * KIB * KIB;
export const MAX_MANIFEST_BLOCKS = 1 << 19;
const MAX_CONTENT_TYPE = 255;

/** The manifest of these blocks. @throws RingfoldError `too-large` above {@link MAX_MANIFEST_BLOCKS} blocks */
export function manifestOf(
  blocks: readonly ManifestBlock[],
  cut: Cut,
  contentType: string,
): Manifest {
  if (blocks.length > MAX_MANIFEST_BLOCKS) {
    throw new RingfoldError(
      "too-large",
      `a file may have ${MAX_MANIFEST_BLOCKS} blocks, this one needs ${blocks.length}: use larger blocks`,
    );
  }
  const length = blocks.reduce((sum, block) => sum + block.length, 0);
  return { version: 1, length, cut, blocks, contentType };
}

const corrupt = (what: string): RingfoldError =>
  new RingfoldError("block-corrupt", `a block is no manifest: ${what}`);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isLength = (value: unknown, least: number, most: number): value is Bytes =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most;

/**
 * Checks a decoded value. Unknown fields are refused: a newer version says so in `version`.
 * @throws RingfoldError `block-corrupt` when it is no manifest, `version-mismatch` when it is a newer one
 */
export function parseManifest(value: unknown): Manifest {
  if (!isRecord(value)) throw corrupt("it is not an object");
  if (value.version !== 1) {
    if (isLength(value.version, 2, 1000)) {
      throw new RingfoldError("version-mismatch", `a manifest of version ${value.version}`);
    }
    throw corrupt("it has no version");
  }
  onlyFields(value, ["version", "length", "cut", "blocks", "contentType"]);
  const { contentType, blocks } = value;
  if (typeof contentType !== "string" || contentType.length > MAX_CONTENT_TYPE) {
    throw corrupt("its content type is not a short text");
  }
  if (!Array.isArray(blocks) || blocks.length > MAX_MANIFEST_BLOCKS) {
    throw corrupt(`it has no list of at most ${MAX_MANIFEST_BLOCKS} blocks`);
  }
  const cut = parseCut(value.cut);
  const parsed = blocks.map((block, index) => parseBlock(block, index));
  checkRecords(parsed, cut);
  const manifest = manifestOf(parsed, cut, contentType);
  if (manifest.length !== value.length) throw corrupt("its length is not that of its blocks");
  return manifest;
}

function onlyFields(value: Readonly<Record<string, unknown>>, fields: readonly string[]): void {
  const strange = Object.keys(value).find((key) => !fields.includes(key));
  if (strange !== undefined) throw corrupt(`unknown field ${strange.slice(0, 40)}`);
}

function parseCut(value: unknown): Cut {
  if (value === "lines" || value === "bytes") return value;
  if (!isRecord(value) || !isLength(value.record, 1, MAX_BLOCK_BYTES)) {
    throw corrupt("its cut is not lines, bytes or a record length");
  }
  onlyFields(value, ["record"]);
  return { record: value.record };
}

function parseBlock(value: unknown, index: number): ManifestBlock {
  if (!isRecord(value)) throw corrupt(`block ${index} is not an object`);
  onlyFields(value, ["id", "length", "continues"]);
  const { id, length, continues } = value;
  if (typeof id !== "string" || !/^[0-9a-f]{64}$/.test(id))
    throw corrupt(`block ${index} has no id`);
  if (!isLength(length, 1, MAX_BLOCK_BYTES)) throw corrupt(`block ${index} has no length`);
  if (continues === undefined) return { id: blockId(id), length };
  if (continues !== true) throw corrupt(`block ${index} has a strange \`continues\``);
  return { id: blockId(id), length, continues };
}

function checkRecords(blocks: readonly ManifestBlock[], cut: Cut): void {
  if (blocks.at(-1)?.continues) throw corrupt("its last block goes on");
  if (cut !== "lines" && blocks.some((block) => block.continues)) {
    throw corrupt("a block goes on, but the file is not cut by lines");
  }
  if (typeof cut === "string") return;
  const torn = blocks.slice(0, -1).findIndex((block) => block.length % cut.record !== 0);
  if (torn >= 0) throw corrupt(`block ${torn} ends within a record`);
}

/**
 * Whether each block can be read by itself; what a job over lines must ask first (B2).
 * @throws RingfoldError `line-too-long`, naming the file
 */
export function wholeRecords(manifest: Manifest, name: string): void {
  const index = manifest.blocks.findIndex((block) => block.continues);
  if (index < 0) return;
  const at = blockOffsets(manifest)[index] ?? 0;
  const limit = MAX_BLOCK_BYTES / KIB / KIB;
  throw new RingfoldError(
    "line-too-long",
    `${name} has a line of more than ${limit} MiB at or after byte ${at}`,
  );
}

/** Where each block starts in the file. */
export function blockOffsets(manifest: Manifest): Bytes[] {
  let at = 0;
  return manifest.blocks.map((block) => {
    const start = at;
    at += block.length;
    return start;
  });
}

export interface BlockRange {
  readonly block: ManifestBlock;
  /** Within the block: from `from` to before `to`. */
  readonly from: Bytes;
  readonly to: Bytes;
}

/** The parts of blocks that hold the file's bytes from `from` to before `to`, in order. */
export function blocksInRange(manifest: Manifest, from: Bytes, to: Bytes): BlockRange[] {
  const ranges: BlockRange[] = [];
  let start = 0;
  for (const block of manifest.blocks) {
    const end = start + block.length;
    if (from < to && start < to && end > from) {
      ranges.push({ block, from: Math.max(0, from - start), to: Math.min(to, end) - start });
    }
    start = end;
  }
  return ranges;
}
