// One item of an order, mostly its only card, from accepted to sent. Each step may be repeated, and returns the next one.
import { createHash } from 'node:crypto';
import { BadDelivery, check, newMifareId, newPuk, newSerial, personalise } from './card.mjs';
import { open } from './letter.mjs';
import { layout, letter } from './print.mjs';
import { Refused, sleep } from './portal.mjs';
import { seal } from './puk.mjs';

export const STEPS = ['accepted', 'made', 'certified', 'produced', 'reported', 'sent'];
export const ENDED = ['sent', 'failed', 'returned', 'remade', 'withdrawn', 'stopped'];
const PUKS = 3;
const NOT_TO_BE_MADE = [
  'carrier-revoked', 'certificates-failed', 'certificates-revoked', 'no-registered-address', 'order-closed', 'person-deceased',
  'person-id-not-certifiable', 'person-not-in-register', 'person-without-id', 'post-ended',
];

/** The item goes on in a later round. */
export class Later extends Error {}

export class Work {
  constructor({ portal, journal, printer, root, letterKey = null, p256 = [], badPuks = [], report, polls = 120, pollMilliseconds = 250 }) {
    Object.assign(this, { portal, journal, printer, root, letterKey, p256, badPuks, report, polls, pollMilliseconds });
  }

  /** Takes the item's steps until it ends, waits for the portal's check of its PUK, or is at the step `until`. */
  async advance(record, until = 'sent') {
    const take = { accepted: this.make, made: this.certify, certified: this.reportProduced, produced: this.reportSent };
    while (take[record.step] && STEPS.indexOf(record.step) < STEPS.indexOf(until)) {
      await this.#next(record, () => take[record.step].call(this, record));
    }
  }

  async #next(record, step) {
    try {
      record.step = await step();
    } catch (error) {
      if (!(error instanceof Refused || error instanceof BadDelivery)) throw error;
      record.step = 'stopped'; // a person looks at it, and sets the step back
      record.why = [error.message, ...(error.fields ?? [])].join('; ');
    }
    if (ENDED.includes(record.step)) this.#forget(record);
    this.journal.save(record);
    this.report(`${record.order} ${record.item}: ${record.step}${record.why ? ` (${record.why})` : ''}`);
  }

  /** Reads what to print and where to send it. Nothing of this is kept in the journal. */
  async make(record) {
    const item = await this.#item(record);
    if (item.kind === 'puk_letter' && item.state === 'in_production') return this.#again(record, 'answer-lost', 'supplier');
    if (item.card_revoked || item.state !== 'waiting') return this.#settled(record, item);
    if (item.kind === 'puk_letter') return this.#letter(record);
    if (!['card', 'reserve_card'].includes(item.kind)) throw new Later(`this client makes no ${item.kind}`);
    return this.#whileItIsToBeMade(record, async () => {
      const order = (await this.portal.get(`orders/${record.order}`)).body;
      if (order.print === null) throw new Later(`the order is ${order.status}`);
      record.serial ??= newSerial();
      record.puk ??= newPuk();
      record.mifareId ??= newMifareId();
      this.journal.save(record);
      this.printer.print(record, layout(order, record.serial), await this.#photo(order));
      return 'made';
    });
  }

  /** Reads the PUK of a letter, which the portal hands out once, and prints it. A lost answer leads to another letter. */
  async #letter(record) {
    if (this.letterKey === null) throw new Later('this client prints no letters');
    return this.#whileItIsToBeMade(record, async () => {
      const order = (await this.portal.get(`orders/${record.order}`)).body;
      if (order.print === null) throw new Later(`the order is ${order.status}`);
      const response = await this.#letterPuk(record);
      if (response === null) return this.#again(record, 'answer-lost', 'supplier');
      const { header, puk } = open(response.body.puk_jwe, this.letterKey);
      if (header.order !== record.order || header.item !== `${record.item}`) throw new BadDelivery('the PUK of another letter');
      this.printer.print(record, letter(order, header.serial, puk), null);
      return 'certified';
    });
  }

  /** The response with the PUK, or null if it was handed out before. */
  async #letterPuk(record) {
    try {
      for (let poll = 0; poll < this.polls; poll += 1) {
        const response = await this.portal.get(`orders/${record.order}/puk`);
        if (response.status === 200) return response;
        await sleep(this.pollMilliseconds);
      }
    } catch (error) {
      if (error.code === 'puk-gone') return null;
      throw error;
    }
    throw new Later('the PUK is being encrypted');
  }

  async #photo(order) {
    if (order.print.photo_sha256 === null) return null;
    const { body } = await this.portal.get(`orders/${order.id}/photo`, { Accept: 'image/jpeg' });
    const digest = createHash('sha256').update(body).digest('hex');
    if (digest !== order.print.photo_sha256) throw new BadDelivery('another photo than the ordered one');
    return body;
  }

  async certify(record) {
    const type = this.p256.includes(record.article.number) ? 'p256' : 'rsa';
    return this.#whileItIsToBeMade(record, async () => {
      const body = () => personalise(record.serial, record.profiles, type);
      let response = await this.#post(record, 'certificates', 'certificates', body);
      for (let poll = 0; response.status === 202; poll += 1) {
        if (poll === this.polls) throw new Later('certificates are being signed');
        await sleep(this.pollMilliseconds);
        response = await this.portal.get(`orders/${record.order}/items/${record.item}/certificates`);
      }
      check(record.bodies.certificates, response.body, this.root); // a real client writes them to the card now
      return 'certified';
    });
  }

  async #whileItIsToBeMade(record, act) {
    try {
      return await act();
    } catch (error) {
      if (NOT_TO_BE_MADE.includes(error.code)) return this.fail(record, error.code);
      throw error;
    }
  }

  async reportProduced(record) {
    const { body } = await this.#post(record, `produced-${record.puksSent}`, 'events', async () => ({
      type: 'produced', ...(record.kind !== 'puk_letter' && { mifare_id: record.mifareId, ...(await this.#puk(record)) }),
    }));
    return body.outcome === 'noted' ? this.#settled(record, await this.#item(record)) : 'produced';
  }

  /** The PUK of a card. A reserve card has none. */
  async #puk(record) {
    if (record.kind === 'reserve_card') return { no_puk: true };
    const [newest] = (await this.portal.get('keys')).body.keys;
    const spoil = this.badPuks.includes(record.order) && record.puksSent === 0; // only to see a refusal in the sandbox
    return { puk_jwe: seal(spoil ? 'not a PUK' : record.puk, newest, record) };
  }

  /** Reports sent at once. The portal parks the report until it has checked the PUK. */
  async reportSent(record) {
    const { body } = await this.#post(record, 'sent', 'events', () => ({
      type: 'sent', sent_on: today(), ...(record.article.registered_mail && { registered_mail_id: newRegisteredMailId() }),
    }));
    if (body.outcome === 'noted') return this.#settled(record, await this.#item(record));
    return body.outcome === 'applied' ? 'sent' : 'reported';
  }

  /** Takes a step of an item that waits for its PUK, or whose card or order has changed. */
  async settle(record) {
    await this.#next(record, async () => {
      const item = await this.#item(record);
      if (item.puk !== 'refused' || item.card_revoked) return this.#settled(record, item);
      record.puksSent += 1;
      return record.puksSent === PUKS ? this.fail(record, 'puk-refused') : 'certified';
    });
  }

  /** Returns how the item ended, and reports a revoked card failed. Otherwise the item goes on later. */
  async #settled(record, item) {
    if (item.state === 'cancelled') return 'withdrawn';
    if (['sent', 'failed', 'returned', 'remade'].includes(item.state)) return item.state;
    if (item.card_revoked) return this.fail(record, 'card-revoked');
    throw new Later(`the item is ${item.state}`);
  }

  async #item(record) {
    const { body } = await this.portal.get(`orders/${record.order}/items?after=${record.item - 1}&limit=1`);
    if (body.items[0]?.number !== record.item) throw new Later('the item is being added');
    return body.items[0];
  }

  /** Reports that no card is made, or that a made one is destroyed. `reason` is the supplier's own code. */
  async fail(record, reason) {
    record.why ??= reason;
    return this.#reportEnd(record, 'failed', reason);
  }

  async #reportEnd(record, type, reason) {
    const { body } = await this.#post(record, type, 'events', () => ({ type, reason }));
    if (['applied', 'repeated'].includes(body.outcome)) return type;
    return this.#settled(record, await this.#item(record));
  }

  /** Reports failed or returned because a person in the factory or the post said so. */
  async end(record, type, reason) {
    await this.#next(record, () => this.#reportEnd(record, type, reason));
  }

  /** Gives up a spoilt card or letter and begins with the item that replaces it. `fault` says who pays: supplier or other. */
  async remake(record, reason, fault) {
    await this.#next(record, () => this.#again(record, reason, fault));
  }

  async #again(record, reason, fault) {
    const body = { item: record.item, reason, fault };
    const { body: made } = await this.portal.post(`orders/${record.order}/remake`, `${record.order}:${record.item}:remake`, body);
    const { order, kind, profiles, article } = record;
    const next = { order, item: made.item, kind, profiles, article, step: 'accepted', bodies: {}, puksSent: 0 };
    this.journal.save(this.journal.find(order, made.item) ?? next);
    return 'remade';
  }

  /** Posts with a key for the item and the call. The body is made once, and kept until the item ends. */
  async #post(record, name, path, body) {
    record.bodies[name] ??= await body();
    this.journal.save(record);
    const key = `${record.order}:${record.item}:${name}`;
    return this.portal.post(`orders/${record.order}/items/${record.item}/${path}`, key, record.bodies[name]);
  }

  #forget(record) {
    record.bodies = {};
    delete record.puk;
    this.printer.destroy(record);
  }
}

const today = () => new Date().toLocaleDateString('sv-SE', { timeZone: 'Europe/Stockholm' });

// The post gives the number. This one is for tests.
const newRegisteredMailId = () => `LA00R${String(Math.floor(Math.random() * 1e6)).padStart(6, '0')}SE`;
