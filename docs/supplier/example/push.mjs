// A server for push: it takes the portal's orders and changes, and signs its answers. What it took it keeps in memory
// only, and it makes no cards.
//
//   node push.mjs PORT [FOLDER]
//
// The folder has server.pem, server.key, ca.pem, portal.keys and push.key.

import { createHash, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";

const PORTAL = "siths-portal"; // the common name of the portal's client certificate
const WINDOW = 300; // seconds

const [port, folder = process.env.ID ?? "var/sandbox"] = process.argv.slice(2);
const file = (name) => readFileSync(join(folder, name));
const portalKeys = file("portal.keys").toString().trim().split(/\s+/).map(publicKey);
const ownKey = createPrivateKey(file("push.key"));
const orders = new Map();
const changes = new Map();

function publicKey(text) {
  const x = Buffer.from(text.replace(/^whpk_/, ""), "base64").toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
}

function signed(id, time, body) {
  return Buffer.concat([Buffer.from(`${id}.${time}.`), body]);
}

/** Whether the bytes are the portal's, and from now. Nothing is parsed before. */
function isPortals(request, body) {
  const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signatures = "" } = request.headers;
  const known = signatures.split(" ").filter((one) => one.startsWith("v1a,"));
  const by = (key, one) => verify(null, signed(id, time, body), key, Buffer.from(one.slice(4), "base64"));
  const isFresh = Math.abs(Date.now() / 1000 - Number(time)) <= WINDOW;
  const isClient = request.socket.getPeerCertificate().subject?.CN === PORTAL;
  return isClient && isFresh && known.some((one) => portalKeys.some((key) => by(key, one)));
}

/** Takes an order or a change: once, however often it comes. The first body is kept. The answer names the bytes of this try. */
function take(store, id, body, outcome) {
  const status = store.has(id) ? 200 : 201;
  const content = JSON.parse(body);
  const subject = content.order ?? content.id;
  if (status === 201) store.set(id, { subject, at: new Date().toISOString() });
  const sha256 = createHash("sha256").update(body).digest("hex");
  const isKnown = outcome === "accepted" || [...orders.values()].some((one) => one.subject === subject);
  console.log(`${new Date().toISOString()} ${subject ?? content.customisation} ${content.kind ?? "order"} ${status}`);
  return [status, { delivery: id, sha256, outcome, known: isKnown }];
}

/** What this server believes: it has accepted what it took. */
function changed({ searchParams }) {
  const taken = new Map([...orders.values()].map(({ subject, at }) => [subject, { id: subject, status: "accepted", changed_at: at }]));
  const list = [...taken.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  return [200, { since: searchParams.get("since"), after: searchParams.get("after"), orders: list, next: null }];
}

const server = createServer(
  { cert: file("server.pem"), key: file("server.key"), ca: file("ca.pem"), requestCert: true, rejectUnauthorized: true },
  async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    if (!isPortals(request, body)) return response.writeHead(401).end();
    const id = request.headers["webhook-id"];
    const address = new URL(request.url, "https://localhost");
    const calls = {
      "POST /orders": () => take(orders, id, body, "accepted"),
      "POST /changes": () => take(changes, id, body, "noted"),
      "GET /changed": () => changed(address),
    };
    const call = calls[`${request.method} ${address.pathname}`];
    if (!call) return response.writeHead(404).end();
    const [status, content] = call();
    const answer = Buffer.from(JSON.stringify(content));
    const time = String(Math.floor(Date.now() / 1000));
    const signature = sign(null, signed(id, time, answer), ownKey).toString("base64");
    const headers = { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": `v1a,${signature}` };
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(answer);
  },
);
server.listen(Number(port), "localhost", () => console.log(`https://localhost:${server.address().port}`));
