// The command of the client:
//
//   node client.mjs run [--until accepted|certified|produced] [--every SECONDS] [--order ID]... [--bad-puk ID]...
//   node client.mjs status
//   node client.mjs report ORDER ITEM failed|returned REASON
//   node client.mjs remake ORDER ITEM REASON supplier|other
//   node client.mjs retry ORDER ITEM
//   node client.mjs logotype CUSTOMISATION FILE.png
//
// --order accepts an order that is not in the queue, and --bad-puk first sends a PUK that the portal refuses,
// to see the refusals. --rsa ARTICLE makes the article's cards with RSA keys instead of P-256; --prefix DIGITS
// begins the serial numbers. For all commands: --api ADDRESS, --state FOLDER, and --id FOLDER with client.pem,
// client.key, ca.pem, root.pem and, to print PUK letters, letter.key. Without --api, the variable API or the
// file `api` in that folder has the address.

import { X509Certificate, createHash, createPrivateKey } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Journal, describe, log } from "./journal.mjs";
import { Portal, Refused } from "./portal.mjs";
import { Requests } from "./requests.mjs";
import { Rounds } from "./round.mjs";

const DAY = 24 * 3600 * 1000;

const { values: options, positionals: [command, ...words] } = parseArgs({
  allowPositionals: true,
  options: {
    api: { type: "string", default: process.env.API },
    id: { type: "string", default: process.env.ID ?? "var/sandbox" },
    state: { type: "string", default: "var/supplier-client" },
    until: { type: "string" },
    every: { type: "string" },
    order: { type: "string", multiple: true },
    "bad-puk": { type: "string", multiple: true, default: [] },
    rsa: { type: "string", multiple: true, default: [] },
    prefix: { type: "string", default: "9752" },
  },
});

let portal;
let journal;
let requests;
let rounds;

/** One round, or one each so many seconds until the client is stopped. A failed round does not end the client. */
async function run() {
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort()).once("SIGINT", () => stop.abort());
  for (let checked = 0; !stop.signal.aborted; ) {
    try {
      if (Date.now() - checked > DAY) {
        await checkCertificate();
        checked = Date.now();
      }
      await rounds.run(options.until);
    } catch (error) {
      if (!options.every) throw error;
      log("ALARM:", error.message);
    }
    if (!options.every) return;
    await sleep(options.every * 1000, null, { signal: stop.signal }).catch(() => {});
  }
}

/** Tells 30 days before the client's certificate ends. */
async function checkCertificate() {
  const { body } = await portal.get("me");
  const days = Math.floor((Date.parse(body.certificate.not_after) - Date.now()) / DAY);
  if (days < 30) log(body.client_ref, `ALARM: the client's certificate ends in ${days} days`);
}

/** Lists the items that have not ended. */
function status() {
  for (const record of journal.records()) {
    if (!record.end) log(`${record.order}.${record.item}`, describe(record));
  }
}

function find(order, item) {
  const record = journal.find(order, item);
  if (!record) throw new Error(`the journal has no item ${item} of order ${order}`);
  return record;
}

/** Reports an item failed or returned, as a person decided. */
async function report(order, item, type, reason) {
  await requests.repeat();
  const record = find(order, item);
  record.body = { type, reason };
  await requests.report([record]);
}

/** Gives up a spoilt card. Another item takes its place. */
async function remake(order, item, reason, fault) {
  await requests.repeat();
  await requests.remake(find(order, item), reason, fault);
}

/** Lets the next round go on with an item that a person has looked at. */
function retry(order, item) {
  const record = find(order, item);
  delete record.stuck;
  journal.save(record);
}

/** Puts a logotype. If the customisation changed meanwhile, or an answer was lost, reads it again. */
async function logotype(customisation, file) {
  const png = readFileSync(file);
  const sha256 = createHash("sha256").update(png).digest("hex");
  const text = JSON.stringify({ logotype: png.toString("base64"), sha256 });
  for (;;) {
    const { headers, body } = await portal.get(`card-customisations/${customisation}`);
    if (body.logotype_sha256 === sha256) {
      return log(`customisation ${customisation}`, `has the logotype, ${body.verified ? "" : "not "}verified`);
    }
    try {
      await portal.put(`card-customisations/${customisation}`, text, headers.etag);
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== "version-stale") throw error;
    }
  }
}

try {
  const commands = { run, status, report, remake, retry, logotype };
  if (!commands[command]) throw new Error(`the commands are ${Object.keys(commands).join(", ")}`);
  portal = new Portal(options.api ?? readFileSync(join(options.id, "api"), "utf8").trim(), options.id);
  journal = new Journal(options.state);
  const root = new X509Certificate(readFileSync(join(options.id, "root.pem")));
  requests = new Requests(portal, journal, root);
  const letterFile = join(options.id, "letter.key");
  const letterKey = existsSync(letterFile) ? createPrivateKey(readFileSync(letterFile)) : null;
  rounds = new Rounds(portal, journal, requests, root, letterKey, options);
  await commands[command](...words);
} catch (error) {
  log("ALARM:", error.message);
  process.exitCode = 1;
} finally {
  journal?.close();
  portal?.close();
}
