"""What each client holds at the end, against what somebody sees who comes now and reads everything."""

import asyncio
from collections.abc import Mapping, Sequence

from ...chat import Chat
from ...commands.reading import History
from ...commands.rooms import GetRoom
from ...ids import RoomId, Seq, UserId
from ...protocol import Object, answer_object, entry_object
from .client import Client
from .logs import Log, Logs
from .world import World

LAID = ("kind", "title", "peer", "head")
"""What entries keep up to date of a Room that was shown once to a member."""
SYNC_S = 1


async def judge_clients(world: World, chat: Chat, clients: Sequence[Client], logs: Logs) -> None:
    """What clients that are online hold equals the store: at once, but for markers, whose hints may be lost; these
    after a `sync`."""
    here = [client for client in clients if client.wanted]
    for client in here:
        for number, data in client.open.items():
            world.fault(f"{client.user} still waits for {number}: {data}")
    fresh = {user: await _fresh(world, chat, user, logs) for user in dict.fromkeys(one.user for one in here)}
    for client in here:
        _compare(world, client, fresh[client.user])
        if _differing_marks(client, fresh[client.user]):
            world.excuse("a marker differs until the next sync: its hint may have been lost")
        client.sync([])
    await asyncio.sleep(SYNC_S)
    for client in here:
        for name in _differing_marks(client, fresh[client.user]):
            world.fault(
                f"{client.device} holds {client.held[name].room} of {name}, where {fresh[client.user][name][0]} is"
            )


async def _fresh(
    world: World, chat: Chat, user: UserId, logs: Logs
) -> Mapping[RoomId, tuple[Object, dict[Seq, Object]]]:
    """Each room of a user: as it is shown to who comes now, and its whole history for a member."""
    found: dict[RoomId, tuple[Object, dict[Seq, Object]]] = {}
    for log in logs:
        member = log.states[-1].members.get(user)
        if member and member.standing != "banned":
            room = answer_object(await chat.execute(user, GetRoom(room=log.room)))
            history = await _history(chat, user, log.room) if member.standing == "member" else {}
            found[log.room] = room, history
            if history and history != _due(log, user):
                world.fault(f"the history of {log.room} is not its log")
    return found


def _due(log: Log, user: UserId) -> dict[Seq, Object]:
    seqs = range(1, log.head + 1)
    return {seq: entry_object(log.messages.present(seq, log.head, user)) for seq in seqs}


async def _history(chat: Chat, user: UserId, room: RoomId) -> dict[Seq, Object]:
    """A room as somebody sees it who comes now and pages through all of it."""
    found: dict[Seq, Object] = {}
    anchor: Seq | str = "oldest"
    while True:
        page = await chat.execute(user, History(room=room, anchor=anchor, after=150))
        found.update((entry.seq, entry_object(entry)) for entry in page.entries)
        if not page.has_after:
            return found
        anchor = page.entries[-1].seq


def _compare(world: World, client: Client, fresh: Mapping[RoomId, tuple[Object, dict[Seq, Object]]]) -> None:
    for name in sorted(fresh.keys() ^ client.held.keys()):
        held = client.held[name].room if name in client.held else "nothing"
        world.fault(f"{client.device} shows {held} of {name}, where {fresh.get(name, 'nothing')} is")
    for name in sorted(fresh.keys() & client.held.keys()):
        room, history = fresh[name]
        held_room, held_history = client.held[name].room, client.held[name].history()
        if held_history != history:
            world.fault(f"{client.device} holds of {name} {held_history} where {history} is")
        if history and "kind" not in held_room:
            world.excuse("a client knows a room from a sync alone, which names no kind and no title")
        elif history and any(held_room.get(field) != room.get(field) for field in LAID):
            world.fault(f"{client.device} shows {held_room} of {name}, where {room} is")
        if [held_room["me"][field] for field in ("role", "state")] != [
            room["me"][field] for field in ("role", "state")
        ]:
            world.fault(f"{client.device} takes itself for {held_room['me']} in {name}, where {room['me']} is")


def _differing_marks(client: Client, fresh: Mapping[RoomId, tuple[Object, dict[Seq, Object]]]) -> list[RoomId]:
    """The rooms of which a client holds other markers than the store."""
    differing: list[RoomId] = []
    for name in sorted(fresh.keys() & client.held.keys()):
        held, (room, _) = client.held[name].room, fresh[name]
        if (held["me"], held.get("markers")) != (room["me"], room.get("markers")):
            differing.append(name)
    return differing
