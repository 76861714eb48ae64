// The pure parts, and a phone against a server of a few lines that loses answers.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Cache, Calls, GomerError, MemoryStorage, Phone, Queue, newId } from "../src/index.js";

const put = (id, rev, text, root = "profile:me") => ({
  op: "put", root, section: "private", type: "note", id, rev, value: { text },
});
const about = (op, rev, root = "profile:me") => ({ op, root, section: "private", rev });
const texts = (cache, of = {}) => cache.all(of).map((row) => row.value.text).sort();

test("ids are of version 7 and sort by time", () => {
  const ids = [1_000, 2_000, 1_795_456_500_000].map((now) => newId(now));
  assert.deepEqual([...ids].sort(), ids);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(newId(1), newId(1));
});

test("a resync over several pages sweeps what did not come again, and only at its end", () => {
  const cache = new Cache();
  cache.apply({ items: [put("a", "1", "old"), put("b", "2", "gone")], end: true });
  cache.apply({ items: [about("resync"), put("a", "3", "new")], end: false });
  assert.deepEqual(texts(cache), ["gone", "new"]);
  assert.equal(cache.isResyncing, true);
  const changed = cache.apply({ items: [put("c", "4", "late")], end: true });
  assert.deepEqual(texts(cache), ["late", "new"]);
  assert.deepEqual([...changed.rows.values()].map((row) => row?.id), ["c", undefined]);
  assert.equal(cache.isResyncing, false);
});

test("a dropped scope is forgotten, and one that was granted anew is read anew", () => {
  const cache = new Cache();
  const chat = "chat:1";
  cache.apply({ items: [about("scopeAdded", "g1", chat), put("a", "1", "one", chat), put("b", "1", "mine")], end: true });
  // The same grant again means nothing; another one means that deletions were missed.
  cache.apply({ items: [about("scopeAdded", "g1", chat)], end: true });
  assert.deepEqual(texts(cache, { root: chat }), ["one"]);
  cache.apply({ items: [about("scopeAdded", "g2", chat), put("c", "2", "two", chat)], end: true });
  assert.deepEqual(texts(cache, { root: chat }), ["two"]);
  cache.apply({ items: [about("scopeDropped", undefined, chat), { op: "of-tomorrow", root: chat }], end: true });
  assert.deepEqual(texts(cache), ["mine"]);
});

test("marks and things of one name stand side by side", () => {
  const cache = new Cache();
  const mark = { op: "mark", root: "profile:me", section: "private", type: "home", id: "home", rev: "1", value: { order: "7" } };
  cache.apply({ items: [mark, { ...put("home", "1", "entry"), type: "home" }], end: true });
  assert.equal(cache.mark("profile:me", "home"), "7");
  assert.equal(cache.get("profile:me", "home", "home").value.text, "entry");
  assert.equal(cache.get("profile:me", "home", "absent"), undefined);
});

const queued = (op) => ({ op, method: "post.create", args: { id: op, text: op }, editedAt: "2026-01-01T00:00:00.000Z" });

test("each operation ends as done or as a report, and what may pass stays in order", () => {
  const queue = new Queue();
  for (const op of ["1", "2", "3"]) queue.add(queued(op));
  assert.deepEqual(queue.next().map(({ op }) => op), ["1", "2", "3"]);
  const settled = queue.settle({
    results: [{ op: "1", status: 200, rev: "5" }, { op: "2", status: 404, code: "not-found" }, { op: "3", status: 503, code: "busy" }],
    stoppedAt: "3",
  });
  assert.deepEqual([settled.done.map(({ op }) => op), settled.reported.map(({ code }) => code)], [["1"], ["not-found"]]);
  assert.deepEqual(queue.operations.map(({ op }) => op), ["3"]);
  assert.equal(queue.reports[0].verdict, "refused");
  queue.dismiss("2");
  assert.equal(queue.reports.length, 0);
});

test("what the server fails at twelve times is set aside, and waiting is no failure", () => {
  const queue = new Queue();
  queue.add(queued("1"));
  for (let time = 0; time < 20; time += 1) {
    queue.settle({ results: [{ op: "1", status: 503, code: "busy" }], stoppedAt: "1" });
  }
  assert.equal(queue.operations.length, 1);
  for (let time = 0; time < 12; time += 1) {
    assert.equal(queue.operations.length, 1);
    queue.settle({ results: [{ op: "1", status: 500, code: "internal" }], stoppedAt: "1" });
  }
  assert.deepEqual([queue.operations.length, queue.reports[0].verdict], [0, "setAside"]);
});

test("a queue has bounds, and a batch too", () => {
  const queue = new Queue();
  assert.throws(() => queue.add({ ...queued("x"), args: { text: "x".repeat(300_000) } }), RangeError);
  for (let op = 0; op < 60; op += 1) queue.add(queued(String(op)));
  assert.equal(queue.next().length, 50);
  const large = new Queue();
  for (let op = 0; op < 5; op += 1) large.add({ ...queued(String(op)), args: { text: "x".repeat(90_000) } });
  assert.equal(large.next().length, 2);
  while (queue.operations.length < 10_000) queue.add(queued("y"));
  assert.throws(() => queue.add(queued("z")), RangeError);
});

/** A server of notes that does each operation once, and answers as `mood` says. */
function server() {
  const notes = [];
  const done = new Map();
  const state = { notes, mood: () => undefined, sent: [], token: "a1", refreshed: 0 };
  state.fetch = async (url, { body, headers }) => {
    const method = url.split("/").pop();
    const args = JSON.parse(body);
    const answer = (status, json) =>
      new Response(JSON.stringify(json), { status, headers: { "content-type": "application/json" } });
    state.sent.push(method);
    const before = state.mood(method, "before");
    if (before) return before;
    if (method === "auth.refreshSession") {
      if (args.refreshToken !== "r1") return answer(401, { code: "unauthenticated", retry: "never" });
      state.refreshed += 1;
      state.token = "a2";
      return answer(200, { accessToken: "a2", refreshToken: "r2" });
    }
    if (headers.authorization !== `Bearer ${state.token}`) return answer(401, { code: "unauthenticated" });
    let reply = {};
    if (method === "sync.push") {
      const results = args.operations.map(({ op, args: { id, text } }) => {
        if (!done.has(op)) {
          notes.push(put(id, String(notes.length + 1), text));
          done.set(op, { op, status: 200, rev: String(notes.length) });
        }
        return done.get(op);
      });
      reply = { results };
    } else if (method === "sync.pull") {
      const from = Number(args.cursor ?? 0);
      const items = notes.slice(from, from + 2);
      reply = { items, cursor: String(from + items.length), end: from + items.length === notes.length };
    }
    const after = state.mood(method, "after");
    if (after) return after;
    return answer(200, reply);
  };
  return state;
}

const lost = () => Promise.reject(new TypeError("fetch failed"));
const session = { accessToken: "a1", refreshToken: "r1" };
const callsOf = (of, more = {}) =>
  new Calls({ url: "http://x/", app: "demo", key: "k", session, fetch: of.fetch, ...more });

test("what was done without a network counts once, whatever answers are lost", async () => {
  const of = server();
  const storage = new MemoryStorage();
  let phone = await Phone.open(callsOf(of), storage);
  of.mood = (_, when) => when === "before" && lost();
  for (const text of ["one", "two", "three"]) await phone.do("note.create", { id: text, text });
  await assert.rejects(phone.sync(), (error) => error instanceof GomerError && error.code === "network");
  // The application is closed and opened; now the answers are lost and not the questions.
  phone = await Phone.open(callsOf(of), storage);
  assert.deepEqual(phone.queue.operations.map(({ args }) => args.text), ["one", "two", "three"]);
  of.mood = (_, when) => when === "after" && lost();
  await assert.rejects(phone.sync());
  of.mood = () => undefined;
  await phone.sync();
  assert.equal(of.notes.length, 3);
  assert.deepEqual(texts(phone.cache), ["one", "three", "two"]);
  assert.equal(phone.queue.operations.length, 0);
  // What was stored is what is shown.
  const again = await Phone.open(callsOf(of), storage);
  assert.deepEqual(texts(again.cache), texts(phone.cache));
});

test("many calls at once renew the session once, and the new pair is stored before it is used", async () => {
  const of = server();
  of.token = "expired";
  const stored = [];
  const onSession = async (pair) => {
    stored.push(pair);
    of.storedBefore = of.sent.length;
  };
  const calls = callsOf(of, { onSession });
  await Promise.all(Array.from({ length: 5 }, () => calls.call("sync.pull", {})));
  assert.equal(of.refreshed, 1);
  assert.deepEqual(stored, [{ accessToken: "a2", refreshToken: "r2" }]);
  assert.deepEqual(calls.session, stored[0]);
});

test("a renewal without an answer keeps the session, and a refused one ends it", async () => {
  const of = server();
  of.token = "expired";
  const ended = [];
  const calls = callsOf(of, { onSession: async (pair) => ended.push(pair) });
  of.mood = (method) => method === "auth.refreshSession" && lost();
  await assert.rejects(calls.call("sync.pull", {}), { code: "network" });
  assert.deepEqual([calls.session, ended], [session, []]);
  of.mood = (method) =>
    method === "auth.refreshSession" && new Response('{"code":"unauthenticated"}', { status: 401 });
  await assert.rejects(calls.call("sync.pull", {}), { code: "unauthenticated" });
  assert.deepEqual([calls.session, ended], [null, [null]]);
});

test("a cursor that is refused begins again, and unsent operations stay", async () => {
  const of = server();
  const phone = await Phone.open(callsOf(of), new MemoryStorage());
  of.notes.push(put("a", "1", "stays"), put("b", "2", "goes"));
  await phone.sync();
  of.notes.splice(1, 1);
  let refusals = 0;
  of.mood = (method, when) => {
    if (when !== "before" || method !== "sync.pull" || refusals > 0) return undefined;
    refusals += 1;
    return new Response('{"code":"cursor-expired","retry":"never"}', { status: 410 });
  };
  await phone.do("note.create", { id: "c", text: "new" });
  assert.equal(phone.queue.operations.length, 1);
  await phone.pull();
  assert.deepEqual(texts(phone.cache), ["stays"]);
  assert.equal(phone.queue.operations.length, 1);
});

test("a storage that fails shows: nothing follows on what was not stored", async () => {
  const of = server();
  const storage = new MemoryStorage();
  const phone = await Phone.open(callsOf(of), storage);
  const store = storage.store;
  storage.store = async () => {
    throw new Error("full");
  };
  // Adding is all or nothing …
  await assert.rejects(phone.do("note.create", { id: "a", text: "a" }), /full/);
  assert.equal(phone.queue.operations.length, 0);
  // … and a page that was not stored must not be followed by the next.
  of.notes.push(put("a", "1", "one"));
  await assert.rejects(phone.pull(), /full/);
  storage.store = store;
  await assert.rejects(phone.pull(), /open the phone again/);
  const again = await Phone.open(callsOf(of), storage);
  await again.pull();
  assert.deepEqual(texts(again.cache), ["one"]);
});

test("what is no answer of Gomer's is an error that says so", async () => {
  for (const [status, retry] of [[200, "later"], [502, "later"], [418, "never"]]) {
    const fetch = async () => new Response("<html>", { status });
    const calls = new Calls({ url: "http://x", app: "demo", key: "k", fetch });
    await assert.rejects(calls.call("app.getInfo"), { code: "not-gomer", retry });
  }
});
