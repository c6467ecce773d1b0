// The card's side: serial numbers, keys, certificate requests, and the checks of certificates.
// A real card makes its keys on the chip. Here node:crypto stands in, and throws the private
// keys away, so these cards cannot be used.

import { X509Certificate, generateKeyPair, randomBytes, randomInt, sign } from "node:crypto";
import { promisify } from "node:util";

const newKeyPair = promisify(generateKeyPair);
const P256 = { namedCurve: "P-256" };
const SERIAL_EXTENSION = Buffer.from("06062a8570220201", "hex"); // 1.2.752.34.2.1
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const ECDSA_SHA256 = Buffer.from("300a06082a8648ce3d040302", "hex");
const RSA_SHA256 = Buffer.from("300d06092a864886f70d01010b0500", "hex");

/** A new serial number: prefix, 14 random digits, check digit. A real one is the next in a series. */
export function newSerial(prefix = "9752") {
  let digits = prefix;
  while (digits.length < 18) digits += randomInt(10);
  return digits + checkDigit(digits);
}

/** The check digit of ISO/IEC 7812-1 (Luhn). */
export function checkDigit(digits) {
  let sum = 0;
  [...digits].reverse().forEach((digit, place) => {
    const value = Number(digit) * (place % 2 === 0 ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  });
  return String((10 - (sum % 10)) % 10);
}

/** The number of the card's contactless chip, which a reader would read. */
export function newMifareId() {
  return randomBytes(5).toString("hex").toUpperCase();
}

/**
 * Makes the keys of a card: one for each profile, of type "p256" or "rsa", and the card key.
 * `request` is the body that asks for the certificates; `publicKeys` are what they must have.
 */
export async function makeKeys(serial, profiles, type) {
  const csrs = {};
  const publicKeys = {};
  for (const profile of profiles) {
    const pair = await (type === "rsa" ? newKeyPair("rsa", { modulusLength: 2048 }) : newKeyPair("ec", P256));
    csrs[profile] = certificateRequest(pair);
    publicKeys[profile] = spki(pair.publicKey).toString("base64");
  }
  const cardKey = await newKeyPair("ec", P256);
  const request = { card_serial: serial, card_key: cardKey.publicKey.export({ type: "spki", format: "pem" }), csrs };
  return { request, publicKeys };
}

/**
 * Checks the certificates before they are written to the card: the keys of the requests, the
 * card's serial number, and chains that end in the root. Throws an error that says what is wrong.
 */
export function checkCertificates({ certificates, chains }, serial, publicKeys, root) {
  for (const [profile, key] of Object.entries(publicKeys)) {
    if (!certificates[profile]) throw new Error(`${profile}: no certificate`);
    const certificate = new X509Certificate(certificates[profile]);
    if (spki(certificate.publicKey).toString("base64") !== key) throw new Error(`${profile}: another key`);
    if (!hasSerial(certificate, serial)) throw new Error(`${profile}: another card serial`);
    if (!endsIn(root, certificate, chains[profile])) throw new Error(`${profile}: the chain does not end in the root`);
  }
}

/** A PKCS #10 request in PEM, without subject and attributes: the portal decides what is certified. */
function certificateRequest({ publicKey, privateKey }) {
  const version = Buffer.from("020100", "hex");
  const subject = Buffer.from("3000", "hex");
  const attributes = Buffer.from("a000", "hex");
  const information = der(0x30, version, subject, spki(publicKey), attributes);
  const algorithm = publicKey.asymmetricKeyType === "rsa" ? RSA_SHA256 : ECDSA_SHA256;
  const signature = der(0x03, Buffer.from([0]), sign("sha256", information, privateKey));
  const lines = der(0x30, information, algorithm, signature).toString("base64").match(/.{1,64}/g);
  return ["-----BEGIN CERTIFICATE REQUEST-----", ...lines, "-----END CERTIFICATE REQUEST-----", ""].join("\n");
}

/** A DER value: tag, length, content. */
function der(tag, ...parts) {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  if (length < 0x100) return Buffer.concat([Buffer.from([tag, 0x81, length]), content]);
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), content]);
}

function spki(publicKey) {
  return publicKey.export({ type: "spki", format: "der" });
}

/** Looks for the serial number in the value of its extension, which follows the extension's OID. */
function hasSerial(certificate, serial) {
  const start = certificate.raw.indexOf(SERIAL_EXTENSION);
  const end = start + SERIAL_EXTENSION.length + 7 + serial.length;
  return start >= 0 && certificate.raw.subarray(start, end).includes(serial);
}

/** Walks from a certificate to its issuer, up to the root. A chain has few certificates. */
function endsIn(root, certificate, chain) {
  const issuers = [root, ...(chain.match(PEM) ?? []).map((pem) => new X509Certificate(pem))];
  let current = certificate;
  for (let steps = 0; current && current.fingerprint256 !== root.fingerprint256 && steps < 5; steps++) {
    const child = current;
    current = isValid(child) && issuers.find((issuer) => isIssuedBy(child, issuer));
  }
  return current?.fingerprint256 === root.fingerprint256;
}

function isIssuedBy(child, issuer) {
  return issuer.ca && child.checkIssued(issuer) && child.verify(issuer.publicKey);
}

function isValid(certificate) {
  const now = Date.now();
  return Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);
}
