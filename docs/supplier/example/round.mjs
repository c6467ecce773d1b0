// A round: repeat what was interrupted, follow the changes, and take each item as far as it goes.
// The records of the journal say which items are due for which step.

import { setTimeout as sleep } from "node:timers/promises";
import {
  isLetter, isOpen, isReady, prepareProduced, takeCard, takeCertificates, takeLetter, takeRefusal, waitsForPuk,
} from "./item.mjs";
import { log } from "./journal.mjs";
import { pack, postNumber, printCard } from "./machine.mjs";
import { NoAnswer, Refused } from "./portal.mjs";
import { envelope, layout, pictures, swedishDay } from "./print.mjs";

const AT_ONCE = 4;
const SECONDS = 30;
const DECIDED = new Set(["sealed", "refused", undefined]); // undefined: the order is not in the list

/** The rounds of a client. `letterKey` is null if it prints no PUK letters. The options are those of the command. */
export class Rounds {
  constructor(portal, journal, requests, root, letterKey, options) {
    Object.assign(this, { portal, journal, requests, root, letterKey, options });
  }

  /** Takes all items as far as they go, or until they are *accepted*, *certified* or *produced*. */
  async run(until) {
    await this.requests.repeat();
    await this.#followChanges();
    await this.#acceptQueue();
    if (until === "accepted") return;
    await this.#requestCertificates();
    await this.#awaitCertificates();
    await this.#printLetters();
    if (until !== "certified") {
      await this.#reportProduced();
      await this.#awaitPuks();
    }
    if (!until) await this.#send();
    await this.#reportFailures();
  }

  /** A change, which may be past, says where to look, and the items what to do. Then its number is kept. */
  async #followChanges() {
    for await (const change of this.portal.changes(this.journal.lastChange)) {
      const isPast = change.order && this.journal.records(change.order).every((record) => record.end);
      if (!isPast) {
        log(change.order ?? `customisation ${change.customisation}`, `${change.kind} ${change.reason}`);
        if (change.order) await this.requests.refresh(change.order);
      }
      this.journal.lastChange = change.number;
    }
    const parked = this.journal.records().filter((record) => record.unclear || record.step === "sent");
    for (const order of byOrder(parked.filter((record) => !record.end)).keys()) await this.requests.refresh(order);
  }

  async #acceptQueue() {
    const orders = new Set(this.options.order);
    for await (const order of this.portal.orders("queued")) orders.add(order.id);
    await this.requests.accept([...orders]);
    this.options.order = [];
  }

  /** Reads what to print, prints the cards and asks for their certificates. */
  async #requestCertificates() {
    const due = this.#due((record) => record.step === "accepted" && !isLetter(record));
    await this.#eachOrder(due.filter((record) => !record.body), async (id, records) => {
      const order = await this.#readOrder(id, records);
      if (!order) return;
      const { photo, logotype } = await pictures(this.portal, order);
      const keyType = this.options.rsa.includes(order.article.code) ? "rsa" : "p256";
      for (const record of records) {
        await takeCard(record, this.options.prefix, keyType);
        printCard(layout(order, record.serial), photo, logotype);
        this.journal.save(record);
      }
    });
    await this.requests.certify(due);
  }

  async #awaitCertificates() {
    const read = async (order, [record]) => {
      const { status, body } = await this.portal.get(`orders/${order}/items/${record.item}/certificates`);
      if (status === 202) return;
      takeCertificates(record, body, this.root);
      this.journal.save(record);
    };
    await this.#eachSecond((record) => record.step === "requested", async (due) => {
      for (const record of due) await this.#attempt(record.order, [record], read);
    });
  }

  /** Prints letters. A PUK is handed out once: if it is lost on the way, another letter takes the place of this one. */
  async #printLetters() {
    const due = this.#due((record) => isLetter(record) && record.step === "accepted");
    await this.#eachOrder(due.filter((record) => !record.lost), async (id, [record]) => {
      const order = this.letterKey && await this.#readOrder(id, [record]);
      const jwe = order && await this.#readLetter(id);
      if (!jwe) return;
      takeLetter(record, order, jwe, this.letterKey);
      this.journal.save(record);
    });
    for (const record of due.filter((one) => one.lost)) {
      await this.requests.remake(record, "answer-lost", "supplier").catch((error) => {
        if (!(error instanceof Refused)) throw error;
        this.#takeRefused(record.order, [record], error);
      });
    }
  }

  /** The PUK of a letter, encrypted; null if the portal needs more time. The call is not repeated after an error. */
  async #readLetter(order) {
    for (let second = 0; second < SECONDS; second++) {
      const { status, body } = await this.portal.get(`orders/${order}/puk`, { attempts: 1 });
      if (status === 200) return body.puk_jwe;
      await sleep(1000);
    }
    return null;
  }

  /** Reports letters produced, and cards with a PUK; again with another PUK if the portal refused the first. */
  async #reportProduced() {
    const refused = this.#due((record) => waitsForPuk(record) && record.pukState === "refused");
    const due = [...this.#due((record) => record.step === "certified"), ...refused];
    for (const record of due.filter((one) => !one.body)) {
      const again = record.puks > 0;
      const bad = !again && this.options["bad-puk"].includes(record.order);
      prepareProduced(record, await this.portal.newestKey(again), bad);
    }
    await this.requests.report(due);
  }

  /** One list tells of all PUKs. The items of an order are read when its PUK is decided. */
  async #awaitPuks() {
    await this.#eachSecond(waitsForPuk, async (due) => {
      const puks = new Map();
      for await (const order of this.portal.orders("produced")) puks.set(order.id, order.puk);
      const decided = due.filter((record) => DECIDED.has(puks.get(record.order)));
      for (const order of byOrder(decided).keys()) await this.requests.refresh(order);
      await this.#reportProduced();
    });
  }

  /** When all cards of an order are ready: packs them together, and reports them sent. */
  async #send() {
    const ready = this.#due((record) => isReady(record) && !record.body);
    await this.#eachOrder(ready, async (id) => {
      await this.requests.refresh(id);
      const records = this.journal.records(id).filter((record) => !record.end && !record.failing);
      if (!records.length || !records.every(isReady)) return;
      const order = await this.#readOrder(id, records);
      if (!order) return;
      pack(envelope(order), records.map((record) => record.serial).filter(Boolean));
      const report = { type: "sent", sent_on: swedishDay() };
      if (order.article.registered_mail) report.registered_mail_id = postNumber();
      for (const record of records.filter((one) => !one.body)) {
        record.body = report;
        this.journal.save(record);
      }
    });
    await this.requests.report(this.#due((record) => record.body?.type === "sent"));
  }

  async #reportFailures() {
    const due = this.journal.records().filter((record) => record.failing && !record.end && !record.stuck);
    for (const record of due) record.body = { type: "failed", reason: record.failing };
    await this.requests.report(due);
  }

  /** Reads an order with print and delivery, which the portal records. Null for a revoked card. */
  async #readOrder(id, records) {
    const { body } = await this.portal.get(`orders/${id}`, { attempts: 2 });
    if (body.print) return body;
    for (const record of records) record.unclear = true;
    await this.requests.refresh(id);
    return null;
  }

  /** The items that meet a condition and have nothing wrong with them. */
  #due(condition) {
    return this.journal.records().filter((record) => isOpen(record) && condition(record));
  }

  /** Acts on a few orders at once. A refusal of one, or a silent person register, does not stop the others. */
  async #eachOrder(records, act) {
    const orders = [...byOrder(records)];
    const work = async () => {
      for (let next; (next = orders.shift()); ) await this.#attempt(...next, act);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  async #attempt(order, records, act) {
    try {
      await act(order, records);
    } catch (error) {
      if (!(error instanceof Refused || error instanceof NoAnswer)) throw error;
      if (error instanceof NoAnswer) log(order, error.message);
      else this.#takeRefused(order, records, error);
    }
  }

  #takeRefused(order, records, error) {
    log(order, error.message);
    for (const record of records) {
      takeRefusal(record, error.status, error.code);
      this.journal.save(record);
    }
  }

  /** Acts each second while a record waits, at most for some seconds; then the next round goes on. */
  async #eachSecond(waits, act) {
    for (let second = 0; second < SECONDS && this.#due(waits).length; second++) {
      await sleep(1000);
      await act(this.#due(waits));
    }
  }
}

function byOrder(records) {
  const orders = new Map();
  for (const record of records) orders.set(record.order, [...(orders.get(record.order) ?? []), record]);
  return orders;
}
