// Encrypts a PUK to the portal: JWE (RFC 7516) in compact form with ECDH-ES in direct agreement on P-256, and A256GCM.
//
//   node puk.mjs KEYS.json ORDER SERIAL < PUK      KEYS.json is the response of GET keys
import { createCipheriv, createHash, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const base64url = (content) => Buffer.from(content).toString('base64url');

function uint32(number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}

/** OtherInfo of RFC 7518 section 4.6.2: algorithm, empty PartyUInfo and PartyVInfo, and the key's length in bits. */
export function otherInfo() {
  const algorithm = Buffer.from('A256GCM');
  return Buffer.concat([uint32(algorithm.length), algorithm, uint32(0), uint32(0), uint32(256)]);
}

/** The content key: one round of the Concat KDF with SHA-256 over the shared secret. */
export function contentKey(shared) {
  return createHash('sha256').update(Buffer.concat([uint32(1), shared, otherInfo()])).digest();
}

/** Returns the JWE of a PUK for the card `serial` of the order `order`, to `jwk`, the first key of GET keys. */
export function seal(puk, jwk, { order, serial }) {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = own.publicKey.export({ format: 'jwk' });
  const header = { alg: 'ECDH-ES', enc: 'A256GCM', kid: jwk.kid, epk: { kty, crv, x, y }, order, serial };
  const shared = diffieHellman({ privateKey: own.privateKey, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) });
  const protectedHeader = base64url(JSON.stringify(header));
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', contentKey(shared), iv);
  cipher.setAAD(Buffer.from(protectedHeader));
  const content = Buffer.concat([cipher.update(puk), cipher.final()]);
  return [protectedHeader, '', base64url(iv), base64url(content), base64url(cipher.getAuthTag())].join('.');
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [keys, order, serial] = process.argv.slice(2);
  const [newest] = JSON.parse(readFileSync(keys)).keys;
  process.stdout.write(seal(readFileSync(0), newest, { order, serial }));
}
