// A card supplier's client: takes orders from queued to sent. Written from the guide in docs/supplier, without packages.
//
//   node client.mjs run [--until STEP] [--order ID]... [--p256 ARTICLE]... [--bad-puk ORDER]...
//   node client.mjs report ORDER ITEM failed|returned REASON
//   node client.mjs remake ORDER ITEM REASON supplier|other
//   node client.mjs logotype CUSTOMISATION FILE.png
//
// All take --url, --identity (a folder with client.pem, client.key, ca.pem, root.pem and, for PUK letters,
// letter.key) and --folder (the client's own records).
import { createHash, createPrivateKey } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { STEPS, Work } from './item.mjs';
import { Journal } from './journal.mjs';
import { Portal } from './portal.mjs';
import { round } from './round.mjs';

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

/** The printing machine and the envelopes. This one writes files, and removes them when the item ends. */
class Printer {
  constructor(folder) {
    this.folder = folder;
  }

  print(record, sides, photo) {
    const folder = this.#folder(record);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const [side, lines] of Object.entries(sides)) writeFileSync(join(folder, `${side}.txt`), `${lines.join('\n')}\n`);
    if (photo) writeFileSync(join(folder, 'photo.jpg'), photo);
  }

  destroy(record) {
    rmSync(this.#folder(record), { recursive: true, force: true });
  }

  #folder({ order, item }) {
    return join(this.folder, `${order}.${item}`);
  }
}

const commands = {
  async run(work) {
    if (!STEPS.includes(options.until)) throw new Error(`--until is one of ${STEPS.join(', ')}`);
    const { body: me } = await work.portal.get('me');
    const days = Math.floor((new Date(me.certificate.not_after) - Date.now()) / 86_400_000);
    if (days < 30) console.error(`The client certificate ends in ${days} days.`);
    return round(work, { until: options.until, orders: options.order });
  },

  async report(work, [order, item, type, reason]) {
    await work.end(work.journal.find(order, item), type, reason);
    return true;
  },

  async remake(work, [order, item, reason, fault]) {
    await work.remake(work.journal.find(order, item), reason, fault);
    return true;
  },

  /** The issuer verifies the logotype before cards with it are ordered or made. */
  async logotype(work, [customisation, path]) {
    const png = readFileSync(path);
    const { headers } = await work.portal.get(`card-customisations/${customisation}`);
    const sha256 = createHash('sha256').update(png).digest('hex');
    await work.portal.put(`card-customisations/${customisation}`, headers.etag, { logotype: png.toString('base64'), sha256 });
    work.report(`${customisation}: the issuer verifies the logotype`);
    return true;
  },
};

if (!(command in commands)) {
  console.error(`Use: node client.mjs ${Object.keys(commands).join(' | ')}`);
  process.exit(2);
}
const file = (name) => readFileSync(join(options.identity, name));
const portal = new Portal({ base: options.url, cert: file('client.pem'), key: file('client.key'), ca: file('ca.pem') });
const work = new Work({
  portal,
  journal: new Journal(options.folder),
  printer: new Printer(join(options.folder, 'printed')),
  root: existsSync(join(options.identity, 'root.pem')) ? file('root.pem') : null,
  letterKey: existsSync(join(options.identity, 'letter.key')) ? createPrivateKey(file('letter.key')) : null,
  p256: options.p256,
  badPuks: options['bad-puk'],
  report: (line) => console.log(line),
});
try {
  process.exitCode = await commands[command](work, words) ? 0 : 1;
} finally {
  portal.close();
}
