// A card supplier's client: takes orders from queued to sent. Written from the guide in docs/supplier, without packages.
//
//   node client.mjs run [--until STEP] [--order ID]... [--p256 ARTICLE]... [--bad-puk ORDER]...
//   node client.mjs report ORDER failed|returned REASON
//   node client.mjs logotype CUSTOMISATION FILE.png
//
// All take --url, --identity (a folder with client.pem, client.key, ca.pem and root.pem) and --folder (the client's own records).
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Journal } from './journal.mjs';
import { ENDED, Later, STEPS, Work } from './order.mjs';
import { Portal, sleep, Unreachable } from './portal.mjs';

const { values: options, positionals: [command, ...words] } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string', default: 'https://localhost:8443/api/supplier/v1/' },
    identity: { type: 'string', default: 'var/sandbox' },
    folder: { type: 'string', default: 'var/supplier-client' },
    until: { type: 'string', default: 'sent' },
    order: { type: 'string', multiple: true, default: [] },
    p256: { type: 'string', multiple: true, default: ['610'] },
    'bad-puk': { type: 'string', multiple: true, default: [] },
  },
});

/** The printing machine and the envelopes. This one writes files, and removes them when the order ends. */
class Printer {
  constructor(folder) {
    this.folder = folder;
  }

  print(order, sides, photo) {
    const folder = join(this.folder, order);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const [side, lines] of Object.entries(sides)) writeFileSync(join(folder, `${side}.txt`), `${lines.join('\n')}\n`);
    if (photo) writeFileSync(join(folder, 'photo.jpg'), photo);
  }

  destroy(order) {
    rmSync(join(this.folder, order), { recursive: true, force: true });
  }
}

function open() {
  const file = (name) => readFileSync(join(options.identity, name));
  const portal = new Portal({ base: options.url, cert: file('client.pem'), key: file('client.key'), ca: file('ca.pem') });
  const journal = new Journal(join(options.folder, 'orders'));
  return new Work({
    portal, journal, printer: new Printer(join(options.folder, 'printed')), p256: options.p256, badPuks: options['bad-puk'],
    root: existsSync(join(options.identity, 'root.pem')) ? file('root.pem') : null,
    report: (line) => console.log(line),
  });
}

/** One round: every unfinished order and all queued ones. Returns true if each ended or is at the step `until`. */
async function round(work) {
  if (!STEPS.includes(options.until)) throw new Error(`--until is one of ${STEPS.join(', ')}`);
  const queued = (await collected(work.portal.orders('queued'))).map((order) => order.id);
  const known = work.journal.all();
  const started = known.filter((record) => !ENDED.includes(record.step)).map((record) => record.order);
  const ended = new Set(known.filter((record) => ENDED.includes(record.step)).map((record) => record.order));
  const orders = [...new Set([...started, ...options.order, ...queued])].filter((order) => !ended.has(order));
  let complete = true;
  for (const order of orders) complete = await attempt(work, order, (record) => work.advance(record, options.until)) && complete;
  return await settle(work, orders) && complete;
}

/** Waits for the PUKs of all orders together: one list instead of a call for each order. */
async function settle(work, orders) {
  const waiting = () => orders.map((order) => work.journal.open(order)).filter((record) => record.step === 'reported');
  for (let poll = 0; waiting().length; poll += 1) {
    if (poll === work.polls) return false;
    if (poll) await sleep(work.pollMilliseconds);
    const rows = await collected(work.portal.orders('produced'));
    const listed = new Map(rows.map((order) => [order.id, order]));
    for (const { order } of waiting()) {
      await attempt(work, order, async (record) => {
        await work.settle(record, listed.get(order));
        await work.advance(record, options.until);
      }, () => {});
    }
  }
  return true;
}

async function collected(rows) {
  const found = [];
  for await (const row of rows) found.push(row);
  return found;
}

/** Does `act` with the order's record. Returns false if the order waits for a later round. */
async function attempt(work, order, act, tell = (line) => console.log(line)) {
  try {
    await act(work.journal.open(order));
    return true;
  } catch (error) {
    if (!(error instanceof Later || error instanceof Unreachable)) throw error;
    tell(`${order}: waits (${error.message})`);
    return false;
  }
}

async function report(work, [order, type, reason]) {
  await work.end(work.journal.open(order), type, reason);
  return true;
}

/** Puts a logotype. The issuer verifies it before cards with it are ordered or made. */
async function logotype(work, [customisation, path]) {
  const png = readFileSync(path);
  const address = `card-customisations/${customisation}`;
  const { headers } = await work.portal.get(address);
  const sha256 = createHash('sha256').update(png).digest('hex');
  await work.portal.put(address, headers.etag, { logotype: png.toString('base64'), sha256 });
  console.log(`${customisation}: the issuer verifies the logotype`);
  return true;
}

const commands = { run: round, report, logotype };
if (!(command in commands)) {
  console.error(`Use: node client.mjs ${Object.keys(commands).join(' | ')}`);
  process.exit(2);
}
const work = open();
try {
  process.exitCode = await commands[command](work, words) ? 0 : 1;
} finally {
  work.portal.close();
}
