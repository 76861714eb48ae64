// Calls of methods over HTTP, and a session that renews itself.
//
// The server answers failures as problem documents; each becomes a GomerError that says whether to try again.

/** A failure: the server's problem, or code `network` when no answer came and the outcome is unknown. */
export class GomerError extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || problem.code);
    this.name = "GomerError";
    this.status = problem.status;
    this.code = problem.code;
    this.retry = problem.retry || "never";
    this.retryAfterS = problem.retryAfterS;
    this.errors = problem.errors || [];
    this.current = problem.current;
    this.rev = problem.rev;
  }
}

/** A new id of version 7: its first 48 bits are the time, so that ids made later sort later. */
export function newId(nowMs = Date.now()) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let at = 0, rest = nowMs; at < 6; at += 1) {
    bytes[5 - at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** How many milliseconds a call may take before its outcome counts as unknown. */
const CALL_MS = 40_000;

export class Calls {
  #options;
  #session = null;
  #refreshing = null;

  /**
   * `onSession` is told of each new pair of tokens, and must have stored it when its promise is fulfilled; it is told
   * null when the session has ended.
   */
  constructor({ url, app, key, session = null, onSession = async () => {}, fetch = globalThis.fetch }) {
    this.#options = { url: url.replace(/\/+$/, ""), app, key, onSession, fetch };
    this.#session = session;
  }

  /** The tokens of whoever is signed in, or null. */
  get session() {
    return this.#session;
  }

  /** Goes on as whoever these tokens belong to; null signs out here. */
  async setSession(session) {
    this.#session = session;
    await this.#options.onSession(session);
  }

  /** Calls a method. `op` makes a retry of a procedure safe; `ifRev` guards what it changes. */
  async call(method, args = {}, { op, ifRev, signal } = {}) {
    const used = this.#session;
    try {
      return await this.#send(method, args, { op, ifRev, signal });
    } catch (error) {
      const expired = error instanceof GomerError && error.status === 401 && used?.refreshToken;
      if (!expired) throw error;
      await this.#renewed(used);
      return this.#send(method, args, { op, ifRev, signal });
    }
  }

  /** One renewal at a time: a token that is shown twice by the same phone looks stolen. */
  async #renewed(used) {
    if (this.#session !== used) return;
    this.#refreshing ??= this.#refresh(used).finally(() => {
      this.#refreshing = null;
    });
    await this.#refreshing;
  }

  async #refresh(used) {
    let pair;
    try {
      pair = await this.#send("auth.refreshSession", { refreshToken: used.refreshToken }, { anonymous: true });
    } catch (error) {
      // Only the server's word ends a session. Without an answer the old pair is still good.
      if (error instanceof GomerError && error.status === 401) await this.setSession(null);
      throw error;
    }
    // Stored before it is first used: from then on the old pair is worthless.
    const session = { ...used, accessToken: pair.accessToken, refreshToken: pair.refreshToken };
    await this.#options.onSession(session);
    this.#session = session;
  }

  async #send(method, args, { op, ifRev, signal, anonymous }) {
    const { url, app, key, fetch } = this.#options;
    const headers = { "content-type": "application/json", "gomer-key": key };
    if (this.#session && !anonymous) headers.authorization = `Bearer ${this.#session.accessToken}`;
    if (op) headers["idempotency-key"] = op;
    if (ifRev) headers["if-match"] = `"${ifRev}"`;
    const limit = AbortSignal.timeout(CALL_MS);
    let response;
    let body;
    try {
      response = await fetch(`${url}/v1/${app}/${method}`, {
        method: "POST",
        headers,
        body: JSON.stringify(args),
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
      body = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new GomerError({ status: 0, code: "network", retry: "same", detail: String(error?.message || error) });
    }
    const json = parsed(body);
    if (!response.ok || json === undefined) throw problem(response, json);
    return json;
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What went wrong; something between here and the server may have answered in its place. */
function problem(response, json) {
  const retryAfter = Number(response.headers.get("retry-after"));
  const known = json && typeof json.code === "string";
  const away = response.status >= 500 || response.status === 429 || response.ok;
  return new GomerError({
    ...(known ? json : { code: "not-gomer", retry: away ? "later" : "never" }),
    status: response.ok ? 502 : response.status,
    retryAfterS: retryAfter > 0 ? retryAfter : undefined,
  });
}
