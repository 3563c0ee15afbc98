// Node, Express, Socket.IO and MongoDB's own driver, with a group commit: while a write is under way, messages wait, and
// all that wait are written together. This process alone numbers the messages of a room, so a message needs no round trip
// before its write. Otherwise it is the program of mongoose.mjs.
import express from "express";
import { MongoClient } from "mongodb";
import { EPOCH, Refused, privateRoom, serve } from "./serving.mjs";

const DUPLICATE = 11000;
const BATCH_MAX = 1000;

const client = await MongoClient.connect(process.env.MONGODB, { writeConcern: { w: "majority", j: true } });
const database = client.db();
const users = database.collection("users");
const rooms = database.collection("rooms");
const memberships = database.collection("memberships");
const messages = database.collection("messages");
await memberships.createIndex({ user: 1, room: 1 }, { unique: true });
await messages.createIndexes([
  { key: { room: 1, seq: 1 }, unique: true },
  { key: { room: 1, author: 1, key: 1 }, unique: true },
]);

const heads = new Map();
let waiting = [];
let writing = false;

const entry = ({ room, seq, author, at, key, body }) => ({
  ...{ room, seq, kind: "message", author, at, key, body, version: 1 },
});

/** The promise of a room's last number: two messages at once to a room that is not known yet must not load it twice. */
function counter(room) {
  if (!heads.has(room)) heads.set(room, load(room));
  return heads.get(room);
}

async function load(room) {
  const [last] = await messages.find({ room }, { projection: { seq: 1 } }).sort({ seq: -1 }).limit(1).toArray();
  const loaded = { head: last?.seq ?? 0 };
  heads.set(room, loaded);
  return loaded;
}

/** Write a message with others. Rejects if it was not written. */
function write(message) {
  return new Promise((resolve, reject) => {
    waiting.push({ message, resolve, reject });
    if (!writing) commit();
  });
}

async function commit() {
  writing = true;
  while (waiting.length > 0) {
    const batch = waiting.slice(0, BATCH_MAX);
    waiting = waiting.slice(BATCH_MAX);
    const last = new Map(batch.map(({ message }) => [message.room, message]));
    const updates = [...last.values()].map(({ room, seq, author, body, at }) => ({
      updateOne: {
        filter: { _id: room },
        update: { $set: { head: seq, lastAt: at, last: { author, body: body.slice(0, 256), at } } },
      },
    }));
    const failed = new Map();
    try {
      const documents = batch.map(({ message }) => message);
      await Promise.all([messages.insertMany(documents, { ordered: false }), rooms.bulkWrite(updates, { ordered: false })]);
    } catch (error) {
      if (!error.writeErrors) for (const index of batch.keys()) failed.set(index, error);
      else for (const one of [error.writeErrors].flat()) failed.set(one.index, one);
    }
    batch.forEach(({ message, resolve, reject }, index) => {
      if (failed.has(index)) reject(failed.get(index));
      else resolve(message);
    });
  }
  writing = false;
}

async function enter(room, names) {
  const writes = names.map((user) => ({
    updateOne: { filter: { user, room }, update: { $setOnInsert: { read: 0 } }, upsert: true },
  }));
  await memberships.bulkWrite(writes, { ordered: false });
  for (const user of names) io.in(`user:${user}`).socketsJoin(room);
}

async function openPrivate(user, to) {
  const id = privateRoom(user, to);
  if (!(await users.findOne({ _id: to }, { projection: { _id: 1 } }))) throw new Refused("not_found");
  await rooms.updateOne({ _id: id }, { $setOnInsert: { kind: "private", head: 0 } }, { upsert: true });
  await enter(id, [user, to]);
  return id;
}

const commands = {
  "room.create": async (socket, { kind, title, key }) => {
    const room = `room-${key}`;
    await rooms.insertOne({ _id: room, kind, title, head: 0, lastAt: new Date() });
    await enter(room, [socket.data.user]);
    return { room, epoch: EPOCH, kind, title, head: 0 };
  },
  "room.join": async (socket, { room }) => {
    if (!(await rooms.findOne({ _id: room, kind: "public" }, { projection: { _id: 1 } }))) throw new Refused("not_found");
    await enter(room, [socket.data.user]);
    return {};
  },
  "message.send": async (socket, { room, to, body, key }) => {
    const author = socket.data.user;
    let id = room ?? privateRoom(author, to);
    if (!socket.rooms.has(id)) {
      if (!to) throw new Refused("not_found");
      id = await openPrivate(author, to);
    }
    const known = await counter(id);
    const at = new Date();
    try {
      const message = await write({ room: id, seq: ++known.head, author, at, key, body });
      io.to(id).emit("entry", entry(message));
      return { room: id, epoch: EPOCH, seq: message.seq, at, duplicate: false };
    } catch (error) {
      if (error.code !== DUPLICATE) throw error;
      const first = await messages.findOne({ room: id, author, key });
      return { room: id, epoch: EPOCH, seq: first.seq, at: first.at, duplicate: true };
    }
  },
  history: async (socket, { room, before = 50 }) => {
    if (!socket.rooms.has(room)) throw new Refused("not_found");
    const page = await messages.find({ room }).sort({ seq: -1 }).limit(Math.min(before, 200)).toArray();
    return { room, epoch: EPOCH, head: page[0]?.seq ?? 0, entries: page.reverse().map(entry) };
  },
  sync: async (socket, { cursors }) => {
    const ids = Object.keys(cursors).filter((id) => socket.rooms.has(id));
    const found = await rooms.find({ _id: { $in: ids } }, { projection: { head: 1 } }).toArray();
    const behind = found.filter(({ _id, head }) => head > cursors[_id].seq && head <= cursors[_id].seq + 200);
    const missed = behind.map(({ _id }) => ({ room: _id, seq: { $gt: cursors[_id].seq } }));
    const newer = missed.length ? await messages.find({ $or: missed }).sort({ room: 1, seq: 1 }).toArray() : [];
    const answer = Object.fromEntries(
      found.map(({ _id, head }) => [
        _id,
        { status: head > cursors[_id].seq + 200 ? "gap" : "events", epoch: EPOCH, head, entries: [] },
      ]),
    );
    for (const message of newer) answer[message.room].entries.push(entry(message));
    return { rooms: answer };
  },
};

const io = serve({
  commands,
  application: express(),
  rooms: async (user) => {
    const mine = await memberships.find({ user }).toArray();
    const read = new Map(mine.map((one) => [one.room, one.read]));
    const ids = [...read.keys()];
    const newest = await rooms
      .find({ _id: { $in: ids } })
      .sort({ lastAt: -1 })
      .limit(50)
      .toArray();
    const shown = newest.map(({ _id, kind, title, head, last }) => ({
      ...{ room: _id, epoch: EPOCH, kind, title, head, last },
      me: { role: "member", state: "member", read: read.get(_id), unread: head - read.get(_id) },
    }));
    return { ids, newest: shown };
  },
});
