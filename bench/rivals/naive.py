"""python-socketio on aiohttp, and pymongo, written straight ahead: each message is numbered, inserted and sent on.

The collections and commands are those of `mongoose.mjs`.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
import socketio
import uvloop
from aiohttp import web
from pymongo import AsyncMongoClient, ReturnDocument, UpdateOne, WriteConcern
from pymongo.errors import DuplicateKeyError

EPOCH = "1"
NOT_FOUND = {"ok": False, "error": {"code": "not_found"}}

Fields = dict[str, Any]

sio: Any = socketio.AsyncServer(async_mode="aiohttp", transports=["websocket"], always_connect=True)  # type: ignore[no-untyped-call]
client: AsyncMongoClient[Fields] = AsyncMongoClient(os.environ["MONGODB"])
database = client.get_default_database(write_concern=WriteConcern("majority", j=True))
users, rooms, memberships, messages = (database[name] for name in ("users", "rooms", "memberships", "messages"))
user_of: dict[str, str] = {}
sockets_of: dict[str, set[str]] = defaultdict(set)


def private_room(one: str, other: str) -> str:
    return "pvt-" + "-".join(sorted((one, other)))


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def entry(message: Mapping[str, Any]) -> Fields:
    fields = ("room", "seq", "author", "at", "key", "body")
    return {**{name: message[name] for name in fields}, "kind": "message", "version": 1}


async def enter(room: str, names: list[str]) -> None:
    writes = [UpdateOne({"user": user, "room": room}, {"$setOnInsert": {"read": 0}}, upsert=True) for user in names]
    await memberships.bulk_write(writes, ordered=False)
    for user in names:
        for sid in sockets_of[user]:
            await sio.enter_room(sid, room)


async def listed(user: str) -> tuple[list[str], list[Fields]]:
    """All rooms of a user, and the newest 50 as the push `ready` shows them."""
    read = {one["room"]: one["read"] async for one in memberships.find({"user": user})}
    newest = rooms.find({"_id": {"$in": list(read)}}).sort("last_at", -1).limit(50)
    shown: list[Fields] = []
    async for room in newest:
        me = {
            "role": "member",
            "state": "member",
            "read": read[room["_id"]],
            "unread": room["head"] - read[room["_id"]],
        }
        kept = {name: room.get(name) for name in ("kind", "title", "head", "last")}
        shown.append({"room": room["_id"], "epoch": EPOCH, **kept, "me": me})
    return list(read), shown


async def connect(sid: str, environ: object, auth: Mapping[str, str]) -> bool:
    try:
        user = jwt.decode(auth["token"], os.environ["SECRET"], ["HS256"])["sub"]
    except (jwt.PyJWTError, KeyError):
        return False
    user_of[sid] = user
    sockets_of[user].add(sid)
    ids, shown = await listed(user)
    for room in ids:
        await sio.enter_room(sid, room)
    await sio.emit("ready", {"user": user, "epoch": EPOCH, "rooms": shown}, to=sid)
    return True


async def disconnect(sid: str, reason: str) -> None:
    if user := user_of.pop(sid, None):
        sockets_of[user].discard(sid)


async def create(sid: str, fields: Fields) -> Fields:
    room = "room-" + fields["key"]
    shown: Fields = {"kind": fields["kind"], "title": fields["title"], "head": 0}
    await rooms.insert_one({"_id": room, **shown, "last_at": now()})
    await enter(room, [user_of[sid]])
    return {"ok": True, "room": room, "epoch": EPOCH, **shown}


async def join(sid: str, fields: Fields) -> Fields:
    if not await rooms.find_one({"_id": fields["room"], "kind": "public"}):
        return NOT_FOUND
    await enter(fields["room"], [user_of[sid]])
    return {"ok": True}


async def send(sid: str, fields: Fields) -> Fields:
    author, key, body = user_of[sid], fields["key"], fields["body"]
    room = fields.get("room") or private_room(author, fields["to"])
    if room not in sio.rooms(sid):
        if "to" not in fields or not await users.find_one({"_id": fields["to"]}):
            return NOT_FOUND
        await rooms.update_one({"_id": room}, {"$setOnInsert": {"kind": "private", "head": 0}}, upsert=True)
        await enter(room, [author, fields["to"]])
    at = now()
    update = {"$inc": {"head": 1}, "$set": {"last_at": at, "last": {"author": author, "body": body[:256], "at": at}}}
    counted = await rooms.find_one_and_update({"_id": room}, update, return_document=ReturnDocument.AFTER)
    assert counted
    message = {"room": room, "seq": counted["head"], "author": author, "at": at, "key": key, "body": body}
    try:
        await messages.insert_one(message)
    except DuplicateKeyError:
        first = await messages.find_one({"room": room, "author": author, "key": key})
        assert first
        return {"ok": True, "room": room, "epoch": EPOCH, "seq": first["seq"], "at": first["at"], "duplicate": True}
    await sio.emit("entry", entry(message), room=room)
    return {"ok": True, "room": room, "epoch": EPOCH, "seq": message["seq"], "at": at, "duplicate": False}


async def history(sid: str, fields: Fields) -> Fields:
    if fields["room"] not in sio.rooms(sid):
        return NOT_FOUND
    newest = messages.find({"room": fields["room"]}).sort("seq", -1).limit(min(fields.get("before", 50), 200))
    entries = [entry(message) async for message in newest][::-1]
    return {"ok": True, "room": fields["room"], "epoch": EPOCH, "head": entries[-1]["seq"], "entries": entries}


async def sync(sid: str, fields: Fields) -> Fields:
    answer: Fields = {}
    for room, cursor in fields["cursors"].items():
        newer = messages.find({"room": room, "seq": {"$gt": cursor["seq"]}}).sort("seq", 1).limit(200)
        entries = [entry(message) async for message in newer]
        head = entries[-1]["seq"] if entries else cursor["seq"]
        answer[room] = {"status": "events", "epoch": EPOCH, "head": head, "entries": entries}
    return {"ok": True, "rooms": answer}


async def main() -> None:
    await memberships.create_index({"user": 1, "room": 1}, unique=True)
    await messages.create_index({"room": 1, "seq": 1}, unique=True)
    await messages.create_index({"room": 1, "author": 1, "key": 1}, unique=True)
    for handler in (connect, disconnect, history, sync):
        sio.on(handler.__name__, handler)
    for name, handler in {"room.create": create, "room.join": join, "message.send": send}.items():
        sio.on(name, handler)
    application = web.Application()
    sio.attach(application)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _, port = runner.addresses[0]
    print(f"listens on http://127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
