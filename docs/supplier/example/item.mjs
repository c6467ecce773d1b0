// The steps of an item, and what the portal's answers mean for it.
//
// A record of the journal has, besides `order`, `item`, `kind` and `profiles`:
//   step      what has been done: accepted, requested, certified (of a letter: printed), produced or sent
//   body      the next body to send, stored until the portal has taken or refused it
//   pukState  what the portal says of the PUK: null, none, pending, sealed or refused
//   puks      how many PUKs the card has had
//   lost      true when the PUK of a letter was handed out, and is not printed
//   failing   why the item is to be reported failed
//   unclear   true when the portal's view of the item has to be read
//   stuck     a refusal that a person must look at
//   end       the state in which the item ended

import { checkCertificates, makeKeys, newMifareId, newSerial } from "./card.mjs";
import { decryptPuk } from "./letter.mjs";
import { printLetter, writeCertificates, writePuk } from "./machine.mjs";
import { letter } from "./print.mjs";
import { encryptPuk, newPuk } from "./puk.mjs";

const KINDS = new Set(["card", "reserve_card", "puk_letter"]);
const ENDS = new Set(["sent", "failed", "returned", "remade", "cancelled"]);
const MOST_PUKS = 5;

/** Nothing is wrong with the request, but its time has not come. */
const LATER = new Set([
  "ca-not-active", "item-pending", "item-unknown", "puk-not-deliverable", "request-in-progress",
]);

/** The card is not to be made, or not to be delivered: the item is reported failed. */
const FAILING = new Set([
  "carrier-revoked", "certificates-failed", "certificates-revoked", "no-registered-address", "person-deceased",
  "person-id-not-certifiable", "person-not-in-register", "person-without-id", "post-ended", "secret-not-sealed",
]);

/** This card or its keys cannot be used: the item is made with another. */
const ANOTHER_CARD = new Set([
  "card-already-bound", "key-compromised", "key-in-use", "key-repeated", "key-shared-factor", "key-weak",
]);

/** The item has come to another state than the client believes. */
const ELSEWHERE = new Set(["item-ended", "item-sent", "order-closed", "order-withdrawn", "photo-gone"]);

/** The record of an item that the portal lists, or null for a kind that the client does not know. */
export function newRecord(order, { number, kind, profiles }) {
  if (!KINDS.has(kind)) return null;
  return { order, item: number, kind, profiles, step: "accepted", body: null, pukState: null, puks: 0 };
}

/** Whether the client has something left to do with the item, other than to report it failed. */
export function isOpen(record) {
  return !record.end && !record.stuck && !record.failing;
}

/** Whether the item is a PUK letter, which has neither certificates nor a chip. */
export function isLetter(record) {
  return record.kind === "puk_letter";
}

/** Whether the item is produced and the portal has not accepted its PUK yet. */
export function waitsForPuk(record) {
  return isOpen(record) && record.step === "produced" && record.kind === "card" && record.pukState !== "sealed";
}

/** Whether the item can be packed. A refused PUK must be changed on the card, so a card waits for it. */
export function isReady(record) {
  return isOpen(record) && record.step === "produced" && !waitsForPuk(record);
}

/** Takes a new card: a serial number, keys, and the request for certificates. */
export async function takeCard(record, prefix, keyType) {
  record.serial = newSerial(prefix);
  record.mifareId = newMifareId();
  const { request, publicKeys } = await makeKeys(record.serial, record.profiles, keyType);
  record.publicKeys = publicKeys;
  record.body = request;
}

/** Prepares the report *produced*. The PUK goes to the card and, encrypted, into the report; nowhere else. */
export function prepareProduced(record, key, badPuk) {
  record.body = { type: "produced" };
  if (isLetter(record)) return;
  record.body.mifare_id = record.mifareId;
  if (record.kind === "card") {
    const puk = badPuk ? "no digits" : newPuk();
    writePuk(record.serial, puk);
    record.body.puk_jwe = encryptPuk(key, record.order, record.serial, puk);
    record.puks++;
  } else {
    record.body.no_puk = true;
  }
}

/** Takes an answer of the portal to the record's request (`certificates`) or report (its type). */
export function takeAnswer(record, type, status, body, root) {
  if (status >= 400) return takeRefusal(record, status, body.code);
  record.body = null;
  record.unclear = body.outcome === "noted";
  if (type === "certificates") {
    record.step = "requested";
    if (status !== 202) takeCertificates(record, body, root);
  } else if (type === "produced") {
    record.step = "produced";
    record.pukState = null;
  } else if (type === "sent") {
    record.step = "sent";
    if (body.outcome === "applied" || body.outcome === "repeated") record.end = "sent";
  } else if (body.outcome !== "noted") {
    record.end = type;
  }
}

/** Checks certificates and writes them to the card. */
export function takeCertificates(record, body, root) {
  try {
    checkCertificates(body, record.serial, record.publicKeys, root);
    writeCertificates(record.serial, body.certificates);
    record.step = "certified";
  } catch (error) {
    record.stuck = error.message;
  }
}

/** Prints the PUK of a letter, which is kept nowhere. */
export function takeLetter(record, order, jwe, key) {
  try {
    const { header, puk } = decryptPuk(jwe, key);
    const isThis = header.order === record.order && header.item === String(record.item);
    if (!isThis) throw new Error("the PUK of another letter");
    printLetter(letter(order, header.serial, puk));
    record.step = "certified";
  } catch (error) {
    record.stuck = error.message;
  }
}

/** Takes a refusal. What may be repeated keeps its body and waits for the next round. */
export function takeRefusal(record, status, code) {
  if (status >= 500 || status === 429 || LATER.has(code)) return;
  record.body = null;
  if (FAILING.has(code)) record.failing = code;
  else if (ANOTHER_CARD.has(code)) record.step = "accepted";
  else if (code === "puk-gone") record.lost = true;
  else if (ELSEWHERE.has(code)) record.unclear = true;
  else if (code !== "jwe-key-unknown") record.stuck = code;
}

/** Takes the portal's view of an item, as the list of the order's items has it. */
export function takeState(record, item) {
  if (record.unclear && !ENDS.has(item.state) && !item.card_revoked) record.stuck = `is ${item.state} at the portal`;
  record.unclear = false;
  record.pukState = item.puk;
  if (ENDS.has(item.state)) record.end = item.state;
  else if (item.card_revoked) record.failing ??= "card-revoked";
  else if (item.puk === "refused" && record.puks >= MOST_PUKS) record.stuck = `puk ${item.puk_refusal}`;
}
