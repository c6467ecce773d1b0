// The connection to the portal: mutual TLS, retries, and pages of lists.

import { readFileSync } from "node:fs";
import { Agent, request as httpsRequest } from "node:https";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const TIMEOUT = 35_000;
const DAY = 24 * 3600 * 1000;
const ATTEMPTS = 8;
const REPEATED = new Set([429, 500, 502, 503, 504]);

/** The portal refused a call, and would refuse it again. */
export class Refused extends Error {
  constructor(call, status, problem) {
    super(`${call}: ${status} ${problem.code} ${fieldsOf(problem)}`);
    this.status = status;
    this.code = problem.code;
  }
}

/** The fields that a problem names, for the log. */
export function fieldsOf(problem) {
  return (problem["invalid-parameters"] ?? []).map(({ name, reason }) => `${name}: ${reason}`).join("; ");
}

/** No usable answer came after several attempts. */
export class NoAnswer extends Error {}

/** The calls of one supplier. The folder has client.pem, client.key and ca.pem. */
export class Portal {
  #address;
  #agent;
  #key;

  constructor(address, folder) {
    const file = (name) => readFileSync(join(folder, name));
    this.#address = address.replace(/\/$/, "");
    this.#agent = new Agent({ cert: file("client.pem"), key: file("client.key"), ca: file("ca.pem"), keepAlive: true });
  }

  /** Reads an address. Fewer attempts suit a call that can wait for the next round. */
  get(path, { accept = "application/json", attempts } = {}) {
    return this.#call("GET", path, { Accept: accept }, undefined, attempts);
  }

  /** Sends a stored body under its stored key. */
  post(path, text, key) {
    return this.#call("POST", path, { "Content-Type": "application/json", "Idempotency-Key": key }, text);
  }

  /** Replaces the version that the ETag names. */
  put(path, text, etag) {
    return this.#call("PUT", path, { "Content-Type": "application/json", "If-Match": etag }, text);
  }

  /** The orders in one status. */
  orders(status) {
    return this.#pages(`orders?status=${status}&limit=200`, "cursor", "orders", "next_cursor");
  }

  /** The items of an order. */
  items(order) {
    return this.#pages(`orders/${order}/items?limit=100`, "after", "items", "next");
  }

  /** The changes after one of this number. */
  changes(number) {
    return this.#pages("changes?limit=100", "after", "changes", "next", number);
  }

  /** The key that PUKs are encrypted to, the first of the list. It is read once a day, or `again`. */
  async newestKey(again) {
    if (again || !(Date.now() - this.#key?.read < DAY)) {
      const { body } = await this.get("keys");
      this.#key = { read: Date.now(), newest: body.keys[0] };
    }
    return this.#key.newest;
  }

  /** Closes the connections, so that the program can end. */
  close() {
    this.#agent.destroy();
  }

  /** The entries of a list. Each page says where the next one begins, the last one null. */
  async *#pages(path, parameter, list, next, start) {
    for (let from = start; from !== null; ) {
      const { body } = await this.get(from === undefined ? path : `${path}&${parameter}=${encodeURIComponent(from)}`);
      yield* body[list];
      from = body[next];
    }
  }

  /** Repeats a call until it has an answer that counts. */
  async #call(method, path, headers, text, attempts = ATTEMPTS) {
    const call = `${method} ${path.split("?")[0]}`;
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#once(method, path, headers, text).catch((error) => ({ error }));
      const { status, body, error } = answer;
      if (status < 300) return answer;
      if (status && !REPEATED.has(status) && body.code !== "request-in-progress") throw new Refused(call, status, body);
      if (attempt === attempts) throw new NoAnswer(`${call}: ${error?.message ?? `${status} ${body.code}`}`);
      await sleep(pause(attempt, answer.headers?.["retry-after"]));
    }
  }

  #once(method, path, headers, text) {
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(TIMEOUT);
      const options = { method, headers: { ...headers, "Accept-Language": "en" }, agent: this.#agent, signal };
      const request = httpsRequest(`${this.#address}/${path}`, options, async (response) => {
        try {
          const content = Buffer.concat(await response.toArray());
          resolve({ status: response.statusCode, headers: response.headers, body: parse(response, content) });
        } catch (error) {
          reject(error);
        }
      });
      request.on("error", reject);
      request.end(text);
    });
  }
}

/** JSON as a value, a picture as bytes. An error of something before the portal has no JSON. */
function parse({ statusCode, headers }, content) {
  if (/^application\/(problem\+)?json/.test(headers["content-type"])) return JSON.parse(content);
  return statusCode < 300 ? content : { code: "not-from-the-portal" };
}

/** Milliseconds to wait: what Retry-After says, otherwise twice as long each time up to 10 s. */
function pause(attempt, retryAfter) {
  const chance = 0.75 + Math.random() / 2;
  if (Number(retryAfter) >= 0) return (Number(retryAfter) + chance / 10) * 1000;
  return Math.min(100 * 2 ** attempt, 10_000) * chance;
}
