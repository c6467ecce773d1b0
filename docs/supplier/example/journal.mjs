// The supplier's record of each order, one file each. It is written before each call, with the exact body: a client that was
// stopped repeats the same call with the same idempotency key.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export class Journal {
  constructor(folder) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Returns the order's record, or a new one. */
  open(order) {
    const file = this.#file(order);
    return existsSync(file) ? JSON.parse(readFileSync(file)) : { order, step: 'taken', bodies: {}, puksSent: 0 };
  }

  /** Returns all records, the oldest order first: ids rise with time. */
  all() {
    const names = readdirSync(this.folder).filter((name) => name.endsWith('.json'));
    return names.sort().map((name) => this.open(name.slice(0, -'.json'.length)));
  }

  save(record) {
    const file = this.#file(record.order);
    const descriptor = openSync(`${file}.new`, 'w', 0o600);
    writeSync(descriptor, JSON.stringify(record));
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(`${file}.new`, file);
  }

  #file(order) {
    return join(this.folder, `${order}.json`);
  }
}
