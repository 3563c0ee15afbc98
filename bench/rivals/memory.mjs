// Node and Socket.IO, with nothing stored: who is in which room, and how many messages it had, is in memory.
import { EPOCH, Refused, privateRoom, serve } from "./serving.mjs";

const known = new Map();
const roomsOf = new Map();

function open(id, kind, title, members) {
  const room = { id, kind, title, head: 0, at: Date.now(), members: new Set() };
  known.set(id, room);
  for (const user of members) enter(room, user);
  return room;
}

function enter(room, user) {
  room.members.add(user);
  if (!roomsOf.has(user)) roomsOf.set(user, new Set());
  roomsOf.get(user).add(room);
  io.in(`user:${user}`).socketsJoin(room.id);
}

function view(room) {
  return { room: room.id, epoch: EPOCH, kind: room.kind, title: room.title, head: room.head, members_count: room.members.size };
}

const commands = {
  "room.create": (socket, { kind, title, key }) => view(open(`room-${key}`, kind, title, [socket.data.user])),
  "room.join": (socket, { room }) => {
    if (!known.has(room)) throw new Refused("not_found");
    enter(known.get(room), socket.data.user);
    return {};
  },
  "message.send": (socket, { room, to, body, key }) => {
    const { user } = socket.data;
    const id = room ?? privateRoom(user, to);
    const found = known.get(id) ?? (to && open(id, "private", undefined, [user, to]));
    if (!found?.members.has(user)) throw new Refused("not_found");
    const now = new Date();
    found.at = now.getTime();
    const at = now.toISOString();
    const seq = ++found.head;
    io.to(id).emit("entry", { room: id, seq, kind: "message", author: user, at, key, body, version: 1 });
    return { room: id, epoch: EPOCH, seq, at, duplicate: false };
  },
};

const io = serve({
  commands,
  rooms: (user) => {
    const rooms = [...(roomsOf.get(user) ?? [])];
    const newest = rooms.toSorted((one, other) => other.at - one.at).slice(0, 50);
    return { ids: rooms.map((room) => room.id), newest: newest.map(view) };
  },
});
