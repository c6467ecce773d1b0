// The supplier's record of each item of an order, one file each. It is written before each call, with the exact body: a client
// that was stopped repeats the same call with the same idempotency key.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export class Journal {
  constructor(folder) {
    this.items = join(folder, 'items');
    this.position = join(folder, 'changes.json');
    mkdirSync(this.items, { recursive: true, mode: 0o700 });
  }

  /** Returns all records, the oldest order first: ids rise with time. */
  all() {
    return readdirSync(this.items).filter((name) => name.endsWith('.json')).sort().map((name) => this.#read(name));
  }

  of(order) {
    return this.all().filter((record) => record.order === order);
  }

  find(order, item) {
    const name = `${order}.${item}.json`;
    return existsSync(join(this.items, name)) ? this.#read(name) : null;
  }

  save(record) {
    this.#write(join(this.items, `${record.order}.${record.item}.json`), record);
  }

  /** The number of the last change that was read and acted on. */
  get change() {
    return existsSync(this.position) ? JSON.parse(readFileSync(this.position)) : 0;
  }

  set change(number) {
    this.#write(this.position, number);
  }

  #read(name) {
    return JSON.parse(readFileSync(join(this.items, name)));
  }

  #write(file, content) {
    const descriptor = openSync(`${file}.new`, 'w', 0o600);
    writeSync(descriptor, JSON.stringify(content));
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(`${file}.new`, file);
  }
}
