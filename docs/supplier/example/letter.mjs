// Opens the PUK of a letter: JWE (RFC 7516) in compact form with ECDH-ES in direct agreement on P-256, and A256GCM.
//
//   node letter.mjs LETTER.key PUK.jwe      the key of the letter certificate, and puk_jwe of GET orders/{id}/puk
import { createDecipheriv, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { contentKey } from './puk.mjs';

const bytes = (text) => Buffer.from(text, 'base64url');

/** Returns the protected header and the PUK of a JWE to the private key `key`. Throws if it is to another key, or changed. */
export function open(jwe, key) {
  const [head, , iv, content, tag] = jwe.trim().split('.');
  const header = JSON.parse(bytes(head));
  const shared = diffieHellman({ privateKey: key, publicKey: createPublicKey({ key: header.epk, format: 'jwk' }) });
  const decipher = createDecipheriv('aes-256-gcm', contentKey(shared), bytes(iv), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(head));
  decipher.setAuthTag(bytes(tag));
  return { header, puk: Buffer.concat([decipher.update(bytes(content)), decipher.final()]).toString() };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [key, jwe] = process.argv.slice(2);
  const { header, puk } = open(readFileSync(jwe, 'utf8'), createPrivateKey(readFileSync(key)));
  process.stdout.write(`${header.order} ${header.item} ${header.serial.slice(-4)} ${puk}\n`);
}
