"""How far users have said to have read, and how far they have been told that they have."""

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, field

from ...ids import RoomId, Seq, UserId
from ...protocol import Object

POSITIONS = ("read", "delivered")


@define(eq=False)
class Marks:
    """``told`` has, by user and room, positions that no later answer may fall behind; ``asked`` those that none passes
    but by joining. ``unread_from`` are the seqs that were ever given as that."""

    told: dict[UserId, dict[RoomId, Mapping[str, Seq]]] = field(factory=dict)
    asked: dict[UserId, dict[RoomId, Mapping[str, Seq]]] = field(factory=dict)
    unread_from: dict[tuple[UserId, RoomId], set[Seq]] = field(factory=dict)

    def begins(self, user: UserId, event: str, data: object) -> None:
        """A node gets a command: what a mark asks for may come about from here on."""
        match event, data:
            case "mark", {"room": str(room), **fields}:
                read = _seq(fields, "read")
                _raise(self.asked, user, room, {"read": read, "delivered": max(read, _seq(fields, "delivered"))})
                self.unread_from.setdefault((user, room), set()).add(_seq(fields, "unread_from"))
            case _:
                pass

    def ends(self, user: UserId, event: str, data: object, answer: Object) -> None:
        """A command has its answer."""
        for room, me in marks_in(event, data, answer):
            _raise(self.told, user, room, me)


def marks_in(event: str, data: object, answer: Object) -> Iterator[tuple[RoomId, Object]]:
    """Where an answer tells one's own positions: each room with the object that holds them."""
    match event, data:
        case "mark", {"room": str(room)}:
            found = [(room, answer)]
        case "sync", _:
            found = [(room, one["me"]) for room, one in answer["rooms"].items() if "me" in one]
        case "rooms", _:
            found = [(one["room"], one["me"]) for one in answer["rooms"]]
        case "room.get", _:
            found = [(answer["room"], answer.get("me", {}))]
        case _:
            found = []
    return ((room, me) for room, me in found if "read" in me)


def _raise(
    held: dict[UserId, dict[RoomId, Mapping[str, Seq]]], user: UserId, room: RoomId, positions: Mapping[str, Seq]
) -> None:
    rooms = held.setdefault(user, {})
    before = rooms.get(room, {})
    rooms[room] = {name: max(before.get(name, 0), positions[name]) for name in POSITIONS}


def _seq(data: Mapping[Any, object], name: str) -> Seq:
    value = data.get(name)
    return value if isinstance(value, int) else 0
