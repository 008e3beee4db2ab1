/**
 * The self-signed certificate that carries a node's public key through TLS. Peers compare the key alone, never names,
 * dates or extensions, so the smallest certificate of RFC 5280 will do, written straight as DER. (@peculiar/x509 takes
 * 98 ms to import and a reflection polyfill for the same 300 bytes.) Only writing is done here: reading is OpenSSL's.
 */
import type { KeyObject } from "node:crypto";
import { createPublicKey, hash, randomBytes, sign } from "node:crypto";
import type { NodeId } from "../../base/ids.ts";
import { nodeId } from "../../base/ids.ts";

/** SHA-256 of the public key's SubjectPublicKeyInfo, given a private or public key. */
export const nodeIdOfKey = (key: KeyObject): NodeId => nodeId(hash("sha256", publicKeyDer(key)));

function publicKeyDer(key: KeyObject): Buffer {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return publicKey.export({ type: "spki", format: "der" });
}

// RFC 5758: ecdsa-with-SHA256, 1.2.840.10045.4.3.2
const ecdsaWithSha256 = tlv(0x30, Buffer.from("06082a8648ce3d040302", "hex"));
// RFC 4519: commonName, 2.5.4.3
const commonName = Buffer.from("0603550403", "hex");

/** A certificate of an ECDSA P-256 key, by itself, valid for ever (RFC 5280, 4.1.2.5), as PEM. */
export function selfSignedCertificate(privateKey: KeyObject): string {
  const name = tlv(0x30, tlv(0x31, tlv(0x30, commonName, tlv(0x0c, Buffer.from("ringfold node")))));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40; // positive and in its shortest form
  const body = tlv(
    0x30,
    tlv(0xa0, tlv(0x02, Buffer.from([2]))), // version 3
    tlv(0x02, serial),
    ecdsaWithSha256,
    name,
    tlv(0x30, time("20200101000000Z"), time("99991231235959Z")),
    name,
    publicKeyDer(privateKey),
  );
  const signature = sign("sha256", body, privateKey);
  const bits = tlv(0x03, Buffer.from([0]), signature);
  return pem(tlv(0x30, body, ecdsaWithSha256, bits));
}

/** DER's tag, length, value. */
function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const length = value.length;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), value]);
}

/** RFC 5280: UTCTime until 2049, GeneralizedTime from 2050. */
const time = (text: string): Buffer =>
  text < "2050" ? tlv(0x17, Buffer.from(text.slice(2))) : tlv(0x18, Buffer.from(text));

function pem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
