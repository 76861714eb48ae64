// A phone: it shows what it was sent, takes what the person does at once, and talks to the server when it can.

import { Cache } from "./cache.js";
import { GomerError, newId } from "./calls.js";
import { Queue } from "./queue.js";

/** Longest pause between two attempts. */
const PAUSE_MS_MAX = 60_000;

export class Phone {
  #calls;
  #storage;
  #cursor = null;
  #known = undefined;
  #roots = [];
  #busy = Promise.resolve();
  #pushing = null;
  #broken = null;
  #listeners = new Set();

  constructor(calls, storage, cache, queue) {
    this.#calls = calls;
    this.#storage = storage;
    this.cache = cache;
    this.queue = queue;
  }

  /** Opens it as it was stored. */
  static async open(calls, storage) {
    const rows = [];
    const scopes = [];
    const operations = [];
    const reports = [];
    const plain = new Map();
    for (const [name, value] of await storage.load()) {
      if (name.startsWith("row/")) rows.push([name.slice(4), value]);
      else if (name.startsWith("scope/")) scopes.push([name.slice(6), value]);
      else if (name.startsWith("operation/")) operations.push(value);
      else if (name.startsWith("report/")) reports.push(value);
      else plain.set(name, value);
    }
    const cache = Cache.restore({ rows, scopes, round: plain.get("round") });
    const queue = Queue.restore({ operations, reports });
    const phone = new Phone(calls, storage, cache, queue);
    phone.#cursor = plain.get("cursor") ?? null;
    phone.#known = plain.get("known");
    phone.#roots = plain.get("roots") ?? [];
    return phone;
  }

  /** Calls back after each change of the cache, the queue or the reports. Gives a function that ends it. */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The roots that are followed beside one's own: what is on the screen. At most 50. */
  async follow(roots) {
    await this.#alone(async () => {
      this.#roots = [...roots];
      await this.#storage.store([["roots", this.#roots]]);
    });
  }

  /** Does something, now or when there is a network again. Gives the operation's id once it is stored. */
  async do(method, args, { ifRev, op = newId(), editedAt = new Date().toISOString() } = {}) {
    return this.#alone(async () => {
      const operation = this.queue.add({ op, method, args, ifRev, editedAt, known: this.#known });
      try {
        await this.#storage.store([[`operation/${op}`, operation]]);
      } catch (error) {
        this.queue.takeBack(operation);
        throw error;
      }
      this.#changed();
      return op;
    });
  }

  /** Forgets a report that the person has seen. */
  async dismiss(op) {
    await this.#alone(async () => {
      await this.#storage.store([[`report/${op}`, undefined]]);
      this.queue.dismiss(op);
    });
    this.#changed();
  }

  /** Sends what waits, then fetches all that is new. Throws what the server or the network says. */
  async sync({ signal } = {}) {
    await this.push({ signal });
    await this.pull({ signal });
  }

  /** Sends what waits, until all is told or the server asks to wait. Gives whether nothing is left. */
  push({ signal } = {}) {
    // Whoever asks while it is being done gets the same answer.
    this.#pushing ??= this.#push(signal).finally(() => {
      this.#pushing = null;
    });
    return this.#pushing;
  }

  async #push(signal) {
    for (let batch = this.queue.next(); batch.length > 0; batch = this.queue.next()) {
      const reply = await this.#calls.call("sync.push", { operations: batch }, { signal });
      const settled = await this.#alone(async () => {
        const { done, reported, failed } = this.queue.settle(reply);
        await this.#stored([
          ...done.map(({ op }) => [`operation/${op}`, undefined]),
          ...reported.map(({ operation: { op } }) => [`operation/${op}`, undefined]),
          ...reported.map((report) => [`report/${report.operation.op}`, report]),
          ...failed.map((operation) => [`operation/${operation.op}`, operation]),
        ]);
        return done.length + reported.length;
      });
      this.#changed();
      if (reply.stoppedAt || settled === 0) return false;
    }
    return true;
  }

  /** Fetches all that is new; with `waitS` it waits at most so long for something, if there is nothing. */
  async pull({ waitS = 0, signal } = {}) {
    for (let wait = waitS; ; wait = 0) {
      const page = await this.#page(wait, signal);
      const end = await this.#alone(() => this.#take(page));
      this.#changed();
      if (end) return;
    }
  }

  /** Keeps in step until the signal is given: sends, fetches, waits, and pauses when something is in the way. */
  async run(signal) {
    let failures = 0;
    while (!signal.aborted) {
      try {
        const sent = await this.push({ signal });
        await this.pull({ waitS: sent ? 25 : 0, signal });
        if (sent) failures = 0;
        else await pause(pauseMs(++failures), signal);
      } catch (error) {
        if (signal.aborted) return;
        const ended = error instanceof GomerError && error.status === 401;
        if (ended) throw error;
        failures += 1;
        await pause(Math.max(pauseMs(failures), (error.retryAfterS ?? 0) * 1000), signal);
      }
    }
  }

  async #page(waitS, signal) {
    const args = { roots: this.#roots, ...(this.#cursor && { cursor: this.#cursor }), ...(waitS > 0 && { waitS }) };
    try {
      return { ...(await this.#calls.call("sync.pull", args, { signal })), from: this.#cursor };
    } catch (error) {
      const lost = error instanceof GomerError && ["cursor-invalid", "cursor-expired"].includes(error.code);
      if (!lost || !this.#cursor) throw error;
      // From the start: what is not sent again is gone. What was not sent yet stays.
      await this.#alone(async () => {
        const changed = this.cache.beginAgain();
        this.#cursor = null;
        await this.#store(changed, [["cursor", undefined]]);
      });
      return this.#page(0, signal);
    }
  }

  async #take(page) {
    // Two pulls at once: the page of the slower one is old.
    if (page.from !== this.#cursor) return page.end;
    const changed = this.cache.apply(page);
    this.#cursor = page.cursor;
    this.#known = page.known ?? this.#known;
    await this.#store(changed, [["cursor", this.#cursor], ["known", this.#known]]);
    return page.end;
  }

  async #store(changed, others) {
    const rows = [...changed.rows].map(([key, row]) => [`row/${key}`, row]);
    const scopes = [...changed.scopes].map(([scope, held]) => [`scope/${scope}`, held]);
    await this.#stored([...rows, ...scopes, ["round", this.cache.round], ...others]);
  }

  /** Stores what memory already shows. If that fails, memory is ahead of what is stored: nothing may follow on it. */
  async #stored(changes) {
    try {
      await this.#storage.store(changes);
    } catch (error) {
      this.#broken = error;
      throw error;
    }
  }

  /** One change at a time. */
  #alone(change) {
    const mine = this.#busy.then(() => {
      if (this.#broken) throw new Error("the storage failed: open the phone again", { cause: this.#broken });
      return change();
    });
    this.#busy = mine.catch(() => {});
    return mine;
  }

  #changed() {
    for (const listener of this.#listeners) listener(this);
  }
}

/** Twice as long each time, and never the same for two phones. */
function pauseMs(failures) {
  return Math.min(PAUSE_MS_MAX, 500 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2);
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
