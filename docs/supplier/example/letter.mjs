// The PUK of a letter: a JWE of the same form as in puk.mjs, encrypted to the key of the letter certificate.
//
//   node letter.mjs LETTER.key PUK.jwe

import { createDecipheriv, createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { contentKey } from "./puk.mjs";

/** Decrypts a JWE with a private key. Throws an error if it is encrypted to another key, or was changed. */
export function decryptPuk(jwe, key) {
  const [protectedHeader, , iv, content, tag] = jwe.trim().split(".");
  const header = JSON.parse(bytes(protectedHeader));
  const secret = diffieHellman({ privateKey: key, publicKey: createPublicKey({ key: header.epk, format: "jwk" }) });
  const decipher = createDecipheriv("aes-256-gcm", contentKey(secret), bytes(iv), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(protectedHeader));
  decipher.setAuthTag(bytes(tag));
  return { header, puk: Buffer.concat([decipher.update(bytes(content)), decipher.final()]).toString("ascii") };
}

function bytes(text) {
  return Buffer.from(text, "base64url");
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [key, jwe] = process.argv.slice(2);
  const { header, puk } = decryptPuk(readFileSync(jwe, "ascii"), createPrivateKey(readFileSync(key)));
  console.log(header.order, header.item, header.serial.slice(-4), puk);
}
