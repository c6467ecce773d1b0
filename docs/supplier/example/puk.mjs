// PUKs: random digits, encrypted to the portal as a JWE (ECDH-ES with A256GCM on P-256).
//
//   printf DIGITS | node puk.mjs KEYS.json ORDER SERIAL

import {
  createCipheriv, createHash, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes, randomInt,
} from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A new PUK of eight digits. */
export function newPuk() {
  return String(randomInt(10 ** 8)).padStart(8, "0");
}

/** Encrypts a PUK to a key of the portal. `own` and `iv` are new for each JWE; tests give them. */
export function encryptPuk(key, order, serial, puk, own = ephemeral(), iv = randomBytes(12)) {
  const { kty, crv, x, y } = createPublicKey(own).export({ format: "jwk" });
  const header = { alg: "ECDH-ES", enc: "A256GCM", kid: key.kid, epk: { kty, crv, x, y }, order, serial };
  const protectedHeader = Buffer.from(JSON.stringify(header)).toString("base64url");
  const secret = diffieHellman({ privateKey: own, publicKey: createPublicKey({ key, format: "jwk" }) });
  const cipher = createCipheriv("aes-256-gcm", contentKey(secret), iv);
  cipher.setAAD(Buffer.from(protectedHeader));
  const content = Buffer.concat([cipher.update(puk, "ascii"), cipher.final()]);
  const parts = [iv, content, cipher.getAuthTag()].map((part) => part.toString("base64url"));
  return [protectedHeader, "", ...parts].join(".");
}

function ephemeral() {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

/** Concat KDF (RFC 7518 section 4.6.2) with SHA-256: one block gives all 256 bits. */
export function contentKey(secret) {
  const algorithm = Buffer.from("A256GCM");
  const noParty = uint32(0);
  const otherInfo = Buffer.concat([uint32(algorithm.length), algorithm, noParty, noParty, uint32(256)]);
  return createHash("sha256").update(uint32(1)).update(secret).update(otherInfo).digest();
}

function uint32(number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [keys, order, serial] = process.argv.slice(2);
  const [newest] = JSON.parse(readFileSync(keys, "utf8")).keys;
  process.stdout.write(encryptPuk(newest, order, serial, readFileSync(0, "ascii")));
}
