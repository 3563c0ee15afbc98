/** @import { Entry, Message, Reaction, RoomInfo } from "./types.js" */

/** What changes a message, and is not shown itself. */
const CHANGES = ["edited", "deleted", "reacted"];
/** Entries that a room is opened with; and that are kept of a room that is not open. */
const OPENED_WITH = 50;
const KEPT = 200;

/** What the client has of one room: all entries up to `seq`, but those in `holes`. */
export class Log {
  info = /** @type {RoomInfo | null} */ (null);
  typists = /** @type {readonly string[]} */ ([]);
  open = false;
  /** Undefined while the user is no member. */
  epoch = /** @type {string | undefined} */ (undefined);
  seq = 0;
  /** The first and last seq of what is lacking, ascending. Below `floor` it is not asked for. */
  holes = /** @type {[number, number][]} */ ([]);
  floor = Infinity;
  /** Calls of `more`. */
  waiting = /** @type {{ what?: number | { until: number }, resolve: (left: boolean) => void }[]} */ ([]);
  /** What `messages` shows, until it changes. */
  list = /** @type {readonly Message[] | undefined} */ (undefined);
  /** The highest position that was marked, and that was answered. */
  mark = 0;
  marked = 0;
  marking = false;
  ms = 0;
  /** Whether the user types, and what ends the 3 s in which that is not said again. */
  typing = false;
  quiet = /** @type {(() => void) | undefined} */ (undefined);
  /** Each entry as it came, with the seq that it is as of, and as it is shown. */
  entries = /** @type {Map<number, { entry: Entry, asOf: number, shown?: Message }>} */ (new Map());
  /** The seqs of the changes to each message, ascending. */
  changes = /** @type {Map<number, number[]>} */ (new Map());

  /** @param {string} id */
  constructor(id) {
    this.id = id;
  }

  /** Forgets the entries. */
  drop() {
    this.epoch = undefined;
    this.seq = 0;
    this.holes = [];
    this.floor = Infinity;
    this.clear();
  }

  clear() {
    this.entries.clear();
    this.changes.clear();
    this.list = undefined;
  }

  /** Moves to a later seq. What lies between is lacking. @param {number} seq */
  advance(seq) {
    if (seq > this.seq) this.holes.push([this.seq + 1, seq]);
    this.seq = Math.max(seq, this.seq);
  }

  /** Adds entries in their state as of `asOf`. @param {Entry[]} entries @param {number} asOf */
  add(entries, asOf) {
    for (const entry of entries) {
      const { seq, kind, target } = entry;
      if (this.entries.has(seq)) continue;
      this.entries.set(seq, { entry, asOf });
      if (target === undefined || !CHANGES.includes(kind)) continue;
      const changed = this.entries.get(target);
      if (changed) changed.shown = undefined;
      this.changes.set(target, [...(this.changes.get(target) ?? []), seq].sort((a, b) => a - b));
    }
    if (!this.open && this.entries.size > KEPT) {
      this.clear();
      this.holes = [[1, this.seq]];
    }
    this.list = undefined;
  }

  /** The newest hole that is to be asked for. */
  gap() {
    if (this.open && this.epoch !== undefined) {
      this.floor = Math.min(this.floor, Math.max(1, this.seq - OPENED_WITH + 1));
      for (const wish of this.waiting) {
        const { what } = wish;
        if (what) this.floor = Math.max(1, Math.min(this.floor, typeof what === "number" ? this.bottom() - what : what.until));
        wish.what = undefined;
      }
    }
    const hole = this.holes.at(-1);
    return hole && hole[1] >= this.floor ? hole : undefined;
  }

  /** The seq from which on nothing is lacking. */
  bottom() {
    return (this.holes.at(-1)?.[1] ?? 0) + 1;
  }

  /** Takes the part of a hole that a page has. @param {[number, number]} hole @param {Entry[]} page @param {number} asOf */
  fill(hole, page, asOf) {
    const [first, last] = hole;
    const entries = page.filter(({ seq }) => seq >= first && seq <= last);
    hole[1] = Math.min(...entries.map(({ seq }) => seq), last + 1) - 1;
    if (!entries.length || hole[1] < first) this.holes.splice(this.holes.indexOf(hole), 1);
    this.add(entries, asOf);
    return entries;
  }

  /** The messages and other entries above the newest hole, in their present state. */
  shown() {
    const shown = [];
    for (let seq = this.bottom(); seq <= this.seq; seq++) {
      const kept = this.entries.get(seq);
      if (!kept || CHANGES.includes(kept.entry.kind)) continue;
      if (!kept.shown) {
        let { entry } = kept;
        for (const change of this.changes.get(seq) ?? [])
          if (change > kept.asOf) entry = changed(entry, /** @type {any} */ (this.entries.get(change)).entry);
        kept.shown = { ...entry, state: "sent" };
      }
      shown.push(kept.shown);
    }
    return shown;
  }
}

/** A message after a change. @param {Entry} message @param {Entry} change @returns {Entry} */
const changed = (message, { kind, version, body, at, author, emoji = "", on }) => {
  const { body: _, data, edited_at, reactions = {}, ...stub } = message;
  if (kind === "edited" && body !== undefined) return { ...message, version, body, edited_at: at };
  // An edit that has lost its body: the message was deleted later.
  if (kind !== "reacted") return { ...stub, deleted: true, ...(version && { version }) };
  if (message.deleted) return message;
  const { [emoji]: before, ...others } = reactions;
  const { count, users } = Object.hasOwn(reactions, emoji) ? before : { count: 0, users: [] };
  // Of more than 20 users only the first are named, so who comes next is not known.
  const after = on
    ? { count: count + 1, users: users.length === count && count < 20 ? [...users, author] : users }
    : { count: count - 1, users: users.filter((user) => user !== author) };
  const left = after.count > 0 ? { ...others, [emoji]: after } : others;
  const { reactions: __, ...rest } = message;
  return Object.keys(left).length ? { ...rest, reactions: left } : rest;
};
