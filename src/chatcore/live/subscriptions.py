"""The sockets that follow a room, each at its own place."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from attrs import define, evolve, frozen

from ..domain.entries import Banned, Entry, Invited, Left, Removed, Unbanned
from ..ids import RoomId, Seq, UserId
from ..ports.connection import Push
from .live_sockets import LiveSocket
from .pushes import Room, RoomGone


@frozen
class RoomPosition:
    """Where a socket stands in a room: the seq of the last entry that it has, and whether its user is a member."""

    after: Seq
    member: bool


@define(eq=False)
class Subscription:
    """A socket that gets a room's entries; ``at`` is the seq of the last one that it has, or needs not have."""

    socket: LiveSocket
    at: Seq
    member: bool


class Subscriptions:
    """Who follows a room. One that stops following and follows again is a new follower."""

    def __init__(self, room: RoomId) -> None:
        self._room = room
        self._by_socket: dict[LiveSocket, Subscription] = {}

    def __bool__(self) -> bool:
        return bool(self._by_socket)

    def __contains__(self, socket: LiveSocket) -> bool:
        return socket in self._by_socket

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._by_socket.values())

    def stands(self, follower: Subscription) -> bool:
        """Whether this is still how its socket follows."""
        return self._by_socket.get(follower.socket) is follower

    def add(self, socket: LiveSocket, place: RoomPosition) -> Subscription:
        follower = Subscription(socket, place.after, place.member)
        self._by_socket[socket] = follower
        return follower

    def place(self, socket: LiveSocket) -> RoomPosition | None:
        """Where a socket stands; None where it does not follow."""
        follower = self._by_socket.get(socket)
        return RoomPosition(follower.at, follower.member) if follower else None

    def remove(self, socket: LiveSocket) -> RoomPosition:
        follower = self._by_socket.pop(socket)
        return RoomPosition(follower.at, follower.member)

    def outsiders(self) -> Collection[LiveSocket]:
        """The sockets whose user is not a member, as far as they have come."""
        return [one.socket for one in self if not one.member]

    def deliver(self, entry: Entry, rooms: Mapping[UserId, Room]) -> None:
        """Give an entry to everyone who stands just before it; the push is one for all of them."""
        push = Push("entry", entry)
        before = [follower for follower in self if follower.at == entry.seq - 1]
        if entry.affects:
            for follower in before:
                _pass(follower, entry, push, rooms)
            return
        for follower in before:  # what `_pass` does here: one call less for each of them
            follower.at = entry.seq
            if follower.member:
                follower.socket.connection.send(push)

    def fill(self, follower: Subscription, entries: Sequence[Entry], rooms: Mapping[UserId, Room]) -> None:
        """Take one follower, if it still stands, over the entries that it lacks."""
        if self.stands(follower):
            for entry in entries:
                _pass(follower, entry, Push("entry", entry), rooms)


def _pass(follower: Subscription, entry: Entry, push: Push, rooms: Mapping[UserId, Room]) -> None:
    """Take one follower over one entry, live or filled: its own joining, then as a member the entry, then its removal.

    ``rooms`` has the room as each user sees it who is a member or invited by now: what was undone since is not said.
    """
    follower.at = entry.seq
    if follower.socket.user in entry.affects:
        _change(follower, entry, push, rooms.get(follower.socket.user))
    elif follower.member:
        follower.socket.connection.send(push)


def _change(follower: Subscription, entry: Entry, push: Push, room: Room | None) -> None:
    """The entry changes what the follower's own user is to the room."""
    socket = follower.socket
    match entry.event:
        case Left() | Removed() | Banned():
            if follower.member:
                socket.connection.send(push)
            if follower.member or entry.room in socket.invited:
                _tell_gone(socket, entry)
            follower.member = False
        case Invited() if room and room.standing == "invited":
            socket.invited[entry.room] = entry.seq
            socket.connection.send(Push("room", room))
        case Invited() | Unbanned():
            pass
        case _:
            if not follower.member and room and room.standing == "member":
                follower.member = True
                socket.invited.pop(entry.room, None)
                socket.connection.send(Push("room", evolve(room, announced_at=entry.seq - 1)))
            if follower.member:
                socket.connection.send(push)


def _tell_gone(socket: LiveSocket, entry: Entry) -> None:
    socket.invited.pop(entry.room, None)
    socket.gone[entry.room] = entry.seq
    socket.connection.send(Push("room.gone", RoomGone(entry.room)))
