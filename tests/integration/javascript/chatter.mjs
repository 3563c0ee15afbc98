// A program on chatcore-client that a test drives: calls come in as lines of JSON, and what the client shows goes out.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { connect } from "chatcore-client";
import { session } from "chatcore-client/session";

const { url, token, file, ...account } = JSON.parse(process.argv[2]);

// What is not sent yet, in a file of changes, which several processes may share: each line is written at once.
const change = (line) => appendFileSync(file, JSON.stringify(line) + "\n");
const store = file && {
  load() {
    const items = new Map();
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
    for (const { put, gone } of lines.map((line) => JSON.parse(line))) put ? items.set(put.key, put) : items.delete(gone);
    return [...items.values()];
  },
  put: (item) => change({ put: item }),
  delete: (key) => change({ gone: key }),
};

const say = (...line) => process.stdout.write(JSON.stringify(line) + "\n");
const client = connect({ url, store, token: token ?? session({ url, ...account }) });
const show = (name, live) => {
  live.subscribe(() => say(name, live.snapshot()));
  say(name, live.snapshot());
};
for (const name of ["status", "rooms", "presence"]) show(name, client[name]);

const calls = {
  open(room) {
    for (const name of ["info", "messages", "typists"]) show(name, room[name]);
  },
  send: (room, body, more) => room.send(body, more).done,
  edit: (room, seq, body) => room.edit(message(room, seq), body),
  delete: (room, seq) => room.delete(message(room, seq)),
  react: (room, seq, emoji, on) => room.react(message(room, seq), emoji, on),
  retry: (room, body) => failed(room, body).retry(),
  discard: (room, body) => failed(room, body).discard(),
  more: (room, what) => room.more(what),
  mark: (room, seq) => room.mark(seq),
  typing: (room, on) => room.typing(on),
  call: (_, event, data) => client.call(event, data),
  close: () => client.close(),
};
const message = (room, seq) => room.messages.snapshot().find((message) => message.seq === seq);
const failed = (room, text) => room.messages.snapshot().find(({ state, body }) => state === "failed" && body === text);

for await (const line of createInterface({ input: process.stdin })) {
  const { number, name, room, args } = JSON.parse(line);
  const answer = (value) => say("answers", number, value ?? null);
  Promise.resolve(calls[name](room && client.room(room), ...args)).then(answer, ({ code, message }) => answer({ error: { code, message } }));
}
