// The portal's API over mutual TLS. Repeats a call until it gets a response that counts.
import https from 'node:https';

const PASSING = new Set([429, 500, 502, 503, 504]);
const LONGEST_WAIT = 10_000;

/** The portal refused the call: HTTP status and stable problem code. */
export class Refused extends Error {
  constructor(status, problem) {
    super(`${status} ${problem.code}`);
    this.status = status;
    this.code = problem.code;
    this.fields = (problem['invalid-parameters'] ?? []).map((one) => `${one.name}: ${one.reason}`);
  }
}

/** No attempt got a response that counts. The same call may be repeated later. */
export class Unreachable extends Error {}

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

export class Portal {
  constructor({ base, cert, key, ca, attempts = 8 }) {
    this.base = new URL(base.endsWith('/') ? base : `${base}/`);
    this.agent = new https.Agent({ keepAlive: true, cert, key, ca, minVersion: 'TLSv1.2' });
    this.attempts = attempts;
  }

  close() {
    this.agent.destroy();
  }

  get(path, headers = {}) {
    return this.#call('GET', path, headers);
  }

  /** Posts with an idempotency key. The same key must always have the same body. */
  post(path, key, body) {
    return this.#call('POST', path, { 'Idempotency-Key': key }, body);
  }

  /** Replaces the version that `etag` names. */
  put(path, etag, body) {
    return this.#call('PUT', path, { 'If-Match': etag }, body);
  }

  /** Yields all orders in a status, page by page. */
  async *orders(status) {
    let cursor = '';
    do {
      const { body } = await this.get(`orders?status=${status}&limit=100${cursor}`);
      yield* body.orders;
      cursor = body.next_cursor && `&cursor=${encodeURIComponent(body.next_cursor)}`;
    } while (cursor);
  }

  async #call(method, path, headers, body) {
    let failure;
    for (let attempt = 0; attempt < this.attempts; attempt += 1) {
      if (attempt) await sleep(wait(failure, attempt));
      try {
        const response = await this.#once(method, path, headers, body);
        if (response.status < 400) return response;
        if (!mayPass(response)) throw new Refused(response.status, response.body);
        failure = response;
      } catch (error) {
        if (error instanceof Refused) throw error;
        failure = error; // no response: the portal may have carried out the call
      }
    }
    throw new Unreachable(failure.status ? `${failure.status} ${failure.body.code}` : failure.code ?? failure.message);
  }

  #once(method, path, headers, body) {
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const sent = { Accept: 'application/json', ...headers };
    if (content) Object.assign(sent, { 'Content-Type': 'application/json', 'Content-Length': content.length });
    return new Promise((resolve, reject) => {
      const request = https.request(new URL(path, this.base), { method, agent: this.agent, headers: sent, timeout: 35_000 });
      request.on('timeout', () => request.destroy(new Error('timeout')));
      request.on('error', reject);
      request.on('response', (response) => {
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          try {
            resolve({ status: response.statusCode, headers: response.headers, body: parsed(response, Buffer.concat(parts)) });
          } catch (error) {
            reject(error); // not JSON: cut off, or not from the portal
          }
        });
      });
      request.end(content);
    });
  }
}

function parsed(response, content) {
  return /json/.test(response.headers['content-type'] ?? '') ? JSON.parse(content) : content;
}

function mayPass({ status, body }) {
  return PASSING.has(status) || body.code === 'request-in-progress';
}

/** Milliseconds before the next attempt: Retry-After, or a doubled wait, with chance so that clients do not meet. */
function wait(failure, attempt) {
  const asked = 1000 * Number(failure?.headers?.['retry-after'] ?? 0);
  return Math.max(asked, Math.min(LONGEST_WAIT, 100 * 2 ** attempt) * (0.5 + Math.random() / 2));
}
