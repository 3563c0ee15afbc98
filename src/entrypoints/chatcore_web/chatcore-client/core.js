/** @import { Command, Entry, ErrorObject, Item, Lane, Log, MakeCore, Query, RoomInfo } from "./types.js" */

// What a client knows and asks, without I/O and clock. docs/clients.md has the rules, docs/protocol.md their reasons.

const CHANGES = ["edited", "deleted", "reacted"];
/** What these change in the Room may depend on entries that the client lacks. */
const REFRESHING = ["joined", "left", "removed", "banned", "role", "deleted"];
const UNAVAILABLE = { code: "unavailable", message: "The connection broke before the answer.", temporary: true };

const hex = (/** @type {string} */ user) =>
  Array.from(new TextEncoder().encode(user), (byte) => "~" + (byte + 256).toString(16).slice(1).toUpperCase()).join("");
const plain = (/** @type {string} */ id) =>
  id.replace(/~(2E|3\d|[46][1-9A-F]|[57][\dA]|5F)/g, (_, code) => String.fromCharCode(parseInt(code, 16)));
const copy = (/** @type {any} */ data) => JSON.parse(JSON.stringify(data));
const compare = (/** @type {string} */ a, /** @type {string} */ b) => +(a > b) - +(a < b);

/** @param {Entry} message @param {Entry} change @returns {Entry} */
const changed = (message, { kind, version, body, at, author, emoji = "", on }) => {
  if (kind === "edited" && body !== undefined) return { ...message, version, body, edited_at: at };
  const { reactions = {}, ...rest } = message;
  if (kind !== "reacted") {
    const { body, data, edited_at, ...stub } = rest; // an edit without a body was deleted later
    return { ...stub, deleted: true, ...(version && { version }) };
  }
  if (rest.deleted) return message;
  const { [emoji]: before, ...others } = reactions;
  const { count, users } = before?.users ? before : { count: 0, users: [] };
  if (on) {
    // Only the first 20 users are named.
    const named = users.length === count && count < 20;
    others[emoji] = { count: count + 1, users: named ? [...users, author] : users };
  } else if (count > 1) others[emoji] = { count: count - 1, users: users.filter((user) => user !== author) };
  return Object.keys(others).length ? { ...rest, reactions: others } : rest;
};

/** @type {MakeCore} */
export const makeCore = ({ send, wait, put, remove, newKey }) => {
  /** @type {Map<string, Log>} */
  const logs = new Map();
  /** @type {Command[]} */
  let queue = [];
  /** @type {string | null} */
  let user = null;
  let online = false;
  let presence = {};
  /** @type {string[]} */
  let watched = [];
  let rewatch = false;
  /** Rooms to name in `sync`. Until its answer their pushes are dropped. @type {Set<string>} */
  const stale = new Set();
  /** Rooms to ask `room.get` for, with the seq that has changed them. @type {Map<string, number>} */
  const wanted = new Map();
  /** The token of the next page of rooms. @type {string | undefined} */
  let next;
  let connections = 0;

  /** @param {string} other */
  const idWith = (other) => (user === null ? "@" + other : "pvt-" + [user, other].map(hex).sort().map(plain).join("-"));
  const empty = () => ({ epoch: undefined, seq: 0, holes: [], floor: Infinity, entries: new Map() });
  /** @param {string} id */
  const log = (id) => {
    /** @type {Log} */
    const known = logs.get(id) ?? {
      ...empty(),
      ...{ id, info: null, typists: [], open: false, seen: 0, waiting: [], mark: 0, marked: 0 },
      commands: { next: () => queryOf(queue.find((command) => command.room === id && !command.error && !command.seq)) },
      marks: { next: () => markQuery(known) },
    };
    logs.set(id, known);
    return known;
  };

  // A lane sends one command at a time: what `next` gives, again after a break or a temporary error.

  const flush = () => {
    if (!online) return;
    const rooms = [...logs.values()];
    const lanes = rooms.flatMap(({ commands, marks }) => [commands, marks]);
    for (const lane of [queries, ...lanes, ...queue.flatMap(({ lane }) => lane ?? [])]) {
      const query = !lane.busy && lane.next();
      if (!query) continue;
      const [event, data, done, refused] = query;
      const free = () => {
        if (lane.busy !== query) return false;
        lane.busy = undefined;
        return true;
      };
      lane.busy = query;
      send(event, data, ({ ok, error, ...answer }) => {
        if (error?.temporary && !lane.once) {
          lane.ms = Math.min(2 * (lane.ms ?? 50), 5000);
          wait(error.retry_after_ms ?? lane.ms, () => free() && flush());
        } else if (free()) {
          lane.ms = undefined;
          ok ? done(answer) : refused(error);
          flush();
        }
      });
    }
    for (const log of rooms)
      if (!next && !stale.has(log.id) && !wanted.has(log.id) && !gap(log))
        for (const { resolve } of log.waiting.splice(0)) resolve(log.holes.length > 0);
  };

  // The user's commands.

  /** @param {Command} [command] @returns {Query | undefined} */
  const queryOf = (command) => {
    if (!command || command.storing) return;
    const { event, data, item, room } = command;
    return [
      event,
      data,
      (answer) => {
        command.resolve(item ? answer.seq : answer);
        if (!item) return leave(command);
        remove(data.key);
        // It is shown until its entry comes.
        Object.assign(command, { seq: answer.seq, at: answer.at, shown: undefined });
        purge(log(room ?? ""));
      },
      (error) => fail(command, error),
    ];
  };
  /** @param {Command} command */
  const leave = (command) => {
    queue = queue.filter((other) => other !== command);
  };
  /** Drops the sent messages of which the entries came. @param {Log} log */
  const purge = ({ id, epoch, seq }) => {
    queue = queue.filter((command) => !(command.seq && command.room === id && epoch && command.seq <= seq));
  };
  /** @param {Command} command @param {ErrorObject} error */
  const fail = (command, error) => {
    command.reject(Object.assign(new Error(error.message), error));
    if (command.item) store(command, error);
    else leave(command);
  };
  /** @param {Command} command @param {ErrorObject} [error] */
  const store = (command, error) => {
    Object.assign(command, { error, shown: undefined, storing: true });
    put({ .../** @type {Item} */ (command.item), error }, () => {
      command.storing = false;
      flush();
    });
  };
  /** @param {string} event @param {any} data @param {Item} [item] @returns {Command} */
  const add = (event, data, item) => {
    const room = data.key && (data.room ?? (data.to && idWith(data.to)));
    const command = /** @type {Command} */ ({ event, data, item, room, error: item?.error });
    if (room) log(room);
    else command.lane = { next: () => queryOf(command), once: !data.key };
    renew(command);
    queue.push(command);
    return command;
  };
  /** @param {Command} command */
  const renew = (command) => {
    command.done = new Promise((resolve, reject) => Object.assign(command, { resolve, reject }));
    if (command.item) command.done.catch(() => {});
  };
  /** @param {Command} command */
  const unsent = (command) => {
    const { data, room, item, error, done, seq, at } = command;
    const { to, ...fields } = data;
    return (command.shown ??= {
      ...fields,
      ...{ room, kind: "message", author: item?.user ?? user, done, state: seq ? "sent" : error ? "failed" : "sending" },
      ...(seq && { seq, at, version: 1 }),
      ...(error && {
        error,
        retry() {
          if (!command.error) return;
          renew(command);
          store(command);
        },
        discard() {
          if (!command.error) return;
          remove(data.key);
          leave(command);
        },
      }),
    });
  };
  /** @param {string} event @param {object} data */
  const call = (event, data) => {
    const { done } = add(event, copy(data));
    flush();
    return done;
  };

  // Rooms.

  /** @param {Log} log */
  const forget = (log) => {
    queue = queue.filter(({ seq, room }) => !seq || room !== log.id);
    Object.assign(log, empty(), { info: null, typists: [], mark: 0, marked: 0 });
    wanted.delete(log.id);
  };
  /** Moves to a later seq. The client lacks what is between. @param {Log} log @param {number} seq */
  const advance = (log, seq) => {
    if (seq > log.seq) log.holes.push([log.seq + 1, seq]);
    log.seq = Math.max(seq, log.seq);
  };
  /** @param {Log} log */
  const bottom = ({ holes }) => (holes.at(-1)?.[1] ?? 0) + 1;
  /** The newest hole that is asked for. @param {Log} log */
  const gap = (log) => {
    if (!log.open || !log.epoch) return;
    log.floor = Math.min(log.floor, Math.max(1, log.seq - 49));
    for (const wish of log.waiting) {
      log.floor = Math.min(log.floor, Math.max(1, wish.from?.(bottom(log)) ?? Infinity));
      wish.from = undefined;
    }
    const hole = log.holes.at(-1);
    return hole && hole[1] >= log.floor ? hole : undefined;
  };
  /** Lets the Room follow an entry above its head. @param {Log} log @param {Entry} entry */
  const follow = (log, entry) => {
    const { info } = log;
    const { seq, kind, author, title } = entry;
    if (!info || seq <= info.head) return false;
    const { me } = info;
    const isUnread = kind === "message" && author !== user && seq > (me.read ?? 0);
    log.info = {
      ...{ ...info, head: seq, last: entry },
      me: isUnread ? { ...me, unread: Math.min((me.unread ?? 0) + 1, 100) } : me,
      ...(kind === "updated" && title && { title }),
    };
    return true;
  };
  /** Takes fields of a Room as of its head. @param {Log} log @param {any} fields */
  const merge = (log, fields) => {
    const me = { ...log.info?.me, ...fields.me };
    if (log.mark > me.read) me.read = log.mark;
    const info = (log.info = { ...log.info, ...fields, me });
    for (let seq = info.head + 1; seq <= log.seq; seq++) {
      const kept = log.entries.get(seq);
      if (kept) follow(log, kept.entry);
    }
  };
  /** @param {RoomInfo} body */
  const received = (body) => {
    const { room, me, head, epoch } = body;
    const pushed = wanted.get(room) ?? 0;
    const known = logs.get(room);
    if (!me || !known?.epoch || head >= pushed) wanted.delete(room);
    if (!me) return; // a public room as others see it
    const mine = log(room);
    mine.seen = connections;
    // An invitation that is older than the user's joining.
    if (me.state === "invited" && mine.epoch === epoch && head <= mine.seq) return;
    if (me.state === "member" && !mine.epoch) {
      mine.epoch = epoch;
      advance(mine, Math.max(head, pushed));
    }
    merge(mine, body);
  };
  /** @param {{ rooms: RoomInfo[], next?: string }} page */
  const listed = (page) => {
    page.rooms.forEach(received);
    next = page.next;
    // What the whole list does not show are invitations that have ended.
    if (!next) for (const log of logs.values()) if (!log.epoch && log.info && log.seen < connections) forget(log);
  };
  /** Takes entries that the client lacked, as of `asOf`. @param {Log} log @param {Entry[]} entries @param {number} asOf */
  const took = (log, entries, asOf) => {
    for (const entry of entries) {
      const { seq, kind, author, key } = entry;
      log.entries.set(seq, { entry, asOf });
      const sent = author === user && key && queue.find(({ data, item, room }) => item && data.key === key && room === log.id);
      if (sent) {
        // It may come before the answer.
        if (log.commands.busy?.[1] === sent.data) log.commands.busy = undefined;
        if (!sent.seq) remove(key);
        leave(sent);
        sent.resolve(seq);
      }
      if (kind === "message") log.typists = log.typists.filter((name) => name !== author);
      if (follow(log, entry) && REFRESHING.includes(kind)) wanted.set(log.id, seq);
    }
    if (!log.open && log.entries.size > 200) {
      log.entries.clear();
      log.holes = [[1, log.seq]];
    }
    purge(log);
  };
  /** @param {Log} log @param {any} answer */
  const synced = (log, { status, entries = [], ...fields }) => {
    stale.delete(log.id);
    const invited = log.info?.me.state === "invited";
    if (status === "gone") {
      forget(log);
      if (invited) wanted.set(log.id, 0); // `sync` does not say whether the user is invited again
      return;
    }
    if (status === "reset") Object.assign(log, empty());
    log.epoch = fields.epoch;
    const { seq } = log;
    if (status === "events") log.seq = Math.max(fields.head, seq);
    else advance(log, fields.head);
    took(log, entries.filter((/** @type {Entry} */ entry) => entry.seq > seq), fields.head);
    merge(log, fields);
  };

  /** @type {Record<string, (body: any) => void>} */
  const pushes = {
    entry(entry) {
      const { room, seq } = entry;
      const known = logs.get(room);
      if (!known?.epoch) wanted.set(room, Math.max(seq, wanted.get(room) ?? 0));
      else if (seq > known.seq) {
        advance(known, seq - 1);
        known.seq = seq;
        took(known, [entry], seq);
      }
    },
    room(body) {
      const known = logs.get(body.room);
      if (known?.epoch && known.epoch !== body.epoch) return void stale.add(body.room);
      if (known?.epoch) advance(known, body.head);
      received(body);
    },
    "room.gone": ({ room }) => forget(log(room)),
    typing({ room, users }) {
      log(room).typists = users;
    },
    marker({ room, user: whose, ...marker }) {
      const known = log(room);
      const { info } = known;
      if (!info) return;
      const { unread, ...markers } = marker;
      known.info = { ...info, markers: { ...info.markers, [whose]: markers } };
      if (whose === user) known.info.me = { ...info.me, ...marker };
    },
    presence({ user, ...state }) {
      presence = { ...presence, [user]: state };
    },
  };

  // What the client asks by itself.

  /** @type {(() => Query | false | undefined)[]} */
  const kinds = [
    () => {
      /** @type {Record<string, object>} */
      const cursors = {};
      let size = 0;
      for (const id of stale) {
        const { seq, epoch = "" } = log(id);
        size += id.length + epoch.length + 40;
        if (size > 48_000 || Object.keys(cursors).length === 500) break;
        cursors[id] = seq ? { seq, epoch } : { seq };
      }
      const named = Object.keys(cursors);
      return (
        size > 0 && [
          "sync",
          { cursors },
          ({ rooms }) => named.forEach((id) => synced(log(id), rooms[id])),
          () => named.forEach((id) => stale.delete(id)),
        ]
      );
    },
    () => !!next && ["rooms", { after: next }, listed, () => (next = undefined)],
    () => {
      for (const room of wanted.keys())
        return ["room.get", { room }, (body) => wanted.has(room) && received(body), () => wanted.delete(room)];
    },
    () =>
      rewatch && [
        "presence",
        { users: watched },
        (answer) => {
          rewatch = false;
          ({ presence } = answer);
        },
        () => (rewatch = false),
      ],
    () => {
      for (const known of [...logs.values()].reverse()) {
        const hole = gap(known);
        if (!hole) continue;
        const { id: room, floor } = known;
        const [first, anchor] = hole;
        return [
          "history",
          { room, anchor, before: Math.min(anchor - Math.max(first, floor), 199) },
          ({ epoch, head, entries }) => {
            if (!known.holes.includes(hole)) return;
            if (epoch !== known.epoch || head < anchor) return stale.add(room);
            const page = entries.filter((/** @type {Entry} */ { seq }) => seq >= first && seq <= anchor);
            hole[1] = page.length ? page[0].seq - 1 : 0;
            if (hole[1] < first) known.holes = known.holes.filter((other) => other !== hole);
            took(known, page, head);
          },
          () => known.epoch && stale.add(room),
        ];
      }
    },
  ];
  /** @type {Lane} */
  const queries = {
    next() {
      for (const kind of kinds) {
        const query = kind();
        if (query) return query;
      }
    },
  };
  /** @param {Log} known @returns {Query | false} */
  const markQuery = (known) => {
    const { id: room, info, mark: read } = known;
    const done = (/** @type {any} */ me) => {
      known.marked = read;
      if (known.info) merge(known, { head: known.info.head, me });
    };
    return !!info && read > known.marked && ["mark", { room, read }, done, () => (known.mark = known.marked)];
  };
  /** @param {Log} log */
  const endTyping = (log) => {
    log.quiet?.();
    log.quiet = undefined;
    log.typing = false;
  };

  return {
    log,
    idWith,
    call,
    presence: () => presence,
    rooms: () =>
      [...logs.values()]
        .flatMap(({ info }) => info ?? [])
        .sort((a, b) => compare(b.last?.at ?? "~", a.last?.at ?? "~") || compare(a.room, b.room)),
    messages(log) {
      /** @type {Record<number, Entry[]>} */
      const changes = {};
      const kept = [];
      for (let seq = bottom(log); seq <= log.seq; seq++) {
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
          return one.shown;
        }),
        ...queue.filter(({ item, room }) => item && room === log.id).map(unsent),
      ];
    },
    open(log) {
      log.open = true;
      // The room that was opened last is paged first.
      logs.delete(log.id);
      logs.set(log.id, log);
      flush();
    },
    send(log, where, body, more) {
      endTyping(log);
      const data = copy({ ...where, body, ...more, key: newKey() });
      const command = add("message.send", data, { ...data, ...(user !== null && { user }) });
      store(command);
      return unsent(command);
    },
    change: (log, event, { seq }, more) => call(event, { room: log.id, seq, ...more, key: newKey() }),
    more: (log, from) =>
      new Promise((resolve) => {
        log.open = true;
        log.waiting.push({ from, resolve });
        flush();
      }),
    mark(log, seq) {
      const { info } = log;
      if (seq <= Math.max(log.mark, info?.me.read ?? 0)) return;
      log.mark = seq;
      if (info) log.info = { ...info, me: { ...info.me, read: seq, ...(seq >= info.head && { unread: 0 }) } };
      flush();
    },
    typing(log, on) {
      if (!online || !log.info || (on ? log.quiet : !log.typing)) return;
      endTyping(log);
      if (on) log.quiet = wait(3000, () => (log.quiet = undefined));
      log.typing = on;
      send("typing", { room: log.id, on }, () => {});
    },
    async watch(users) {
      const answer = await call("presence", { users });
      watched = users;
      ({ presence } = answer);
      return answer;
    },
    restore(items) {
      const added = queue.splice(0);
      for (const item of items) {
        const { user, error, n, ...data } = item;
        const command = add("message.send", data, item);
        if (error) command.reject(Object.assign(new Error(error.message), error));
      }
      queue.push(...added);
    },
    ready(body) {
      if (user !== null && user !== body.user) logs.clear();
      ({ user } = body);
      connections++;
      queue = queue.filter(({ item }) => !item || (item.user ??= body.user) === user);
      for (const known of [...logs.values()]) {
        if (known.epoch) stale.add(known.id);
        if (known.id[0] !== "@") continue;
        logs.delete(known.id);
        const real = log(idWith(known.id.slice(1)));
        real.open ||= known.open;
        real.waiting.push(...known.waiting);
      }
      for (const command of queue) if (command.data.to) log((command.room = idWith(command.data.to)));
      online = true;
      rewatch = watched.length > 0;
      listed(body);
      flush();
    },
    pushed(event, body) {
      if (stale.has(body.room) && ["entry", "room", "room.gone"].includes(event)) return;
      if (Object.hasOwn(pushes, event)) pushes[event](body);
      flush();
    },
    disconnected(code) {
      online = rewatch = false;
      next = undefined;
      stale.clear();
      wanted.clear();
      queries.busy = undefined;
      const sent = queue.filter(({ lane, room, data }) => (lane ?? log(room ?? "").commands).busy?.[1] === data);
      const size = (/** @type {Command} */ { data }) => JSON.stringify(data).length;
      const [largest] = sent.sort((a, b) => size(b) - size(a));
      if (code === 1009 && largest) fail(largest, { code: "too_large", message: "It is too large.", temporary: false });
      for (const command of sent) if (command.lane?.once) fail(command, UNAVAILABLE);
      for (const { lane } of queue) if (lane) lane.busy = undefined;
      for (const log of logs.values()) {
        log.commands.busy = log.marks.busy = undefined;
        log.typists = [];
        log.typing = false;
        log.quiet = undefined;
      }
    },
    end() {
      for (const command of queue) if (!command.item) fail(command, UNAVAILABLE);
      for (const { waiting } of logs.values()) for (const { resolve } of waiting.splice(0)) resolve(true);
    },
  };
};
