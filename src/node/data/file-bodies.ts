/** Whole files between a client's HTTP body and blocks: what {@link BodyServer} asks for. */
import type { BlockId, Bytes, FileName } from "../../base/ids.ts";
import type { FileStat, PutQuery } from "../../contract/file-stat.ts";
import type { Bodies } from "./body-server.ts";
import type { DataCallbacks, FileCut, Stored } from "./data-port.ts";
import { readBlocks } from "./get-file.ts";
import { decodeManifest } from "./manifest-block.ts";
import { type PutParts, putFile } from "./put-file.ts";
import { type LentBlock, readBlock } from "./read-block.ts";

const DEFAULT_COPIES = 2;
/** So much of a body is looked at to tell text from the rest. */
const SNIFF_BYTES: Bytes = 8192;
const TEXT = "text/plain; charset=utf-8";
const BINARY = "application/octet-stream";

export class FileBodies implements Bodies {
  readonly #parts: PutParts;
  readonly #callbacks: DataCallbacks;
  readonly putSmall: (bytes: Uint8Array) => Promise<Stored>;

  constructor(
    parts: PutParts,
    callbacks: DataCallbacks,
    putSmall: (bytes: Uint8Array) => Promise<Stored>,
  ) {
    this.#parts = parts;
    this.#callbacks = callbacks;
    this.putSmall = putSmall;
  }

  async put(
    name: FileName,
    query: PutQuery,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<FileStat> {
    const { first, all } = await peeked(body);
    const contentType = query.contentType ?? (looksLikeText(first) ? TEXT : BINARY);
    const cut = query.cut ?? cutFor(contentType);
    const copies = query.replicas ?? DEFAULT_COPIES;
    const blockSize = query.blockSize ?? this.#parts.settings.blockBytes;
    const request = { copies, cut, blockSize, contentType, signal };
    const stored = await putFile(this.#parts, all, request);
    signal.throwIfAborted();
    const commit = { ...stored, name, copies, cut, blockSize, contentType };
    const { expected } = query;
    return this.#callbacks.commitFile(expected === undefined ? commit : { ...commit, expected });
  }

  async get(
    id: BlockId,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: Bytes; readonly content: AsyncIterable<LentBlock> }> {
    const manifest = decodeManifest(id, await readBlock(this.#parts, id, signal));
    return { bytes: manifest.length, content: readBlocks(this.#parts, manifest.blocks, signal) };
  }
}

/** Text is cut at line ends, the rest anywhere. */
const cutFor = (contentType: string): FileCut =>
  /^text\/|[/+](json|xml|x-ndjson|jsonl)\b/.test(contentType) ? "lines" : "bytes";

/** No NUL in the beginning: what grep and git go by. Invalid UTF-8 still has lines. */
const looksLikeText = (bytes: Uint8Array): boolean => !bytes.subarray(0, SNIFF_BYTES).includes(0);

/** The first chunk without consuming it. */
async function peeked(
  body: AsyncIterable<Uint8Array>,
): Promise<{ readonly first: Uint8Array; readonly all: AsyncIterable<Uint8Array> }> {
  const chunks = body[Symbol.asyncIterator]();
  const begin = await chunks.next();
  const first = begin.done === true ? new Uint8Array(0) : begin.value;
  return { first, all: resumed(begin, chunks) };
}

async function* resumed(
  begin: IteratorResult<Uint8Array>,
  chunks: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = begin; next.done !== true; next = await chunks.next()) yield next.value;
  } finally {
    await chunks.return?.();
  }
}
