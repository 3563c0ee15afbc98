// A process with tabs of the JavaScript client, which client_rounds.py drives by lines of JSON. The twin of client_tabs.py.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { connect } from "chatcore-client";
const { transport } = await import(new URL("./node_modules/chatcore-client/transport.js", import.meta.url).href);

const { url, tabs: all } = JSON.parse(process.argv[2]);

// The pauses between connections are shorter than those of people, so that more happens in a second.
const impatient = { ...transport, factor: () => 0.1 * transport.factor() };

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// What is not sent yet, in a file of changes, which several processes share: each line is written at once.
const fileStore = (file) => {
  const change = (line) => appendFileSync(file, JSON.stringify(line) + "\n");
  return {
    load() {
      const items = new Map();
      const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
      for (const { put, gone } of lines.map((line) => JSON.parse(line))) put ? items.set(put.key, put) : items.delete(gone);
      return [...items.values()];
    },
    put: (item) => change({ put: item }),
    delete: (key) => change({ gone: key }),
  };
};

const tabs = {};

const open = (name) => {
  const { token, file, peer } = all[name];
  const client = connect({ url, token, store: fileStore(file), transport: impatient });
  const state = () => say({ tab: name, state: client.status.snapshot().state });
  client.status.subscribe(state);
  const room = client.room({ with: peer });
  room.messages.subscribe(() => {});
  tabs[name] = { client, room };
  state();
};

for (const name of Object.keys(all)) open(name);

for await (const line of createInterface({ input: process.stdin })) {
  const { tab, send, reload, show } = JSON.parse(line);
  if (reload) {
    tabs[tab].client.close();
    open(tab);
    continue;
  }
  const { room } = tabs[tab];
  if (send !== undefined) {
    room.send(send);
    say({ tab, returned: send });
  } else {
    const shown = () => room.messages.snapshot().map(({ seq, state, body }) => [seq ?? null, state, body]);
    room.more({ until: 1 }).finally(() => say({ tab, number: show, messages: shown() }));
  }
}
