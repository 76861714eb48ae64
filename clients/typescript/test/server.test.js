// Two phones against the real program. `GOMER_BIN` names it; without, it is the release build of this repository.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Calls, MemoryStorage, Phone, newId } from "../src/index.js";

const built = fileURLToPath(new URL("../../../target/release/gomer", import.meta.url));
const program = process.env.GOMER_BIN ?? built;
const skip = existsSync(program) ? false : `there is no ${program}: build it, or set GOMER_BIN`;

let dir;
let child;
let url;
let key;

async function start() {
  const addresses = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
  child = spawn(program, ["--json", "--data", join(dir, "data"), ...addresses], { stdio: ["ignore", "pipe", "ignore"] });
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = JSON.parse(line);
    url = ready.http;
    key = JSON.parse(await readFile(ready.credentials, "utf8")).clientKey;
    return;
  }
  throw new Error("the server did not start");
}

async function kill() {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

before(async () => {
  if (skip) return;
  dir = await mkdtemp(join(tmpdir(), "gomer-client-"));
  await start();
});

after(async () => {
  if (skip) return;
  await kill();
  await rm(dir, { recursive: true });
});

/** A network that can be off, and follows the server to another port. */
const air = { on: true };
const fetchOver = (address, options) => {
  if (!air.on) return Promise.reject(new TypeError("fetch failed"));
  return fetch(address.replace("http://server", url), options);
};

async function person(name) {
  const calls = new Calls({ url: "http://server", app: "demo", key, fetch: fetchOver });
  const id = newId();
  const opened = await calls.call("auth.createAccount", { id, handle: `${name}_${id.slice(-8)}`, password: "correct horse battery" });
  await calls.setSession({ accessToken: opened.accessToken, refreshToken: opened.refreshToken });
  const storage = new MemoryStorage();
  return { id, calls, storage, phone: await Phone.open(calls, storage) };
}

const home = (phone) => phone.cache.all({ type: "home" }).map((row) => row.value.object);

async function until(done, what) {
  for (let time = 0; time < 200; time += 1) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(what);
}

test("two phones, one of them in a tunnel, and a server that is killed", { skip }, async () => {
  const [ann, bob] = [await person("ann"), await person("bob")];
  await bob.calls.call("follow.create", { id: ann.id });
  await until(async () => (await ann.calls.call("follow.listFollowers", { id: ann.id })).items.length === 1, "followed");
  const ending = new AbortController();
  const running = bob.phone.run(ending.signal);
  // Ann is in a tunnel.
  air.on = false;
  const posts = ["one", "two"].map((text) => ({ id: newId(), text }));
  for (const post of posts) await ann.phone.do("post.create", post);
  await assert.rejects(ann.phone.sync(), { code: "network" });
  await kill();
  await start();
  air.on = true;
  const again = await Phone.open(ann.calls, ann.storage);
  await again.sync();
  assert.equal(again.queue.operations.length, 0);
  // They come to Bob's phone by themselves, each once.
  await until(() => home(bob.phone).length >= 2, "in Bob's timeline");
  assert.deepEqual(home(bob.phone).sort(), posts.map(({ id }) => `post:${id}`).sort());
  ending.abort();
  await running;
  // What is on the screen is followed as a root of its own.
  await bob.phone.follow([`post:${posts[0].id}`]);
  await bob.phone.pull();
  const [shown] = bob.phone.cache.all({ type: "post" });
  assert.equal(shown.value.text, "one");
  // An edit of what somebody changed meanwhile is refused, and reported with what is there now.
  await ann.calls.call("post.update", { id: posts[0].id, text: "changed" });
  const op = await again.do("post.update", { id: posts[0].id, text: "late" }, { ifRev: shown.rev });
  await again.sync();
  const [report] = again.queue.reports;
  assert.deepEqual([report.operation.op, report.code, report.current.text], [op, "stale-revision", "changed"]);
  // Deleted: gone from Bob's phone, and the root with it.
  await ann.calls.call("post.delete", { id: posts[0].id });
  await until(async () => {
    await bob.phone.pull();
    return home(bob.phone).length === 1 && bob.phone.cache.all({ type: "post" }).length === 0;
  }, "gone");
});

test("a session renews itself, and a cursor of somebody else begins again", { skip }, async () => {
  const [ann, bob] = [await person("ann"), await person("bob")];
  await ann.phone.sync();
  const { accessToken, refreshToken } = ann.calls.session;
  await ann.calls.setSession({ accessToken: `${accessToken.slice(0, -4)}AAAA`, refreshToken });
  await ann.phone.sync();
  assert.notEqual(ann.calls.session.refreshToken, refreshToken);
  // Ann's storage, opened by Bob: the cursor is refused, and nothing of Ann's is left at the end.
  const mixed = await Phone.open(bob.calls, ann.storage);
  assert.ok(mixed.cache.all({ root: `profile:${ann.id}` }).length > 0);
  await mixed.sync();
  assert.equal(mixed.cache.all({ root: `profile:${ann.id}` }).length, 0);
  assert.ok(mixed.cache.all({ root: `profile:${bob.id}` }).length > 0);
});
