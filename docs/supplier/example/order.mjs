// One order from queued to sent. Each step may be repeated. A step returns the next one; an order that ended has one of ENDED.
import { createHash } from 'node:crypto';
import { BadDelivery, check, newMifareId, newPuk, newSerial, personalise } from './card.mjs';
import { layout } from './print.mjs';
import { Refused, sleep } from './portal.mjs';
import { seal } from './puk.mjs';

export const STEPS = ['taken', 'accepted', 'made', 'certified', 'produced', 'reported', 'sent'];
export const ENDED = ['sent', 'failed', 'returned', 'withdrawn', 'stopped'];
const PUKS = 3;
const NOT_TO_BE_MADE = [
  'carrier-revoked', 'certificates-failed', 'certificates-revoked', 'order-closed', 'person-id-not-certifiable', 'post-ended',
];

/** The order goes on in a later round. */
export class Later extends Error {}

export class Work {
  constructor({ portal, journal, printer, root, p256 = [], badPuks = [], report, polls = 120, pollMilliseconds = 250 }) {
    Object.assign(this, { portal, journal, printer, root, p256, badPuks, report, polls, pollMilliseconds });
  }

  /** Takes the order's steps until it ends, waits for the portal's PUK check, or is at the step `until`. */
  async advance(record, until = 'sent') {
    const take = {
      taken: this.accept, accepted: this.make, made: this.certify, certified: this.reportProduced, produced: this.reportSent,
    };
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
    this.report(`${record.order}: ${record.step}${record.why ? ` (${record.why})` : ''}`);
  }

  async accept(record) {
    try {
      const { body } = await this.#post(record, 'accept', 'accept', () => ({}));
      record.article = body.article;
    } catch (error) {
      if (error.code === 'order-withdrawn') return 'withdrawn';
      if (error.code === 'customisation-not-verified') throw new Later(error.code);
      throw error;
    }
    return 'accepted';
  }

  /** Reads what to print and where to send it. Nothing of this is kept in the journal. */
  async make(record) {
    let order;
    try {
      order = (await this.portal.get(`orders/${record.order}`)).body;
    } catch (error) {
      if (['person-deceased', 'no-registered-address'].includes(error.code)) return this.fail(record, error.code);
      throw error;
    }
    if (order.print === null) return this.fail(record, 'card-revoked');
    record.serial ??= newSerial();
    record.puk ??= newPuk();
    record.mifareId ??= newMifareId();
    this.journal.save(record);
    this.printer.print(record.order, layout(order, record.serial), await this.#photo(order));
    return 'made';
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
    let response;
    try {
      response = await this.#post(record, 'certificates', 'certificates', () => personalise(record.serial, type));
      for (let poll = 0; response.status === 202; poll += 1) {
        if (poll === this.polls) throw new Later('certificates are being signed');
        await sleep(this.pollMilliseconds);
        response = await this.portal.get(`orders/${record.order}/certificates`);
      }
    } catch (error) {
      if (NOT_TO_BE_MADE.includes(error.code)) return this.fail(record, error.code);
      throw error;
    }
    check(record.bodies.certificates, response.body, this.root); // a real client writes them to the card now
    return 'certified';
  }

  async reportProduced(record) {
    const { body } = await this.#post(record, `produced-${record.puksSent}`, 'events', async () => ({
      type: 'produced', mifare_id: record.mifareId, puk_jwe: await this.#jwe(record),
    }));
    return body.outcome === 'noted' ? this.#settled(record) : 'produced';
  }

  async #jwe(record) {
    const [newest] = (await this.portal.get('keys')).body.keys;
    const spoil = this.badPuks.includes(record.order) && record.puksSent === 0; // only to see a refusal in the sandbox
    return seal(spoil ? 'not a PUK' : record.puk, newest, record);
  }

  /** Reports sent at once. The portal parks the report until it has checked the PUK. */
  async reportSent(record) {
    const { body } = await this.#post(record, 'sent', 'events', () => ({
      type: 'sent', sent_on: today(), ...(record.article.registered_mail && { registered_mail_id: newRegisteredMailId() }),
    }));
    return { applied: 'sent', parked: 'reported', repeated: 'reported' }[body.outcome] ?? this.#settled(record);
  }

  /** Takes a step of an order that waits for its PUK. `listed` is its row in the list of produced orders, if it is there. */
  async settle(record, listed) {
    await this.#next(record, async () => {
      if (!listed) return this.#settled(record);
      if (listed.card_revoked) return this.fail(record, 'card-revoked');
      if (listed.puk !== 'refused') throw new Later('the PUK is being checked');
      record.puksSent += 1;
      return record.puksSent === PUKS ? this.fail(record, 'puk-refused') : 'certified';
    });
  }

  /** Returns how the portal says that the order ended. */
  async #settled(record) {
    const { body } = await this.portal.get(`orders/${record.order}`);
    if (body.status === 'cancelled') return 'withdrawn';
    if (['sent', 'failed', 'returned'].includes(body.status)) return body.status;
    if (body.card_revoked) return this.fail(record, 'card-revoked');
    throw new Later(`the order is ${body.status}`);
  }

  /** Reports that no card is made, or that a made one is destroyed. `reason` is the supplier's own code. */
  async fail(record, reason) {
    record.why ??= reason;
    return this.reportEnd(record, 'failed', reason);
  }

  /** Reports failed or returned. Returns the order's end. */
  async reportEnd(record, type, reason) {
    const { body } = await this.#post(record, type, 'events', () => ({ type, reason }));
    return ['applied', 'repeated'].includes(body.outcome) ? type : this.#settled(record);
  }

  /** Reports failed or returned because a person in the factory or the post said so. */
  async end(record, type, reason) {
    await this.#next(record, () => this.reportEnd(record, type, reason));
  }

  /** Posts with a key for the order and the call. The body is made once, and kept until the order ends. */
  async #post(record, name, path, body) {
    record.bodies[name] ??= await body();
    this.journal.save(record);
    return this.portal.post(`orders/${record.order}/${path}`, `${record.order}:${name}`, record.bodies[name]);
  }

  #forget(record) {
    record.bodies = {};
    delete record.puk;
    this.printer.destroy(record.order);
  }
}

const today = () => new Date().toLocaleDateString('sv-SE', { timeZone: 'Europe/Stockholm' });

// The post gives the number. This one is for tests.
const newRegisteredMailId = () => `LA00R${String(Math.floor(Math.random() * 1e6)).padStart(6, '0')}SE`;
