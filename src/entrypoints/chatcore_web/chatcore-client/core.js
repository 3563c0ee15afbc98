/** @import { Command, Core, Entry, Item, Lane, Log, MakeCore, Query } from "./types.js" */

// What a client knows and asks, without I/O and clock. docs/clients.md has the rules, docs/protocol.md their reasons.

const CHANGES = ["edited", "deleted", "reacted"];
/** What these change in the Room may depend on entries that the client lacks. */
const REFRESHING = ["joined", "left", "removed", "banned", "role", "deleted"];

/** @type {Record<string, (text: string) => any>} */
const { hex, plain } = {
  hex: (user) => Array.from(new TextEncoder().encode(user), (byte) => "~" + (byte + 256).toString(16).slice(1)).join(""),
  plain: (id) =>
    id.toUpperCase().replace(/~(2E|3\d|[46][1-9A-F]|[57][\dA]|5F)/g, (_, code) => String.fromCharCode(parseInt(code, 16))),
};
/** @param {any} data */
const copy = (data) => JSON.parse(JSON.stringify(data));
/** @param {any} error */
const toError = (error) => Object.assign(new Error(error.message), error);

/** A message after a change. @type {(message: Entry, change: Entry) => Entry} */
const changed = (message, { kind, version, body, at, author, emoji = "", on }) => {
  if (kind === "edited" && body !== undefined) return { ...message, version, body, edited_at: at };
  const { reactions: { [emoji]: before, ...others } = {}, ...rest } = message;
  if (kind !== "reacted") {
    const { body, data, edited_at, ...stub } = rest; // an edit without a body was deleted later
    return { ...stub, deleted: true, version: version ?? stub.version };
  }
  if (rest.deleted) return rest;
  const { count, users } = before?.users ? before : { count: 0, users: [] };
  // Of more than 20 users only the first are named.
  const after = on
    ? { count: count + 1, users: users.length === count && count < 20 ? [...users, author] : users }
    : { count: count - 1, users: users.filter((user) => user !== author) };
  const left = after.count > 0 ? { ...others, [emoji]: after } : others;
  return Object.keys(left).length ? { ...rest, reactions: left } : rest;
};

/** @type {MakeCore} */
export const makeCore = ({ send, wait, put, remove, newKey, changed: notify }) => {
  const logs = /** @type {Map<string, Log>} */ (new Map());
  let queue = /** @type {Command[]} */ ([]);
  let user = /** @type {string | null} */ (null);
  let online = false;
  let ended = false;
  let presence = {};
  /** The last command `presence`. */
  let watched = /** @type {any} */ (undefined);
  /** Rooms to name in `sync`. Until its answer their pushes are dropped. */
  const stale = /** @type {Set<string>} */ (new Set());
  /** Rooms to ask `room.get` for, with the seq that has changed them. */
  const wanted = /** @type {Map<string, number>} */ (new Map());
  /** The token of the next page of rooms. */
  let next = /** @type {string | undefined} */ (undefined);
  const empty = () => ({ epoch: undefined, seq: 0, holes: [], floor: Infinity, entries: new Map() });

  /** What the client asks by itself: the first of these that is due. @type {Lane["next"][]} */
  const queries = [
    () => {
      const cursors = /** @type {Record<string, object>} */ ({});
      let size = 0;
      for (const id of stale) {
        const { seq, epoch = "" } = core.log(id);
        size += Math.max(96, id.length + epoch.length + 40); // a sync takes 500 cursors in 64 KiB
        if (size > 48_000) break;
        cursors[id] = seq ? { seq, epoch } : { seq };
      }
      const ids = Object.keys(cursors);
      const refused = () => ids.forEach((id) => stale.delete(id));
      return size > 0 && ["sync", { cursors }, ({ rooms }) => ids.forEach((id) => core.synced(core.log(id), rooms[id])), refused];
    },
    () => !!next && ["rooms", { after: next }, core.listed, () => (next = undefined)],
    () => {
      for (const room of wanted.keys())
        return ["room.get", { room }, (body) => wanted.has(room) && core.received(body), () => wanted.delete(room)];
    },
    () => {
      for (const log of [...logs.values()].reverse()) {
        const hole = core.gap(log);
        if (!hole) continue;
        const [first, anchor] = hole;
        const before = Math.min(anchor - Math.max(first, log.floor), 199);
        const done = (/** @type {any} */ { epoch, head, entries }) => {
          if (!log.holes.includes(hole)) return;
          if (epoch !== log.epoch || head < anchor) return stale.add(log.id);
          const page = entries.filter((/** @type {Entry} */ { seq }) => seq >= first && seq <= anchor);
          hole[1] = page.length && page[0].seq - 1;
          log.holes = log.holes.filter(([first, last]) => first <= last);
          core.took(log, page, head);
        };
        return ["history", { room: log.id, anchor, before }, done, () => log.epoch && stale.add(log.id)];
      }
    },
  ];
  /** @type {Lane} */
  const asking = { next: () => queries.reduce((due, query) => due || query(), /** @type {Query | false | undefined} */ (false)) };
  /** @type {Record<string, (body: any) => unknown>} */
  const pushes = {
    // @ts-ignore: an event has no name of Object.prototype
    __proto__: null,
    entry(entry) {
      const { room, seq } = entry;
      const log = core.log(room);
      if (!log.epoch) wanted.set(room, Math.max(seq, wanted.get(room) ?? 0));
      else if (seq > log.seq) {
        core.advance(log, seq - 1);
        log.seq = seq;
        core.took(log, [entry], seq);
      }
    },
    room(body) {
      const { room, head, epoch } = body;
      const log = core.log(room);
      if (log.epoch && log.epoch !== epoch) return stale.add(room);
      if (log.epoch) core.advance(log, head);
      core.received(body);
    },
    "room.gone": ({ room }) => core.forget(core.log(room)),
    typing: ({ room, users }) => (core.log(room).typists = users),
    marker({ room, user: whose, ...marker }) {
      const log = core.log(room);
      const { read, delivered } = marker;
      const markers = { ...log.info?.markers, [whose]: { read, delivered } };
      if (log.info) core.merge(log, { markers, me: whose === user ? marker : {} });
    },
    presence({ user, ...state }) {
      presence = { ...presence, [user]: state };
    },
  };

  /** @type {Core} */
  const core = {
    log(id) {
      /** @type {Log} */
      const log = logs.get(id) ?? {
        ...{ id, info: null, typists: [], open: false, listed: false, waiting: [], mark: 0, marked: 0, ...empty() },
        commands: { next: () => core.due(queue.find(({ room, error, seq }) => room === id && !error && !seq)) },
        marks: {
          next() {
            const { info, mark: read } = log;
            const done = (/** @type {any} */ me) => {
              log.marked = read;
              if (log.info) core.merge(log, { me });
            };
            return !!info && read > log.marked && ["mark", { room: id, read }, done, () => (log.mark = log.marked)];
          },
        },
      };
      logs.set(id, log);
      return log;
    },
    idWith: (other) => (user === null ? "@" + other : "pvt-" + [user, other].map(hex).sort().map(plain).join("-")),

    // A lane sends one command at a time: what `next` gives, again after a break or a temporary error.

    lanes: () => new Set([asking, ...queue.map(({ lane }) => lane), ...[...logs.values()].map(({ marks }) => marks)]),
    flush() {
      notify();
      if (!online) return;
      for (const lane of core.lanes()) {
        const query = !lane.busy && lane.next();
        if (!query) continue;
        const [event, data, done, refused] = query;
        const free = () => {
          if (lane.busy === query) lane.busy = undefined;
          core.flush();
        };
        lane.busy = query;
        send(event, data, ({ ok, error, ...answer }) => {
          if (lane.busy !== query) return;
          const again = error?.temporary && !lane.once;
          lane.ms = again ? Math.min(2 * (lane.ms ?? 50), 5000) : undefined;
          if (again) return wait(error.retry_after_ms ?? lane.ms, free);
          ok ? done(answer) : refused(error);
          free();
        });
      }
      for (const log of logs.values())
        if (!next && !stale.has(log.id) && !wanted.has(log.id) && !core.gap(log))
          for (const { resolve } of log.waiting.splice(0)) resolve(log.holes.length > 0);
    },

    // The user's commands.

    due(command) {
      if (!command || command.storing) return;
      const { event, data, item } = command;
      const done = (/** @type {any} */ answer) => {
        command.resolve(item ? answer.seq : answer);
        if (event === "presence") [watched, presence] = [data, answer.presence];
        if (!item) return core.leave(command);
        remove(data.key);
        // It is shown until its entry comes.
        Object.assign(command, { seq: answer.seq, at: answer.at, shown: undefined });
        if (answer.seq <= core.log(command.room ?? "").seq) core.leave(command);
      };
      return [event, data, done, (error) => core.fail(command, error)];
    },
    add(event, data, item) {
      const command = /** @type {Command} */ ({ event, data, item });
      core.place(command);
      core.renew(command);
      queue.push(command);
      return command;
    },
    place(command) {
      const { room, to, key } = command.data;
      command.room = key && (room ?? (to && core.idWith(to)));
      command.lane = command.room ? core.log(command.room).commands : { next: () => core.due(command), once: !key };
    },
    renew(command) {
      command.done = new Promise((resolve, reject) => Object.assign(command, { resolve, reject }));
      command.done.catch(() => {});
    },
    leave(command) {
      queue = queue.filter((other) => other !== command);
    },
    fail(command, error) {
      command.reject(toError(error));
      if (command.item) core.store(command, error);
      else core.leave(command);
    },
    store(command, error) {
      Object.assign(command, { error, shown: undefined, storing: true });
      put(Object.assign(/** @type {Item} */ (command.item), { error }), () => {
        command.storing = false;
        core.flush();
      });
      notify();
    },
    unsent(command) {
      const { data, room, item, error, done, seq, at } = command;
      const { to, ...fields } = data;
      const state = seq ? "sent" : error ? "failed" : "sending";
      return (command.shown ??= {
        ...{ ...fields, room, kind: "message", author: item?.user ?? user, state, done },
        ...(seq && { seq, at, version: 1 }),
        ...(error && {
          error,
          retry() {
            if (!command.error) return;
            core.renew(command);
            core.store(command);
          },
          discard() {
            if (!command.error) return;
            remove(data.key);
            core.leave(command);
            core.flush();
          },
        }),
      });
    },
    call(event, data) {
      const command = core.add(event, copy(data));
      if (ended) core.lost(command);
      core.flush();
      return command.done.then((answer) => answer); // it may not go unhandled, other than that of a message
    },
    change: (log, event, { seq }, more) => core.call(event, { room: log.id, seq, ...more, key: newKey() }),
    send(log, where, body, more) {
      core.endTyping(log);
      const data = copy({ ...where, body, ...more, key: newKey() });
      const command = core.add("message.send", data, { ...data, user: user ?? undefined });
      core.store(command);
      return core.unsent(command);
    },
    restore(items) {
      const added = queue.splice(0);
      for (const item of items) {
        const { user, error, n, ...data } = item;
        const command = core.add("message.send", data, item);
        command.error = error;
        if (error) command.reject(toError(error));
      }
      queue.push(...added);
    },

    // Rooms.

    forget(log) {
      queue = queue.filter(({ seq, room }) => !seq || room !== log.id);
      Object.assign(log, empty(), { info: null, typists: [], mark: 0, marked: 0 });
      wanted.delete(log.id);
    },
    /** What is between is lacking. */
    advance(log, seq) {
      if (seq > log.seq) log.holes.push([log.seq + 1, seq]);
      log.seq = Math.max(seq, log.seq);
    },
    /** The first seq that is shown. */
    bottom: ({ holes }) => (holes.at(-1)?.[1] ?? 0) + 1,
    /** The newest hole, if it is to be asked for. */
    gap(log) {
      if (!log.open || !log.epoch) return;
      log.floor = Math.min(log.floor, Math.max(1, log.seq - 49));
      for (const wish of log.waiting) {
        log.floor = Math.min(log.floor, Math.max(1, wish.from?.(Math.min(log.floor, core.bottom(log))) ?? Infinity));
        wish.from = undefined;
      }
      return log.holes.filter(([, last]) => last >= log.floor).at(-1);
    },
    /** Lets the Room follow an entry above its head. */
    follow(log, entry) {
      const { info } = log;
      const { seq, kind, author, title } = entry;
      if (!info || seq <= info.head) return false;
      const { me } = info;
      const isUnread = kind === "message" && author !== user && seq > (me.read ?? 0);
      log.info = { ...info, head: seq, last: entry };
      if (isUnread) log.info.me = { ...me, unread: Math.min((me.unread ?? 0) + 1, 100) };
      if (kind === "updated" && title) log.info.title = title;
      return true;
    },
    /** Takes fields of a Room as of its head. */
    merge(log, fields) {
      const me = { ...log.info?.me, ...fields.me };
      if (log.mark > me.read) me.read = log.mark;
      const info = (log.info = { ...log.info, ...fields, me });
      for (let seq = info.head + 1; seq <= log.seq; seq++) {
        const kept = log.entries.get(seq);
        if (kept) core.follow(log, kept.entry);
      }
    },
    received(body) {
      const { room, me, head, epoch } = body;
      const log = core.log(room);
      const pushed = wanted.get(room) ?? 0;
      if (!me || !log.epoch || head >= pushed) wanted.delete(room);
      if (!me) return; // a public room as others see it
      log.listed = true;
      const invited = me.state === "invited";
      if (invited && log.epoch === epoch && head <= log.seq) return; // older than the user's joining
      if (!invited && !log.epoch) {
        log.epoch = epoch;
        core.advance(log, Math.max(head, pushed));
      }
      core.merge(log, body);
    },
    listed(page) {
      page.rooms.forEach(core.received);
      next = page.next;
      // Invitations that the whole list does not show have ended.
      if (!next) for (const log of logs.values()) if (!log.epoch && log.info && !log.listed) core.forget(log);
    },
    /** Takes entries that the client lacked. */
    took(log, entries, asOf) {
      for (const entry of entries) {
        const { seq, kind, author, key } = entry;
        log.entries.set(seq, { entry, asOf });
        const sent = queue.find(({ data, item, room }) => item && data.key === key && room === log.id);
        if (sent && author === user) {
          // It may come before the answer.
          if (sent.lane.busy?.[1] === sent.data) sent.lane.busy = undefined;
          if (!sent.seq) remove(sent.data.key);
          core.leave(sent);
          sent.resolve(seq);
        }
        if (kind === "message") log.typists = log.typists.filter((user) => user !== author);
        if (core.follow(log, entry) && REFRESHING.includes(kind)) wanted.set(log.id, seq);
      }
      if (!log.open && log.entries.size > 200) {
        log.entries.clear();
        log.holes = [[1, log.seq]];
      }
    },
    synced(log, { status, entries = [], ...fields }) {
      const { info, seq } = log;
      stale.delete(log.id);
      if (status === "gone" || status === "reset") core.forget(log);
      if (status === "gone") {
        // It does not say whether the user is invited again.
        if (info?.me.state === "invited") wanted.set(log.id, 0);
        return;
      }
      log.epoch = fields.epoch;
      log.info ??= info;
      if (status === "events") log.seq = Math.max(fields.head, seq);
      else core.advance(log, fields.head);
      core.took(
        log,
        entries.filter((/** @type {Entry} */ entry) => entry.seq > seq),
        fields.head,
      );
      core.merge(log, fields);
    },
    open(log) {
      log.open = true;
      // The room that was opened last is paged first.
      logs.delete(log.id);
      logs.set(log.id, log);
      core.flush();
    },
    more: (log, from) =>
      new Promise((resolve) => {
        log.waiting.push({ from, resolve });
        core.open(log);
      }),
    mark(log, seq) {
      const { info } = log;
      if (seq <= Math.max(log.mark, info?.me.read ?? 0)) return;
      log.mark = seq;
      if (info) log.info = { ...info, me: { ...info.me, read: seq, ...(seq >= info.head && { unread: 0 }) } };
      core.flush();
    },
    typing(log, on) {
      if (!online || !log.info || (on ? log.quiet : !log.typing)) return;
      core.endTyping(log);
      if (on) log.quiet = wait(3000, () => (log.quiet = undefined));
      log.typing = on;
      send("typing", { room: log.id, on }, () => {});
    },
    endTyping(log) {
      log.quiet?.();
      log.quiet = undefined;
      log.typing = false;
    },

    // What is shown.

    presence: () => presence,
    rooms: () =>
      [...logs.keys()]
        .sort()
        .flatMap((id) => core.log(id).info ?? [])
        .sort((a, b) => (b.last?.at ?? "A").localeCompare(a.last?.at ?? "A")),
    messages(log) {
      const changes = /** @type {Record<number, Entry[]>} */ ({});
      const kept = [];
      for (let seq = core.bottom(log); seq <= log.seq; seq++) {
        const one = log.entries.get(seq);
        if (!one) continue;
        const { kind, target = 0 } = one.entry;
        if (CHANGES.includes(kind)) (changes[target] ??= []).push(one.entry);
        else kept.push(one);
      }
      return [
        ...kept.map((one) => {
          const news = (changes[one.entry.seq] ?? []).filter(({ seq }) => seq > one.asOf);
          if (one.changes !== news.length) one.shown = { ...news.reduce(changed, one.entry), state: "sent" };
          one.changes = news.length;
          return /** @type {any} */ (one.shown);
        }),
        ...queue.filter(({ item, room, seq }) => item && room === log.id && !(seq && seq <= log.seq)).map(core.unsent),
      ];
    },

    // The connection.

    ready(body) {
      if (user !== null && user !== body.user) {
        logs.clear();
        queue.filter(({ item }) => !item).forEach(core.lost);
      }
      ({ user } = body);
      queue = queue.filter(({ item }) => !item || (item.user ??= body.user) === user);
      for (const log of [...logs.values()]) {
        log.listed = false;
        if (log.epoch) stale.add(log.id);
        if (log.id[0] !== "@") continue;
        // A room that was got by `with` before the user was known.
        logs.delete(log.id);
        const known = core.log(core.idWith(log.id.slice(1)));
        known.open ||= log.open;
        known.waiting.push(...log.waiting);
      }
      queue.forEach(core.place);
      online = true;
      if (watched?.users.length && !queue.some(({ data }) => data === watched))
        core.add("presence", watched).lane.once = false;
      core.listed(body);
      core.flush();
    },
    pushed(event, body) {
      if (stale.has(body.room) && ["entry", "room", "room.gone"].includes(event)) return;
      pushes[event]?.(body);
      core.flush();
    },
    disconnected(code) {
      online = false;
      next = undefined;
      stale.clear();
      wanted.clear();
      const sent = queue.filter(({ lane, data }) => lane.busy?.[1] === data);
      for (const lane of core.lanes()) lane.busy = undefined;
      const size = (/** @type {Command} */ { data }) => JSON.stringify(data).length;
      const [largest] = sent.sort((a, b) => size(b) - size(a));
      if (code === 1009 && largest) core.fail(largest, { code: "too_large", message: "It is too large." });
      for (const command of sent) if (command.lane.once) core.lost(command);
      for (const log of logs.values()) Object.assign(log, { typists: [], typing: false, quiet: undefined });
    },
    lost: (command) =>
      core.fail(command, { code: "unavailable", message: "The connection broke.", temporary: true }),
    /** There will be no connection any more. */
    end() {
      ended = true;
      for (const command of queue) if (!command.item) core.lost(command);
      for (const { waiting } of logs.values()) for (const { resolve } of waiting.splice(0)) resolve(true);
    },
  };
  return core;
};
