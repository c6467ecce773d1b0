// Requests that change something: stored with their key, sent until an answer comes, and settled.
// Those of many items go together in batches.

import { setTimeout as sleep } from "node:timers/promises";
import { newRecord, takeAnswer, takeState } from "./item.mjs";
import { log } from "./journal.mjs";
import { NoAnswer, Refused, fieldsOf } from "./portal.mjs";

const BATCH = 50;
const SECONDS = 30;

/** The requests of a client. `root` is the root of the cards' certificates. */
export class Requests {
  constructor(portal, journal, root) {
    Object.assign(this, { portal, journal, root });
  }

  /** Sends the request again that was under way when the client stopped. */
  async repeat() {
    const request = this.journal.unsettled();
    if (request) await this.#deliver(request);
  }

  /** Accepts orders by their ids. */
  accept(orders) {
    return this.#post("batch/accept", orders.map((order) => ({ order })));
  }

  /** Asks for the certificates of items, whose records have the requests. */
  certify(records) {
    return this.#postBodies("batch/certificates", records);
  }

  /** Sends the reports in the records. A repeated report must not differ, so they are stored first. */
  report(records) {
    for (const record of records) this.journal.save(record);
    return this.#postBodies("batch/events", records);
  }

  /** Gives up a spoilt card. */
  remake({ order, item }, reason, fault) {
    return this.#deliver(this.journal.begin(`orders/${order}/remake`, { item, reason, fault }));
  }

  /** Reads the portal's view of an order's items. */
  async refresh(order) {
    if (!this.journal.records(order).length) return;
    for await (const item of this.portal.items(order)) {
      const record = this.journal.find(order, item.number);
      if (!record || record.end) continue;
      takeState(record, item);
      this.journal.save(record);
    }
  }

  #postBodies(path, records) {
    const due = records.filter((record) => record.body);
    return this.#post(path, due.map(({ order, item, body }) => ({ order, item, body })));
  }

  async #post(path, entries) {
    for (let start = 0; start < entries.length; start += BATCH) {
      await this.#deliver(this.journal.begin(path, { entries: entries.slice(start, start + BATCH) }));
    }
  }

  /** A request stays stored until its answer is in the records, or until it is refused as a whole. */
  async #deliver({ key, path, text }) {
    const sent = JSON.parse(text);
    const { body } = await this.portal.post(path, text, key).catch((error) => {
      if (error instanceof Refused) this.journal.settle();
      throw error;
    });
    if (path.endsWith("/remake")) await this.#takeRemake(path.split("/")[1], body.item);
    for (const [index, entry] of (sent.entries ?? []).entries()) {
      await this.#takeResult(path, entry, body.results[index]);
    }
    this.journal.settle();
  }

  async #takeResult(path, { order, item, body: sent }, { status, body }) {
    if (body.code) log(item ? `${order}.${item}` : order, `${path}: ${status} ${body.code} ${fieldsOf(body)}`);
    if (path === "batch/accept") return body.code ? undefined : this.#addItems(order);
    const record = this.journal.find(order, item);
    takeAnswer(record, sent.type ?? "certificates", status, body, this.root);
    this.journal.save(record);
  }

  /** The new item is there in a moment. Until then the request stays. */
  async #takeRemake(order, number) {
    for (let second = 0; !this.journal.find(order, number); second++) {
      if (second === SECONDS) throw new NoAnswer(`item ${number} of order ${order} is not there yet`);
      if (second) await sleep(1000);
      await this.#addItems(order);
    }
    await this.refresh(order);
  }

  /** Adds records of the items that wait to be made. */
  async #addItems(order) {
    for await (const item of this.portal.items(order)) {
      if (item.state !== "waiting" || this.journal.find(order, item.number)) continue;
      const record = newRecord(order, item);
      if (record) this.journal.save(record);
      else log(order, `ALARM: item ${item.number} is of an unknown kind: ${item.kind}`);
    }
  }
}
