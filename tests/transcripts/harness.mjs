// The harness of chatcore-client: reads lines and answers each, as README.md describes.
//
// node harness.mjs [FOLDER OF chatcore-client]
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const folder = process.argv[2] ?? new URL("../../src/entrypoints/chatcore_web/chatcore-client", import.meta.url).pathname;
const { connect, memoryStore, SignedOut } = await import(new URL("index.js", pathToFileURL(`${folder}/`)).href);

let story; // what is of one transcript: the store, the clients by tab, the time

class Tab {
  constructor(name) {
    this.name = name;
    this.results = {};
    this.calls = 0;
  }

  did(what) {
    story.did.push(this.name ? { ...what, tab: this.name } : what);
  }

  token() {
    const { tokens } = story;
    if (typeof tokens === "string") return tokens;
    return async (refused) => {
      this.did({ asked: refused ?? null });
      const next = story.nextToken < tokens.length ? tokens[story.nextToken++] : tokens.at(-1);
      if (next.signed_out) throw new SignedOut("signed out");
      if (next.fails) throw new Error("the token function fails");
      return next;
    };
  }

  transport() {
    return {
      open: (url, token, handlers) => {
        const connection = { handlers, answers: {} };
        this.connection = connection;
        this.did({ open: token });
        return {
          send: (event, data, answered) => {
            const id = ++story.ids;
            connection.answers[id] = answered;
            this.did({ out: { id, event, data } });
          },
          close: () => {
            if (this.connection !== connection) return;
            this.connection = undefined;
            this.did({ close: true });
          },
        };
      },
      after: (ms, callback) => {
        const timer = { at: story.now + ms, tab: this, client: this.client, callback };
        story.timers.add(timer);
        return () => story.timers.delete(timer);
      },
      factor: () => 1,
      key: () => `key-of-the-client-${++story.keys}`,
      whenOnline: () => () => {},
    };
  }

  connect() {
    this.client = connect({ url: "http://chat", token: this.token(), store: story.store, transport: this.transport() });
    for (const name of ["status", "rooms", "presence"]) this.client[name].subscribe(() => {});
  }

  room(which) {
    return this.client.room(which.with === undefined ? which.room : { with: which.with });
  }

  shownMessage(which, fits) {
    const found = this.room(which).messages.snapshot().find(fits);
    if (!found) throw new Error(`no such message: ${JSON.stringify(which)}`);
    return found;
  }

  act(call) {
    const { do: name, room, seq, body, emoji, on } = call;
    const bySeq = (message) => message.seq === seq;
    const failed = (message) => message.body === body && message.state === "failed";
    switch (name) {
      case "connect":
        return this.connect();
      case "close":
        return this.client.close();
      case "restart":
        for (const timer of story.timers) if (timer.tab === this) story.timers.delete(timer);
        this.connection = undefined;
        return this.connect();
      case "open":
        return void this.room(call).messages.subscribe(() => {});
      case "send": {
        const { data, reply_to, mentions } = call;
        const given = Object.entries({ data, reply_to, mentions }).filter(([, value]) => value !== undefined);
        return this.room(call).send(body, Object.fromEntries(given)).done;
      }
      case "edit":
        return this.room(call).edit(this.shownMessage(call, bySeq), body);
      case "delete":
        return this.room(call).delete(this.shownMessage(call, bySeq));
      case "react":
        return this.room(call).react(this.shownMessage(call, bySeq), emoji, on);
      case "retry":
        return void this.shownMessage(call, failed).retry();
      case "discard":
        return void this.shownMessage(call, failed).discard();
      case "more":
        return this.room(call).more(call.count ?? { until: call.until });
      case "mark":
        return void this.room(call).mark(seq);
      case "typing":
        return void this.room(call).typing(on);
      case "call":
        return this.client.call(call.event, call.data);
    }
    throw new Error(`unknown call ${name} in ${room}`);
  }

  do(call) {
    const keep = (value) => (this.results[call.as] = { value });
    const keepError = ({ code, message, temporary, field }) => (this.results[call.as] = { error: { code, message, temporary, field } });
    try {
      Promise.resolve(this.act(call)).then(keep, keepError);
    } catch (error) {
      keepError(error);
    }
  }

  in({ id, answer, event, data }) {
    if (!this.connection) return;
    if (answer) this.connection.answers[id]?.(answer);
    else this.connection.handlers.pushed(event, data);
  }

  end(name, what) {
    const { connection } = this;
    this.connection = undefined;
    connection?.handlers[name](what);
  }

  async shown(name) {
    const [what, which = ""] = name.split(/ (.*)/);
    const room = () => this.client.room(which);
    switch (what) {
      case "status":
      case "rooms":
      case "presence":
        return this.client[what].snapshot();
      case "room":
        return room().info.snapshot();
      case "messages":
        return room().messages.snapshot();
      case "typists":
        return room().typists.snapshot();
      case "store":
        return story.store.load();
      case "result":
        return this.results[which] ?? null;
    }
    throw new Error(`unknown state ${name}`);
  }
}

const settled = async () => {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
};

const wait = async (ms) => {
  const until = story.now + ms;
  for (;;) {
    const due = [...story.timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
    if (!due) break;
    story.timers.delete(due);
    story.now = Math.max(story.now, due.at);
    due.callback();
    await settled();
  }
  story.now = until;
};

const answer = async (line) => {
  if (line.start) {
    story = { ...line.start, tabs: {}, did: [], ids: 0, keys: 0, now: 0, timers: new Set(), nextToken: 0 };
    const items = line.start.store;
    story.store = memoryStore();
    for (const item of items) await story.store.put(item);
    return { did: [] };
  }
  const name = line.tab ?? "";
  const tab = (story.tabs[name] ??= new Tab(name));
  if (line.show) {
    const shown = {};
    for (const wanted of line.show) shown[wanted] = (await tab.shown(wanted)) ?? null;
    return { shown };
  }
  if (line.do) tab.do(line);
  else if (line.in) tab.in(line.in);
  else if (line.refuse) tab.end("refused", line.refuse);
  else if ("closed" in line) tab.end("closed", line.closed);
  else await wait(line.wait);
  await settled();
  return { did: story.did.splice(0) };
};

for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
