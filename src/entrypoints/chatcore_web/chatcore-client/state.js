/** @import { Entry, ErrorObject, Item, Message, Port, Presence, RoomInfo } from "./types.js" */
import { Log } from "./log.js";

/** What a client knows and asks, without I/O and clock: docs/protocol.md, "A client's algorithm", and docs/clients.md. */

/**
 * A command of the user without an answer.
 * @typedef {{
 *   event: string, data: any, done: Promise<any>, resolve: (value: any) => void, reject: (error: Error) => void,
 *   item?: Item, sent?: boolean, storing?: boolean, waits?: boolean, ms?: number, error?: ErrorObject, seq?: number, at?: string, shown?: Message
 * }} Command
 */
/** @typedef {[event: string, data: object, done: (answer: any) => void, refused?: () => void, again?: () => void]} Query */

/** After these entries `room.get` is asked: what they change may depend on entries that the client lacks. */
const REFRESHING = ["joined", "left", "removed", "banned", "role", "deleted"];

const hex = (/** @type {string} */ user) =>
  Array.from(new TextEncoder().encode(user), (byte) => "~" + (byte + 256).toString(16).slice(1).toUpperCase()).join("");
const plain = (/** @type {string} */ escaped) =>
  escaped.replace(/~(2E|3\d|[46][1-9A-F]|[57][\dA]|5F)/g, (_, code) => String.fromCharCode(parseInt(code, 16)));
const compare = (/** @type {string} */ a, /** @type {string} */ b) => +(a > b) - +(a < b);
const failure = (/** @type {ErrorObject} */ error) => Object.assign(new Error(error.message ?? error.code), error);
const UNAVAILABLE = { code: "unavailable", message: "The connection broke before the answer.", temporary: true };
const TOO_LARGE = { code: "too_large", message: "It is too large.", temporary: false };

/** @param {Port} port */
export const makeState = ({ send, wait, put, remove, newKey }) => {
  /** @type {Map<string, Log>} */
  const logs = new Map();
  /** @type {Command[]} */
  let queue = [];
  let user = /** @type {string | null} */ (null);
  let online = false;
  let asking = false;
  /** The pause after a temporary error of a query. */
  const pause = { ms: 0, waits: false };
  let presence = /** @type {Readonly<Record<string, Presence>>} */ ({});
  let watched = /** @type {string[]} */ ([]);
  let rewatch = false;
  let rooms = /** @type {RoomInfo[] | undefined} */ (undefined);
  /** Rooms to name in a `sync`. Their pushes are dropped until its answer, which brings them again. */
  const stale = /** @type {Set<string>} */ (new Set());
  /** Rooms to ask `room.get` for: those not known, with the highest seq that was pushed, and those that have changed. */
  const unknown = /** @type {Map<string, number>} */ (new Map());
  const outdated = /** @type {Set<string>} */ (new Set());
  /** The invitations that the list of rooms has not shown yet, and the token of its next page. */
  let invitations = /** @type {Log[]} */ ([]);
  let next = /** @type {string | undefined} */ (undefined);

  /** The id of the private room with a user; a stand-in until the client's user is known. @param {string} other */
  const idWith = (other) => (user === null ? "@" + other : "pvt-" + [user, other].map(hex).sort().map(plain).join("-"));
  /** @param {{ room?: string, to?: string }} data */
  const roomOf = ({ room, to }) => room ?? (to === undefined ? undefined : idWith(to));
  /** @param {string} id */
  const log = (id) => logs.get(id) ?? (logs.set(id, new Log(id)), /** @type {Log} */ (logs.get(id)));
  /** @param {{ ms?: number }} holder @param {ErrorObject} error */
  const pauseOf = (holder, { retry_after_ms }) => {
    holder.ms = Math.min(2 * (holder.ms || 50), 5000);
    return retry_after_ms ?? holder.ms;
  };

  // Rooms.

  /** @param {Log} log @param {RoomInfo | null} info */
  const setInfo = (log, info) => {
    log.info = info;
    rooms = undefined;
  };
  /** @param {Log} log */
  const forget = (log) => {
    log.drop();
    log.typists = [];
    log.mark = log.marked = 0;
    setInfo(log, null);
    unknown.delete(log.id);
    outdated.delete(log.id);
    purge(log);
  };
  /** The Room after an entry above its head. @param {RoomInfo} info @param {Entry} entry @returns {RoomInfo} */
  const after = (info, entry) => {
    const { seq, kind, author, title } = entry;
    let { me } = info;
    if (kind === "message" && author !== user && !entry.deleted && seq > (me.read ?? 0))
      me = { ...me, unread: Math.min((me.unread ?? 0) + 1, 100) };
    return { ...info, head: seq, last: entry, me, ...(kind === "updated" && title !== undefined && { title }) };
  };
  /** Takes fields of a Room, which is as of its head. @param {Log} log @param {any} fields */
  const merge = (log, { ok, status, entries, ...fields }) => {
    let info = { ...log.info, ...fields, me: { ...log.info?.me, ...fields.me } };
    if (log.mark > (info.me.read ?? 0)) info.me.read = log.mark;
    for (let seq = info.head + 1; seq <= log.seq; seq++) {
      const kept = log.entries.get(seq);
      if (kept) info = after(info, kept.entry);
    }
    setInfo(log, info);
  };
  /** Takes a Room object. @param {RoomInfo} body */
  const received = (body) => {
    const { room, me, head, epoch } = body;
    const pushed = unknown.get(room) ?? 0;
    unknown.delete(room);
    if (!me) return; // a public room as others see it
    const known = log(room);
    invitations = invitations.filter((invited) => invited !== known);
    if (me.state === "invited") {
      if (known.epoch === epoch && head <= known.seq) return; // older than the user's joining
    } else if (known.epoch === undefined) {
      known.epoch = epoch;
      known.advance(Math.max(head, pushed));
    }
    merge(known, body);
  };
  /** @param {{ rooms: RoomInfo[], next?: string }} page */
  const listed = (page) => {
    page.rooms.forEach(received);
    next = page.next;
    if (next) return;
    for (const invited of invitations) if (invited.epoch === undefined) forget(invited);
    invitations = [];
  };
  /** Takes entries that the client lacked. @param {Log} log @param {Entry[]} entries @param {number} asOf */
  const took = (log, entries, asOf) => {
    log.add(entries, asOf);
    for (const entry of entries) {
      const { seq, kind, author, key } = entry;
      if (author === user && key) confirm(log, key, seq);
      if (kind === "message" && log.typists.includes(author)) log.typists = log.typists.filter((name) => name !== author);
      if (!log.info || seq <= log.info.head) continue;
      setInfo(log, after(log.info, entry));
      if (REFRESHING.includes(kind)) outdated.add(log.id);
    }
    purge(log);
  };
  /** @param {Log} log @param {any} answer */
  const synced = (log, answer) => {
    const { status, epoch, head, entries = [] } = answer;
    stale.delete(log.id);
    if (status === "gone") {
      // It does not say whether the user is invited again.
      const invited = log.info?.me.state === "invited";
      forget(log);
      if (invited) unknown.set(log.id, 0);
      return;
    }
    if (status === "reset") {
      log.drop();
      purge(log);
    }
    log.epoch = epoch;
    const { seq } = log;
    if (status === "events") log.seq = Math.max(head, seq);
    else log.advance(head);
    took(log, entries.filter((/** @type {Entry} */ entry) => entry.seq > seq), head);
    merge(log, answer);
  };

  /** Pushes. @type {Record<string, (body: any) => void>} */
  const pushes = {
    entry(entry) {
      const { room, seq } = entry;
      const known = logs.get(room);
      if (known?.epoch === undefined) unknown.set(room, Math.max(seq, unknown.get(room) ?? 0));
      else if (seq > known.seq) {
        known.advance(seq - 1);
        known.seq = seq;
        took(known, [entry], seq);
      }
    },
    room(body) {
      const known = logs.get(body.room);
      if (known?.epoch !== undefined) {
        if (known.epoch !== body.epoch) return void stale.add(body.room);
        known.advance(body.head);
      }
      received(body);
    },
    "room.gone"({ room }) {
      unknown.delete(room);
      const known = logs.get(room);
      if (known) forget(known);
    },
    typing({ room, users }) {
      log(room).typists = users;
    },
    marker({ room, user: whose, read, delivered, unread }) {
      const known = logs.get(room);
      if (!known?.info) return;
      const { info } = known;
      const me = whose === user ? { ...info.me, read, delivered, ...(unread !== undefined && { unread }) } : info.me;
      setInfo(known, { ...info, me, markers: { ...info.markers, [whose]: { read, delivered } } });
    },
    presence({ user, ...state }) {
      presence = { ...presence, [user]: state };
    },
  };

  // What the client asks by itself, one query at a time.

  /** @returns {Query | undefined} */
  const syncQuery = () => {
    if (!stale.size) return;
    /** @type {Record<string, { seq: number, epoch?: string }>} */
    const cursors = {};
    let size = 0;
    for (const id of stale) {
      const { seq, epoch } = log(id);
      cursors[id] = seq ? { seq, epoch } : { seq };
      size += id.length + (epoch?.length ?? 0) + 40;
      if (size > 48_000 || Object.keys(cursors).length === 500) break;
    }
    const named = Object.keys(cursors);
    return [
      "sync",
      { cursors },
      (answer) => named.forEach((id) => synced(log(id), answer.rooms[id] ?? { status: "gone" })),
      () => named.forEach((id) => stale.delete(id)),
    ];
  };
  /** @returns {Query | undefined} */
  const listQuery = () => (next ? ["rooms", { after: next }, listed, () => (next = undefined)] : undefined);
  /** @returns {Query | undefined} */
  const roomQuery = () => {
    const [room] = [...unknown.keys(), ...outdated];
    if (room === undefined) return;
    // What comes while the answer is on its way may be newer than the answer.
    const again = outdated.delete(room) ? () => void outdated.add(room) : undefined;
    const known = () => unknown.has(room) || logs.get(room)?.info;
    return ["room.get", { room }, (answer) => known() && received(answer), () => void unknown.delete(room), again];
  };
  /** @returns {Query | undefined} */
  const presenceQuery = () => {
    if (!rewatch) return;
    rewatch = false;
    const users = watched;
    return ["presence", { users }, (answer) => (presence = answer.presence), undefined, () => (rewatch = true)];
  };
  /** @returns {Query | undefined} */
  const pageQuery = () => {
    for (const known of [...logs.values()].reverse()) {
      const hole = known.gap();
      if (!hole) continue;
      const { id: room } = known;
      const [first, last] = hole;
      return [
        "history",
        { room, anchor: last, before: Math.min(last - Math.max(first, known.floor), 199) },
        ({ epoch, head, entries }) => {
          if (!known.holes.includes(hole)) return;
          if (epoch !== known.epoch || head < last) stale.add(room);
          else took(known, known.fill(hole, entries, head), head);
        },
        () => known.epoch !== undefined && stale.add(room),
      ];
    }
  };
  const ask = () => {
    if (!online) return;
    if (!asking && !pause.waits) {
      const query = syncQuery() ?? listQuery() ?? roomQuery() ?? presenceQuery() ?? pageQuery();
      if (query) {
        const [event, data, done, refused, again] = query;
        asking = true;
        send(event, data, ({ ok, error, ...answer }) => {
          asking = false;
          if (ok) {
            pause.ms = 0;
            done(answer);
          } else if (error.temporary) {
            again?.();
            pause.waits = true;
            wait(pauseOf(pause, error), () => {
              pause.waits = false;
              ask();
            });
          } else refused?.();
          ask();
        });
      }
    }
    if (next) return;
    for (const known of logs.values()) {
      if (!known.waiting.length || stale.has(known.id) || unknown.has(known.id) || known.gap()) continue;
      for (const { resolve } of known.waiting.splice(0)) resolve(known.holes.length > 0);
    }
  };

  // The user's commands.

  /** @param {Command} command */
  const touch = (command) => {
    const known = logs.get(roomOf(command.data) ?? "");
    if (known) known.list = undefined;
    command.shown = undefined;
  };
  /** @param {Command} command */
  const leave = (command) => {
    queue = queue.filter((other) => other !== command);
    touch(command);
  };
  /** Forgets the sent messages whose entries the room has. @param {Log} log */
  const purge = ({ id, seq, epoch }) => {
    for (const command of queue)
      if (command.seq && roomOf(command.data) === id && (epoch === undefined || command.seq <= seq)) leave(command);
  };
  /** The entry of a message came, maybe before its answer. @param {Log} log @param {string} key @param {number} seq */
  const confirm = ({ id }, key, seq) => {
    const command = queue.find(({ item, data }) => item && data.key === key && roomOf(data) === id);
    if (!command) return;
    remove(key);
    leave(command);
    command.resolve(seq);
    flush();
  };
  /** @param {Command} command @param {ErrorObject} error */
  const fail = (command, error) => {
    command.reject(failure(error));
    if (!command.item) return leave(command);
    command.error = command.item.error = error;
    put(command.item, () => {});
    touch(command);
  };
  /** @param {Command} command @param {any} answer */
  const answered = (command, { ok, error, ...answer }) => {
    if (!queue.includes(command)) return; // its entry came first
    command.sent = false;
    const { item, data } = command;
    if (!ok && error.temporary && data.key) {
      command.waits = true;
      wait(pauseOf(command, error), () => {
        command.waits = false;
        flush();
      });
    } else if (!ok) fail(command, error);
    else if (item) {
      remove(data.key);
      command.seq = answer.seq;
      command.at = answer.at;
      touch(command);
      command.resolve(answer.seq);
      const known = logs.get(roomOf(data) ?? "");
      if (known?.epoch !== undefined) purge(known);
    } else {
      leave(command);
      command.resolve(answer);
    }
    flush();
  };
  /** Sends what may be sent: of the commands with a key to one room, one at a time. */
  const flush = () => {
    if (!online) return;
    const busy = new Set();
    for (const command of queue) {
      const { event, data, sent, storing, waits, error, seq } = command;
      if (error || seq) continue;
      const room = data.key && roomOf(data);
      if (busy.has(room)) continue;
      if (room) busy.add(room);
      if (sent || storing || waits) continue;
      command.sent = true;
      send(event, data, (answer) => answered(command, answer));
    }
  };
  /** @param {string} event @param {any} data @param {Item} [item] @returns {Command} */
  const commandOf = (event, data, item) => {
    const command = /** @type {Command} */ ({ event, data, item });
    renew(command);
    return command;
  };
  /** @param {Command} command */
  const renew = (command) => {
    command.done = new Promise((resolve, reject) => Object.assign(command, { resolve, reject }));
    if (command.item) command.done.catch(() => {}); // it is shown as failed
  };
  /** Puts a message into the store, and sends it then. @param {Command} command @param {Item} item */
  const store = (command, item) => {
    command.storing = true;
    put(item, () => {
      command.storing = false;
      flush();
    });
  };
  /** A message that is not sent yet, or of which the entry has not come. @param {Command} command @returns {Message} */
  const shown = (command) => {
    const { data, item, error, done, seq, at } = command;
    const { to, ...fields } = data;
    return (command.shown ??= {
      ...fields,
      room: roomOf(data),
      kind: "message",
      author: item?.user ?? user,
      state: seq ? "sent" : error ? "failed" : "sending",
      done,
      ...(seq && { seq, at, version: 1 }),
      ...(error && {
        error,
        retry() {
          if (!command.error || !item) return;
          command.error = item.error = undefined;
          renew(command);
          touch(command);
          store(command, item);
        },
        discard() {
          if (!command.error) return;
          remove(data.key);
          leave(command);
        },
      }),
    });
  };
  /** @param {string} event @param {any} data @returns {Promise<any>} */
  const call = (event, data) => {
    const command = commandOf(event, JSON.parse(JSON.stringify(data)));
    queue.push(command);
    flush();
    return command.done;
  };

  // Markers and typing.

  /** @param {Log} known */
  const sendMark = (known) => {
    const { id, info, mark, marked, marking } = known;
    if (!online || marking || !info || mark <= marked) return;
    known.marking = true;
    send("mark", { room: id, read: mark }, ({ ok, error, ...me }) => {
      known.marking = false;
      if (ok) {
        known.marked = mark;
        if (known.info) merge(known, { head: known.info.head, me });
      } else if (error.temporary) {
        known.marking = true;
        return wait(pauseOf(known, error), () => {
          known.marking = false;
          sendMark(known);
        });
      } else known.mark = known.marked;
      known.ms = 0;
      sendMark(known);
    });
  };
  /** @param {Log} known */
  const endTyping = (known) => {
    known.quiet?.();
    known.quiet = undefined;
    known.typing = false;
  };

  return {
    log,
    idWith,
    call,
    presence: () => presence,
    rooms: () =>
      (rooms ??= [...logs.values()]
        .flatMap(({ info }) => info ?? [])
        .sort((a, b) => compare(b.last?.at ?? "~", a.last?.at ?? "~") || compare(a.room, b.room))),
    /** @param {Log} known */
    messages: (known) =>
      (known.list ??= [
        ...known.shown(),
        ...queue.filter(({ item, data }) => item && roomOf(data) === known.id).map(shown),
      ]),

    /** What an earlier run has left in the store. @param {Item[]} items */
    restore(items) {
      const left = items.filter(({ key }) => !queue.some(({ data }) => data.key === key));
      queue.unshift(
        ...left.map((item) => {
          const { user: _, error, n, ...data } = item;
          const command = commandOf("message.send", data, item);
          if (error) command.reject(failure(error));
          command.error = error;
          return command;
        }),
      );
      queue.forEach(touch);
    },
    /** Opens a room: it is paged, before the rooms that were opened earlier. @param {Log} known */
    open(known) {
      known.open = true;
      logs.delete(known.id);
      logs.set(known.id, known);
      ask();
    },
    /** @param {Log} known @param {{ room: string } | { to: string }} where @param {string} body @param {object} [more] */
    send(known, where, body, more) {
      endTyping(known);
      const data = JSON.parse(JSON.stringify({ ...where, body, ...more, key: newKey() }));
      const item = { ...data, ...(user !== null && { user }) };
      const command = commandOf("message.send", data, item);
      queue.push(command);
      touch(command);
      store(command, item);
      return shown(command);
    },
    /** @param {Log} known @param {string} event @param {Message} message @param {object} [more] */
    change: (known, event, { seq }, more) => call(event, { room: known.id, seq, ...more, key: newKey() }),
    /** @param {Log} known @param {number | { until: number }} what @returns {Promise<boolean>} */
    more: (known, what) =>
      new Promise((resolve) => {
        known.open = true;
        known.waiting.push({ what, resolve });
        ask();
      }),
    /** @param {Log} known @param {number} seq */
    mark(known, seq) {
      const { info } = known;
      if (seq <= Math.max(known.mark, info?.me.read ?? 0)) return;
      known.mark = seq;
      if (info) {
        const unread = seq < info.head ? info.me.unread : 0;
        setInfo(known, { ...info, me: { ...info.me, read: seq, unread } });
      }
      sendMark(known);
    },
    /** @param {Log} known @param {boolean} on */
    typing(known, on) {
      if (!online || !known.info || (on ? known.quiet : !known.typing)) return;
      endTyping(known);
      if (on) {
        known.typing = true;
        known.quiet = wait(3000, () => (known.quiet = undefined));
      }
      send("typing", { room: known.id, on }, () => {});
    },
    /** @param {string[]} users @returns {Promise<any>} */
    async watch(users) {
      const answer = await call("presence", { users });
      watched = users;
      presence = answer.presence;
      return answer;
    },

    /** The first push of a connection. @param {{ user: string, rooms: RoomInfo[], next?: string }} body */
    ready(body) {
      if (user !== null && user !== body.user) logs.clear();
      user = body.user;
      queue = queue.filter(({ item }) => !item || (item.user ??= body.user) === user);
      for (const known of [...logs.values()]) {
        if (known.id[0] === "@") {
          // A room that was got by `with`.
          logs.delete(known.id);
          const real = log(idWith(known.id.slice(1)));
          real.open ||= known.open;
          real.waiting.push(...known.waiting);
        }
        known.list = undefined;
        if (known.epoch !== undefined) stale.add(known.id);
      }
      invitations = [...logs.values()].filter(({ info }) => info?.me.state === "invited");
      online = true;
      rewatch = watched.length > 0;
      listed(body);
      ask();
      flush();
      logs.forEach(sendMark);
    },
    /** Any other push. @param {string} event @param {any} body */
    pushed(event, body) {
      if (stale.has(body.room) && ["entry", "room", "room.gone"].includes(event)) return;
      if (Object.hasOwn(pushes, event)) pushes[event](body);
      ask();
    },
    /** The connection has ended. @param {number} [code] */
    disconnected(code) {
      online = asking = pause.waits = rewatch = false;
      next = undefined;
      stale.clear();
      unknown.clear();
      outdated.clear();
      const size = (/** @type {Command} */ { data }) => JSON.stringify(data).length;
      const [largest] = queue.filter(({ sent }) => sent).sort((a, b) => size(b) - size(a));
      if (code === 1009 && largest) fail(largest, TOO_LARGE);
      for (const command of queue) {
        if (command.sent && !command.data.key) {
          leave(command);
          command.reject(failure(UNAVAILABLE));
        }
        command.sent = command.waits = false;
      }
      for (const known of logs.values()) {
        known.marking = known.typing = false;
        known.quiet = undefined;
        if (known.typists.length) known.typists = [];
      }
    },
    /** There will be no connection any more. */
    end() {
      for (const { item, reject } of queue) if (!item) reject(failure(UNAVAILABLE));
      for (const { waiting } of logs.values()) for (const { resolve } of waiting) resolve(true);
    },
  };
};
