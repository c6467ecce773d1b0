// What the client must not forget: a record for each item, the request that is under way, and the
// last change. Each file is replaced as a whole, so a client that was killed finds the old or the
// new one. Nothing here is personal: no names, addresses, photos, certificates or PUKs in clear.

import { randomUUID } from "node:crypto";
import {
  closeSync, fsyncSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, rmSync, writeSync,
} from "node:fs";
import { join } from "node:path";

/** Writes a line to the log: ids, states and codes, nothing personal. */
export function log(subject, text) {
  console.log(`${new Date().toISOString()} ${subject} ${text}`);
}

/** Says how far an item is. */
export function describe({ step, pukState, failing, stuck, end }) {
  if (end) return end;
  const words = [step, pukState && `puk ${pukState}`, failing && `failing: ${failing}`, stuck && `ALARM: ${stuck}`];
  return words.filter(Boolean).join(", ");
}

/** The journal in a folder. Only one client at a time uses it. */
export class Journal {
  #folder;
  #records = new Map();
  #logged = new Map();

  constructor(folder) {
    this.#folder = folder;
    mkdirSync(join(folder, "items"), { recursive: true, mode: 0o700 });
    this.#lock();
    for (const name of readdirSync(join(folder, "items")).filter((one) => one.endsWith(".json"))) {
      const record = this.#read(`items/${name}`);
      this.#records.set(`${record.order}.${record.item}`, record);
      this.#logged.set(`${record.order}.${record.item}`, describe(record));
    }
  }

  /** All records, or those of one order. */
  records(order) {
    return [...this.#records.values()].filter((record) => !order || record.order === order);
  }

  /** The record of an item, if there is one. */
  find(order, item) {
    return this.#records.get(`${order}.${item}`);
  }

  /** Stores a record, and logs how far the item is if that is new. */
  save(record) {
    const name = `${record.order}.${record.item}`;
    this.#records.set(name, record);
    this.#write(`items/${name}.json`, record);
    if (this.#logged.get(name) !== describe(record)) log(name, describe(record));
    this.#logged.set(name, describe(record));
  }

  /**
   * Stores a request with a new key before it is sent. There is at most one; it stays until `settle`.
   * The body is kept as text, since a repeated request must have the same bytes.
   */
  begin(path, body) {
    const request = { key: randomUUID(), path, text: JSON.stringify(body) };
    this.#write("request.json", request);
    return request;
  }

  /** The stored request, or null. */
  unsettled() {
    return this.#read("request.json");
  }

  /** Forgets the stored request: the answer to it is in the records. */
  settle() {
    rmSync(join(this.#folder, "request.json"));
  }

  /** The number of the last change that was acted on. */
  get lastChange() {
    return this.#read("changes.json")?.last ?? 0;
  }

  set lastChange(number) {
    this.#write("changes.json", { last: number });
  }

  /** Lets another client use the folder. */
  close() {
    rmSync(join(this.#folder, "lock.json"));
  }

  /** Takes the lock, also that of a client that was killed. */
  #lock() {
    const owner = this.#read("lock.json")?.pid;
    if (owner && isRunning(owner)) throw new Error(`process ${owner} uses the journal in ${this.#folder}`);
    this.#write("lock.json", { pid: process.pid });
  }

  #read(name) {
    try {
      return JSON.parse(readFileSync(join(this.#folder, name), "utf8"));
    } catch (error) {
      if (error.code === "ENOENT") return null;
      throw error;
    }
  }

  /** Writes a file beside the old one, waits for the disk, and puts it in the old one's place. */
  #write(name, value) {
    const path = join(this.#folder, name);
    const file = openSync(`${path}.new`, "w", 0o600);
    writeSync(file, JSON.stringify(value, null, 1));
    fsyncSync(file);
    closeSync(file);
    renameSync(`${path}.new`, path);
    const folder = openSync(join(path, ".."), "r");
    fsyncSync(folder);
    closeSync(folder);
  }
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}
