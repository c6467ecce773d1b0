// A card in software. On a real card the chip makes the keys and signs the requests, and no private key leaves it.
import { generateKeyPairSync, randomInt, sign, X509Certificate } from 'node:crypto';

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The portal's response does not belong to the card. */
export class BadDelivery extends Error {}

/** Returns a serial number: 19 digits that begin with the supplier's prefix and end with a Luhn digit. */
export function newSerial(prefix = '9752') {
  const digits = prefix + Array.from({ length: 18 - prefix.length }, () => randomInt(10)).join('');
  return digits + luhnDigit(digits);
}

/** The check digit of ISO/IEC 7812-1 annex B. */
export function luhnDigit(digits) {
  const sum = [...digits].reverse().reduce((total, digit, place) => {
    const value = Number(digit) * (place % 2 ? 1 : 2);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return String((10 - (sum % 10)) % 10);
}

export const newPuk = () => Array.from({ length: 8 }, () => randomInt(10)).join('');
export const newMifareId = () => Array.from({ length: 10 }, () => randomInt(10)).join('');

/** Returns the body of POST certificates for a new card: a key of `type` for each profile, and the card key, always on P-256. */
export function personalise(serial, profiles, type) {
  const make = () => (type === 'p256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('rsa', { modulusLength: 2048 }));
  const csrs = Object.fromEntries(profiles.map((profile) => [profile, request(make(), type)]));
  const cardKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
  return { card_serial: serial, card_key: cardKey.export({ type: 'spki', format: 'pem' }), csrs };
}

/** Throws unless each certificate has its request's key and the card's serial, and a chain to the root, if that is known. */
export function check(asked, delivered, root) {
  for (const profile of Object.keys(asked.csrs)) {
    const certificate = new X509Certificate(delivered.certificates[profile]);
    const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
    if (!fromPem(asked.csrs[profile]).includes(key)) throw new BadDelivery(`${profile}: another key`);
    if (!certificate.raw.includes(asked.card_serial)) throw new BadDelivery(`${profile}: another card`);
    const chain = delivered.chains[profile].match(PEM).map((pem) => new X509Certificate(pem));
    let issued = certificate;
    for (const issuer of chain) {
      if (!issued.verify(issuer.publicKey)) throw new BadDelivery(`${profile}: a broken chain`);
      issued = issuer;
    }
    if (!issued.verify(issued.publicKey) || (root && !issued.raw.equals(new X509Certificate(root).raw))) {
      throw new BadDelivery(`${profile}: another root`);
    }
  }
}

// A certificate request (PKCS #10, RFC 2986) in DER: version 0, an empty subject, the key, no attributes.
function request({ publicKey, privateKey }, type) {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const info = der(0x30, der(0x02, Buffer.from([0])), der(0x30), spki, der(0xa0));
  const signature = sign('sha256', info, privateKey); // RSASSA-PKCS1-v1_5, or ECDSA in DER
  const content = der(0x30, info, ALGORITHMS[type], der(0x03, Buffer.from([0]), signature));
  return `-----BEGIN CERTIFICATE REQUEST-----\n${content.toString('base64').match(/.{1,64}/g).join('\n')}\n`
    + '-----END CERTIFICATE REQUEST-----\n';
}

function der(tag, ...parts) {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const ALGORITHMS = {
  rsa: Buffer.from('300d06092a864886f70d01010b0500', 'hex'), // sha256WithRSAEncryption
  p256: Buffer.from('300a06082a8648ce3d040302', 'hex'), // ecdsa-with-SHA256
};

const fromPem = (pem) => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');

