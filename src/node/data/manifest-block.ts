/** A manifest as the bytes of its block: deterministic CBOR, so that equal files have one manifest. */
import type { BlockId } from "../../base/ids.ts";
import { MAX_BLOCK_BYTES, type Manifest, parseManifest } from "../../blocks/manifest.ts";
import { decode, encode } from "../../wire/cbor.ts";

export const encodeManifest = (manifest: Manifest): Uint8Array => encode(manifest);

/** @throws RingfoldError `protocol` or `block-corrupt` when the block is no manifest, `version-mismatch` */
export function decodeManifest(id: BlockId, bytes: Uint8Array): Manifest {
  return parseManifest(decode(bytes, `manifest ${id}`, { maxBytes: MAX_BLOCK_BYTES }));
}
