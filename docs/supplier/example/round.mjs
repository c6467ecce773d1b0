// A round of the client: takes new orders, follows changes, and brings every item as far as it goes.
import { ENDED, Later } from './item.mjs';
import { sleep, Unreachable } from './portal.mjs';

/** Returns true if every item ended or is at the step `until`. `orders` are tried besides the queued ones. */
export async function round(work, { until, orders = [] }) {
  await follow(work);
  const queued = (await collected(work.portal.orders('queued'))).map((order) => order.id);
  const accepted = (await collected(work.portal.orders('accepted'))).map((order) => order.id);
  let complete = true;
  for (const order of new Set([...orders, ...queued, ...accepted])) {
    if (open(work).some((record) => record.order === order)) continue;
    complete = await attempt(work, order, () => take(work, order)) && complete;
  }
  for (const record of open(work)) {
    complete = await attempt(work, label(record), () => work.advance(record, until)) && complete;
  }
  return await settle(work, until) && complete;
}

const open = (work) => work.journal.all().filter((record) => !ENDED.includes(record.step));
const label = (record) => `${record.order} ${record.item}`;

/** Accepts an order and opens a record for each item that is to be made. An order that was returned may come again. */
async function take(work, order) {
  const known = work.journal.of(order);
  let article;
  try {
    ({ article } = (await work.portal.post(`orders/${order}/accept`, `${order}:accept:${known.length}`, {})).body);
  } catch (error) {
    if (error.code === 'customisation-not-verified') throw new Later(error.code);
    if (error.code !== 'order-withdrawn') throw error;
    work.report(`${order}: withdrawn`);
    return;
  }
  for await (const item of items(work, order)) {
    if (item.state !== 'waiting' || work.journal.find(order, item.number)) continue;
    const { number, kind, profiles } = item;
    work.journal.save({ order, item: number, kind, profiles, article, step: 'accepted', bodies: {}, puksSent: 0 });
    work.report(`${order} ${number}: accepted`);
  }
}

async function* items(work, order) {
  for (let after = 0; after !== null;) {
    const { body } = await work.portal.get(`orders/${order}/items?after=${after}&limit=200`);
    yield* body.items;
    after = body.next;
  }
}

/** Reads what changed since the last round, and settles the items that it is about. A revoked card is reported failed. */
async function follow(work) {
  for (let more = true; more;) {
    const { body } = await work.portal.get(`changes?after=${work.journal.change}&limit=200`);
    for (const change of body.changes) {
      const about = open(work).filter((one) => one.order === change.order && [null, one.item].includes(change.item));
      const act = (record) => (change.kind === 'revoked' ? work.end(record, 'failed', change.reason) : work.settle(record));
      for (const record of about) await attempt(work, label(record), () => act(record), () => {});
      work.journal.change = change.number; // after the act, so that a client that was stopped repeats it
    }
    more = body.next !== null;
  }
}

/** Waits until the portal has checked the PUKs. The lists of items have no personal data. */
async function settle(work, until) {
  const waiting = () => open(work).filter((record) => record.step === 'reported');
  for (let poll = 0; waiting().length; poll += 1) {
    if (poll === work.polls) return false;
    if (poll) await sleep(work.pollMilliseconds);
    for (const record of waiting()) {
      await attempt(work, label(record), async () => {
        await work.settle(record);
        await work.advance(record, until);
      }, () => {});
    }
  }
  return true;
}

/** Returns false if what `act` does waits for a later round. */
async function attempt(work, name, act, tell = (line) => work.report(line)) {
  try {
    await act();
    return true;
  } catch (error) {
    if (!(error instanceof Later || error instanceof Unreachable)) throw error;
    tell(`${name}: waits (${error.message})`);
    return false;
  }
}

async function collected(rows) {
  const found = [];
  for await (const row of rows) found.push(row);
  return found;
}
