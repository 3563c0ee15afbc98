// Chat in a terminal: node chat.mjs alice bob [http://localhost:3001]
//
// Each line typed is sent to bob; each message that alice may read is shown as `seq author: body`. CHAT_PASSWORD is
// alice's password. No message is lost, repeated or shown out of order, whatever the network or the server does.
import { randomUUID } from "node:crypto"; // a page on plain HTTP has no randomUUID; it has crypto.getRandomValues
import { realpathSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { io } from "socket.io-client";

const ANSWER_MS = 5_000;
const READY_MS = 10_000; // as long as the server gives a handshake
const MESSAGE_TOO_BIG = 1009; // RFC 6455, section 7.4.1

export async function chat(user, peer, lines, { url, password, show }) {
  let fail;
  const failed = new Promise((_, reject) => (fail = reject));
  let session; // the answer that has its tokens, and the time until which the access token is used
  let hasAccount; // unknown until a password was accepted or refused

  async function post(path, body) {
    const answer = await fetch(`${url}/api/v1${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(body.password ? 30_000 : 10_000), // the hash of a password may have to wait
    });
    const { status, headers } = answer;
    const temporary = status === 429 || status >= 500;
    return { ...(await answer.json()), status, temporary, retry_after: headers.get("Retry-After") };
  }

  // Returns an access token: reuses it, else refreshes it, else signs in, which costs the server a slow hash. A temporary
  // refusal is repeated after Retry-After and up to as long again, so that clients spread.
  async function signIn() {
    for (let wait_s = 1; !(session?.until > Date.now()); ) {
      const path = session ? "/sessions/refresh" : hasAccount === false ? "/accounts" : "/sessions";
      const body = session ? { refresh_token: session.refresh_token } : { user, password };
      const answer = await post(path, body).catch(() => ({ temporary: true, detail: "no answer" }));
      if (answer.access_token) session = { ...answer, until: Date.now() + answer.expires_in * 900 };
      else if (answer.temporary) {
        show(`sign-in failed, trying again: ${answer.detail}`);
        await sleep((Number(answer.retry_after) || wait_s) * 1000 * (1 + Math.random()));
        wait_s = Math.min(wait_s * 2, 30);
      } else if (session) session = undefined;
      else if (path === "/accounts" && [201, 409].includes(answer.status)) hasAccount = true;
      else if (path === "/sessions" && answer.status === 401 && hasAccount === undefined) hasAccount = false;
      else throw new Error(answer.detail ?? `${url} answers ${answer.status}`);
    }
    return session.access_token;
  }

  // The client reconnects, except after a refusal at CONNECT. Then `active` is false.
  let signingIn;
  let online = false;
  const socket = io(url, {
    autoConnect: false,
    auth: (enter) => {
      const { engine } = socket.io; // CONNECT belongs to this connection, not to one that follows
      signingIn ??= signIn().finally(() => (signingIn = undefined));
      signingIn.then((token) => engine === socket.io.engine && enter({ token }), fail);
    },
  });
  const reconnect = () => socket.disconnect().connect();
  socket.on("connect_error", ({ data }) => {
    if (data?.code === "unauthenticated") session.until = 0;
    if (!socket.active) sleep(1000 * (1 + Math.random())).then(() => socket.connect());
  });
  socket.io.on("open", () => {
    const { engine } = socket.io;
    sleep(READY_MS).then(() => engine === socket.io.engine && !online && reconnect());
  });
  let closeCode;
  socket.on("disconnect", (_, details) => {
    closeCode = details?.context?.code;
    if (online) show(`${user} is offline`);
    online = false;
  });
  socket.on("bye", ({ code, resumable }) => resumable || fail(new Error(`the server closed this session: ${code}`)));

  // A connection without an answer is dead. A temporary error is asked again.
  async function ask(event, data) {
    for (;;) {
      const { id } = socket;
      const answer = await socket.timeout(ANSWER_MS).emitWithAck(event, data).catch((error) => {
        if (id && id === socket.id) reconnect();
        throw error;
      });
      if (answer.ok || !answer.error.temporary) return answer;
      await sleep(answer.error.retry_after_ms ?? 1000);
    }
  }

  // Events are taken one by one, in order: while a `sync` or a page is awaited, later entries wait.
  let turn = Promise.resolve();
  function onEach(event, take) {
    socket.on(event, (data) => {
      const { id } = socket;
      turn = turn.then(() => id === socket.id && take(data)).catch((error) => id === socket.id && fail(error));
    });
  }

  const seen = new Map(); // the cursor of each room: every entry up to this seq was shown
  let epoch;
  onEach("ready", async (ready) => {
    if (ready.epoch !== epoch) seen.clear(); // another database has other messages at the same seqs
    ({ epoch } = ready);
    for (let page = ready; page; page = page.next && (await ask("rooms", { after: page.next }))) await resume(page.rooms);
    online = true;
    show(`${user} is online`);
  });
  onEach("entry", take);
  onEach("room.gone", ({ room }) => seen.delete(room));

  async function resume(rooms) {
    const cursor = (seq) => (seq ? { seq, epoch } : { seq: 0 });
    const cursors = Object.fromEntries(rooms.map(({ room }) => [room, cursor(seen.get(room))]));
    for (const [room, { status, entries = [] }] of Object.entries((await ask("sync", { cursors })).rooms)) {
      if (status === "reset" || status === "gone") seen.delete(room);
      for (const entry of entries) await take(entry);
      if (status === "reset" || status === "gap") await page(room);
    }
  }

  async function take({ room, seq, kind, author, body = "(deleted)" }) {
    const last = seen.get(room) ?? 0;
    if (seq <= last) return; // shown before
    if (seq > last + 1) return page(room); // entries between are missing
    seen.set(room, seq);
    if (kind === "message") show(`${seq} ${author}: ${body}`);
  }

  async function page(room) {
    for (let more = true; more; ) {
      const answer = await ask("history", { room, anchor: seen.get(room) ?? "oldest", after: 200 });
      if (!answer.ok) return seen.delete(room); // not a member any more
      for (const entry of answer.entries) await take(entry);
      more = answer.has_after;
    }
  }

  // A message is sent until it is answered, each time with the same key: the server stores it once.
  async function send(body) {
    const message = { to: peer, body, key: randomUUID() };
    for (;;) {
      closeCode = undefined;
      const answer = await ask("message.send", message).catch(() => undefined);
      if (answer?.ok) return;
      const refused = answer?.error.message ?? (closeCode === MESSAGE_TOO_BIG && "It is too large.");
      if (refused) return show(`not sent: ${body.slice(0, 60)} (${refused})`);
    }
  }

  async function sendAll() {
    for await (const body of lines) if (body) await send(body);
  }

  signIn().then(() => socket.connect(), fail);
  return Promise.race([failed, sendAll()]).finally(() => {
    online = false;
    socket.disconnect();
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  const [user, peer, url = "http://localhost:3001"] = process.argv.slice(2);
  const end = (code, line) => (line && console.error(line), process.exit(code));
  if (!peer) end(2, "usage: node chat.mjs USER PEER [URL]");
  const lines = createInterface({ input: process.stdin });
  lines.once("close", () => setTimeout(end, 10_000, 1, "not sent: the server does not answer"));
  const password = process.env.CHAT_PASSWORD ?? "correct horse";
  chat(user, peer, lines, { url: url.replace(/\/$/, ""), password, show: console.log }).then(
    () => end(0),
    (error) => end(1, `${user}: ${error.message}`),
  );
}
