// Node, Express, Socket.IO and mongoose, as a good Node developer would write it for any number of nodes: the rooms of a
// socket say what its user may do, a room's document counts its messages and shows the last one, unique indexes find
// repeated messages, queries are lean and use an index. A message takes two round trips: its number, then the message.
import express from "express";
import mongoose, { Schema } from "mongoose";
import { EPOCH, Refused, privateRoom, serve } from "./serving.mjs";

const DUPLICATE = 11000;
const options = { versionKey: false };

const User = mongoose.model("User", new Schema({ _id: String }, options));
const Room = mongoose.model(
  "Room",
  new Schema(
    {
      _id: String,
      kind: String,
      title: String,
      head: { type: Number, default: 0 },
      lastAt: Date,
      last: new Schema({ author: String, body: String, at: Date }, { _id: false }),
    },
    options,
  ),
);
const Membership = mongoose.model(
  "Membership",
  new Schema({ user: String, room: String, read: { type: Number, default: 0 } }, options).index(
    { user: 1, room: 1 },
    { unique: true },
  ),
);
const Message = mongoose.model(
  "Message",
  new Schema({ room: String, seq: Number, author: String, at: Date, key: String, body: String }, options)
    .index({ room: 1, seq: 1 }, { unique: true })
    .index({ room: 1, author: 1, key: 1 }, { unique: true }),
);

const entry = ({ room, seq, author, at, key, body }) => ({
  ...{ room, seq, kind: "message", author, at, key, body, version: 1 },
});

async function enter(room, users) {
  const writes = users.map((user) => ({
    updateOne: { filter: { user, room }, update: { $setOnInsert: { read: 0 } }, upsert: true },
  }));
  await Membership.bulkWrite(writes, { ordered: false });
  for (const user of users) io.in(`user:${user}`).socketsJoin(room);
}

async function openPrivate(user, to) {
  const id = privateRoom(user, to);
  if (!(await User.exists({ _id: to }))) throw new Refused("not_found");
  await Room.updateOne({ _id: id }, { $setOnInsert: { kind: "private", head: 0 } }, { upsert: true });
  await enter(id, [user, to]);
  return id;
}

const commands = {
  "room.create": async (socket, { kind, title, key }) => {
    const room = `room-${key}`;
    await Room.create({ _id: room, kind, title, lastAt: new Date() });
    await enter(room, [socket.data.user]);
    return { room, epoch: EPOCH, kind, title, head: 0 };
  },
  "room.join": async (socket, { room }) => {
    if (!(await Room.exists({ _id: room, kind: "public" }))) throw new Refused("not_found");
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
    const at = new Date();
    const update = { $inc: { head: 1 }, $set: { lastAt: at, last: { author, body: body.slice(0, 256), at } } };
    const { head } = await Room.findByIdAndUpdate(id, update, { returnDocument: "after", projection: "head", lean: true });
    try {
      const message = await Message.create({ room: id, seq: head, author, at, key, body });
      io.to(id).emit("entry", entry(message));
      return { room: id, epoch: EPOCH, seq: head, at, duplicate: false };
    } catch (error) {
      if (error.code !== DUPLICATE) throw error;
      const first = await Message.findOne({ room: id, author, key }).lean();
      return { room: id, epoch: EPOCH, seq: first.seq, at: first.at, duplicate: true };
    }
  },
  history: async (socket, { room, before = 50 }) => {
    if (!socket.rooms.has(room)) throw new Refused("not_found");
    const page = await Message.find({ room }).sort({ seq: -1 }).limit(Math.min(before, 200)).lean();
    return { room, epoch: EPOCH, head: page[0]?.seq ?? 0, entries: page.reverse().map(entry) };
  },
  sync: async (socket, { cursors }) => {
    const ids = Object.keys(cursors).filter((id) => socket.rooms.has(id));
    const found = await Room.find({ _id: { $in: ids } }, "head").lean();
    const behind = found.filter(({ _id, head }) => head > cursors[_id].seq && head <= cursors[_id].seq + 200);
    const missed = behind.map(({ _id }) => ({ room: _id, seq: { $gt: cursors[_id].seq } }));
    const messages = missed.length ? await Message.find({ $or: missed }).sort({ room: 1, seq: 1 }).lean() : [];
    const rooms = Object.fromEntries(
      found.map(({ _id, head }) => [
        _id,
        { status: head > cursors[_id].seq + 200 ? "gap" : "events", epoch: EPOCH, head, entries: [] },
      ]),
    );
    for (const message of messages) rooms[message.room].entries.push(entry(message));
    return { rooms };
  },
};

await mongoose.connect(process.env.MONGODB, { writeConcern: { w: "majority", j: true } });
await Promise.all([User, Room, Membership, Message].map((model) => model.init()));

const io = serve({
  commands,
  application: express(),
  rooms: async (user) => {
    const memberships = await Membership.find({ user }, "room read").lean();
    const read = new Map(memberships.map((one) => [one.room, one.read]));
    const ids = [...read.keys()];
    const newest = await Room.find({ _id: { $in: ids } })
      .sort({ lastAt: -1 })
      .limit(50)
      .lean();
    const shown = newest.map(({ _id, kind, title, head, last }) => ({
      ...{ room: _id, epoch: EPOCH, kind, title, head, last },
      me: { role: "member", state: "member", read: read.get(_id), unread: head - read.get(_id) },
    }));
    return { ids, newest: shown };
  },
});
