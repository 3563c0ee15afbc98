// Tests of chatcore-client without a server: live values, ids of rooms, hostile values, stores, and the session's waits.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import "fake-indexeddb/auto";
import { browserStore, connect, memoryStore, SignedOut } from "chatcore-client";
import { session } from "chatcore-client/session";

const settled = () => new Promise((resolve) => setTimeout(resolve));

/** A client of alice on a network of the test: `sent` has its commands, and `push` and `answer` are the server. */
async function online({ rooms = [], user = "alice", ...options } = {}) {
  const sent = [];
  const server = { sent, opened: 0, waits: [] };
  const transport = {
    open(url, token, handlers) {
      Object.assign(server, { token, handlers, opened: server.opened + 1 });
      return { send: (event, data, answered) => sent.push({ event, data, answered }), close: () => (server.closed = true) };
    },
    after(ms, callback) {
      const wait = { ms, callback };
      server.waits.push(wait);
      return () => (server.waits = server.waits.filter((other) => other !== wait));
    },
    factor: () => 1,
    key: () => `key ${sent.length} ${Math.random()}`,
    whenOnline: (callback) => ((server.online = callback), () => (server.online = undefined)),
  };
  const client = connect({ url: "http://localhost", token: "token", transport, ...options });
  await settled();
  server.push = (event, data) => server.handlers.pushed(event, data);
  server.ready = () => server.push("ready", { user, rooms });
  server.answer = (event, answer) => {
    const index = sent.findIndex((command) => command.event === event);
    const [command] = sent.splice(index, 1);
    command.answered(answer);
    return command.data;
  };
  if (server.opened) server.ready();
  return { client, server };
}

const room = (fields) => ({ room: "room-1", epoch: "e", kind: "group", head: 0, me: { state: "member", read: 0 }, ...fields });
const entry = (seq, fields) => ({ room: "room-1", seq, kind: "message", author: "bob", at: "2026-01-01T00:00:00.000Z", body: `${seq}`, version: 1, ...fields });

test("200 entries notify once, and a snapshot is the same object until it changes", async () => {
  const { client, server } = await online({ rooms: [room()] });
  const { messages } = client.room("room-1");
  let calls = 0;
  const stop = messages.subscribe(() => calls++);
  for (let seq = 1; seq <= 200; seq++) server.push("entry", entry(seq));
  assert.equal(messages.snapshot().length, 200);
  await settled();
  assert.equal(calls, 1);
  const before = messages.snapshot();
  server.push("presence", { user: "bob", state: "online" });
  server.push("typing", { room: "room-1", users: ["bob"] });
  await settled();
  assert.equal(messages.snapshot(), before);
  assert.equal(calls, 1);
  server.push("entry", entry(201));
  await settled();
  assert.equal(before.length, 200);
  assert.equal(messages.snapshot()[0], before[0]);
  assert.equal(calls, 2);
  stop();
  server.push("entry", entry(202));
  await settled();
  assert.equal(calls, 2);
});

test("a listener that throws does not stop the others", async (t) => {
  t.mock.method(console, "error", () => {});
  const { client, server } = await online();
  let calls = 0;
  client.presence.subscribe(() => {
    throw new Error("of the program");
  });
  client.presence.subscribe(() => calls++);
  server.push("presence", { user: "bob", state: "online" });
  await settled();
  assert.equal(calls, 1);
  assert.equal(console.error.mock.callCount(), 1);
});

test("one room has one object, and live values of it", async () => {
  const { client } = await online();
  assert.equal(client.room("room-1"), client.room("room-1"));
  assert.equal(client.room({ with: "bob" }), client.room({ with: "bob" }));
  assert.equal(client.room({ with: "bob" }).id, "pvt-alice-bob");
});

test("a private room has the id that the server gives it", async () => {
  for (const [user, peer, id] of JSON.parse(process.env.PRIVATE_ROOMS)) {
    const { client } = await online({ user });
    assert.equal(client.room({ with: peer }).id, id);
  }
});

test("names of reactions and users that objects have anyway are names", async () => {
  const { client, server } = await online({ rooms: [room()] });
  const { messages } = client.room("room-1");
  server.push("entry", entry(1));
  for (const [index, emoji] of ["constructor", "__proto__", "toString"].entries())
    server.push("entry", entry(index + 2, { kind: "reacted", target: 1, emoji, on: true }));
  server.push("hasOwnProperty", { room: "room-1" });
  const [{ reactions }] = messages.snapshot();
  assert.deepEqual(Object.entries(reactions), [
    ["constructor", { count: 1, users: ["bob"] }],
    ["__proto__", { count: 1, users: ["bob"] }],
    ["toString", { count: 1, users: ["bob"] }],
  ]);
});

test("a message is a copy of what the program gave", async () => {
  const { client, server } = await online({ rooms: [room()] });
  const data = { mood: "good" };
  client.room("room-1").send("hi", { data });
  data.mood = "bad";
  await settled();
  assert.deepEqual(server.sent[0].data.data, { mood: "good" });
});

test("a message is sent when the store has it, and no later one overtakes it", async () => {
  const puts = [];
  const store = { ...memoryStore(), put: ({ body }) => new Promise((resolve) => puts.push({ body, resolve })) };
  const { client, server } = await online({ rooms: [room()], store });
  for (const body of ["first", "second"]) client.room("room-1").send(body);
  await settled();
  assert.deepEqual(puts.map(({ body }) => body), ["first", "second"]);
  puts[1].resolve();
  await settled();
  assert.deepEqual(server.sent, []);
  puts[0].resolve();
  await settled();
  assert.deepEqual(server.sent.map(({ data }) => data.body), ["first"]);
});

test("an entry that comes again changes nothing", async () => {
  const { client, server } = await online({ rooms: [room()] });
  const { messages } = client.room("room-1");
  for (const seq of [1, 2, 3]) server.push("entry", entry(seq));
  const before = messages.snapshot();
  for (const seq of [3, 1, 2]) server.push("entry", entry(seq));
  assert.equal(messages.snapshot(), before);
});

test("messages of a room that is not open do not grow without bound", async () => {
  const { client, server } = await online({ rooms: [room()] });
  for (let seq = 1; seq <= 1000; seq++) server.push("entry", entry(seq));
  assert.ok(client.room("room-1").messages.snapshot().length <= 200);
  client.room("room-1").more(50);
  const [{ seq }] = client.room("room-1").messages.snapshot();
  const { anchor, before } = server.sent.find(({ event }) => event === "history").data;
  assert.deepEqual([anchor, before], [seq - 1, 49]);
});

test("the event online ends the pause before the next connection", async () => {
  const { client, server } = await online();
  server.handlers.closed(1006);
  assert.equal(client.status.snapshot().state, "offline");
  assert.deepEqual(server.waits.map(({ ms }) => ms), [1000]);
  server.online();
  await settled();
  assert.equal(server.opened, 2);
  client.close();
  assert.deepEqual(server.waits, []);
  assert.equal(server.online, undefined);
});

test("a token function that throws nothing is tried again", async () => {
  const token = () => Promise.reject(undefined);
  const { client, server } = await online({ token });
  assert.equal(client.status.snapshot().error.code, "unavailable");
  assert.equal(server.waits.length, 1);
  client.close();
});

test("a call after the end is rejected", async () => {
  const { client } = await online();
  client.close();
  await assert.rejects(client.call("rooms"), { code: "unavailable" });
});

test("a room goes on after a command that was too large", async () => {
  const { client, server } = await online({ rooms: [room()] });
  const large = client.call("room.update", { room: "room-1", title: "x".repeat(100), key: "1" });
  server.handlers.closed(1009);
  await assert.rejects(large, { code: "too_large" });
  server.online();
  await settled();
  server.ready();
  client.room("room-1").send("hi");
  await settled();
  assert.deepEqual(server.sent.map(({ event }) => event), ["room.update", "sync", "message.send"]);
});

test("what one user has not sent is not sent by another", async () => {
  const { client, server } = await online({ rooms: [room()] });
  client.room("room-1").send("hi");
  const edit = client.call("message.edit", { room: "room-2", seq: 1, version: 1, body: "hi", key: "1" });
  await settled();
  server.sent.splice(0);
  server.handlers.closed(1006);
  server.online();
  await settled();
  server.push("ready", { user: "bob", rooms: [room()] });
  await assert.rejects(edit, { code: "unavailable" });
  assert.deepEqual(server.sent, []);
  assert.deepEqual(client.room("room-1").messages.snapshot(), []);
});

test("a store that fails loses no message while the program runs", async () => {
  const fails = () => {
    throw new Error("quota");
  };
  const { client, server } = await online({ rooms: [room()], store: { load: fails, put: fails, delete: async () => fails() } });
  const { done } = client.room("room-1").send("hi");
  await settled();
  server.answer("message.send", { ok: true, seq: 1, at: "2026-01-01T00:00:00.000Z" });
  assert.equal(await done, 1);
});

for (const [name, make] of [["memory", memoryStore], ["IndexedDB", () => browserStore("alice")]])
  test(`a store in ${name} keeps the order of its messages, also when one fails`, async () => {
    const store = make();
    for (const key of ["c", "a", "b"]) await store.put({ key, body: key });
    const [first] = await store.load();
    await store.put({ ...first, error: { code: "forbidden" } });
    await store.delete("a");
    const items = await store.load();
    assert.deepEqual(items.map(({ key, error }) => [key, error?.code]), [["c", "forbidden"], ["b", undefined]]);
  });

test("tabs share a store in IndexedDB, and others have another", async () => {
  const [first, second, other] = [browserStore("bob"), browserStore("bob"), browserStore("carol")];
  await first.put({ key: "1", body: "first" });
  await second.load();
  await second.put({ key: "2", body: "second" });
  assert.deepEqual((await browserStore("bob").load()).map(({ body }) => body), ["first", "second"]);
  await second.delete("1");
  assert.deepEqual((await first.load()).map(({ body }) => body), ["second"]);
  assert.deepEqual(await other.load(), []);
});

test("a store is in memory where IndexedDB is missing, closed or full", async (t) => {
  const works = async (store) => {
    await store.put({ key: "1", body: "hi" });
    assert.deepEqual((await store.load()).map(({ body }) => body), ["hi"]);
    await store.delete("1");
    assert.deepEqual(await store.load(), []);
  };
  const real = globalThis.indexedDB;
  t.after(() => (globalThis.indexedDB = real));
  for (const open of [undefined, () => { throw new Error("private mode"); }]) {
    globalThis.indexedDB = open && { open };
    await works(browserStore("private"));
  }
  globalThis.indexedDB = real;
  const full = browserStore("full");
  await full.load();
  t.mock.method(IDBObjectStore.prototype, "put", () => {
    throw new DOMException("full", "QuotaExceededError");
  });
  await works(full);
});

test("a database that hangs holds a message for 3 s", async (t) => {
  const waits = [];
  t.mock.method(globalThis, "setTimeout", (callback, ms) => waits.push(ms) && setImmediate(callback));
  const real = globalThis.indexedDB;
  t.after(() => (globalThis.indexedDB = real));
  globalThis.indexedDB = { open: () => ({}) };
  const store = browserStore("hangs");
  await store.put({ key: "1", body: "hi" });
  assert.deepEqual((await store.load()).map(({ body }) => body), ["hi"]);
  assert.deepEqual(waits, [3000, 3000]);
});

/** A server that gives the answers in order, and keeps the requests. */
async function answering(t, ...answers) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const body = [];
    for await (const chunk of request) body.push(chunk);
    requests.push([request.url, JSON.parse(Buffer.concat(body))]);
    const [status, fields, headers] = answers.shift() ?? [500, {}];
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(fields));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { requests, url: `http://127.0.0.1:${server.address().port}/chat` };
}

const tokens = (number) => ({ access_token: `access ${number}`, refresh_token: `refresh ${number}`, expires_in: 900 });
const refusal = (code, detail) => ({ code, detail, temporary: false });

test("a session waits as 429 and 503 say, and callers at once share a request", async (t) => {
  const { requests, url } = await answering(t, [429, {}, { "Retry-After": "0.05" }], [503, {}, { "Retry-After": "0.05" }], [201, tokens(1)]);
  const token = session({ url, user: "alice", password: "secret" });
  assert.deepEqual(await Promise.all([token(), token()]), ["access 1", "access 1"]);
  assert.equal(await token(), "access 1");
  assert.deepEqual(requests, Array(3).fill(["/chat/api/v1/sessions", { user: "alice", password: "secret" }]));
});

test("a session refreshes a refused token, and signs in where that is refused", async (t) => {
  const { requests, url } = await answering(t, [201, tokens(1)], [200, tokens(2)], [401, refusal("unauthenticated", "")], [201, tokens(3)]);
  const token = session({ url, user: "alice", password: "secret" });
  assert.equal(await token(await token()), "access 2");
  assert.equal(await token("access 1"), "access 2");
  assert.equal(await token("access 2"), "access 3");
  assert.deepEqual(requests.map(([path]) => path.split("/").slice(4).join("/")), ["sessions", "sessions/refresh", "sessions/refresh", "sessions"]);
  assert.deepEqual(requests[2][1], { refresh_token: "refresh 2" });
});

test("a session without a password refreshes by the cookie, and says when the user has to sign in", async (t) => {
  const { refresh_token, ...access } = tokens(1);
  const { requests, url } = await answering(t, [200, access], [401, refusal("unauthenticated", "no session")]);
  const token = session({ url });
  assert.equal(await token(), "access 1");
  await assert.rejects(token("access 1"), (error) => error instanceof SignedOut && error.message === "no session");
  assert.deepEqual(requests, Array(2).fill(["/chat/api/v1/sessions/refresh", {}]));
});

test("a session that gets no answer of chatcore is tried again by the client", async (t) => {
  const { url } = await answering(t, [502, {}], [404, {}], [401, refusal("unauthenticated", "")], [409, refusal("conflict", "")]);
  const token = session({ url, user: "alice", password: "secret", signUp: true });
  for (let attempt = 0; attempt < 2; attempt++) await assert.rejects(token(), (error) => !(error instanceof SignedOut));
  await assert.rejects(token(), SignedOut);
});
