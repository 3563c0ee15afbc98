"""The sockets that follow a room, each at its own place."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from attrs import define, evolve, frozen

from ..domain.entries import Entry
from ..ids import RoomId, Seq, UserId
from ..ports.connection import Push
from .pushes import Room
from .user import LiveSocket


@frozen
class Place:
    """Where a socket stands in a room: the seq of the last entry that it has, and whether its user is a member."""

    after: Seq
    member: bool


@define(eq=False)
class Follower:
    """A socket that gets a room's entries; ``at`` is the seq of the last one that it has, or needs not have."""

    socket: LiveSocket
    at: Seq
    member: bool


class Followers:
    """Who follows a room. One that stops following and follows again is a new follower."""

    def __init__(self, room: RoomId) -> None:
        self._room = room
        self._by_socket: dict[LiveSocket, Follower] = {}

    def __bool__(self) -> bool:
        return bool(self._by_socket)

    def __contains__(self, socket: LiveSocket) -> bool:
        return socket in self._by_socket

    def __iter__(self) -> Iterator[Follower]:
        return iter(self._by_socket.values())

    def stands(self, follower: Follower) -> bool:
        """Whether this is still how its socket follows."""
        return self._by_socket.get(follower.socket) is follower

    def add(self, socket: LiveSocket, place: Place) -> Follower:
        follower = Follower(socket, place.after, place.member)
        self._by_socket[socket] = follower
        return follower

    def remove(self, socket: LiveSocket) -> Place:
        follower = self._by_socket.pop(socket)
        return Place(follower.at, follower.member)

    def outsiders(self) -> Collection[LiveSocket]:
        """The sockets whose user is not a member, as far as they have come."""
        return [one.socket for one in self if not one.member]

    def deliver(self, entry: Entry, rooms: Mapping[UserId, Room]) -> None:
        """Give an entry to everyone who stands just before it; the push is one for all of them."""
        push = Push("entry", entry)
        before = entry.seq - 1
        for follower in tuple(self):
            if follower.at == before:
                _pass(follower, entry, push, rooms)

    def fill(self, follower: Follower, entries: Sequence[Entry], rooms: Mapping[UserId, Room]) -> None:
        """Take one follower, if it still stands, over the entries that it lacks."""
        if self.stands(follower):
            for entry in entries:
                _pass(follower, entry, Push("entry", entry), rooms)


def _pass(follower: Follower, entry: Entry, push: Push, rooms: Mapping[UserId, Room]) -> None:
    """Take one follower over one entry, live or filled: its own joining first, then as a member the entry.

    ``rooms`` has the room as each user sees it who is a member by now.
    """
    follower.at = entry.seq
    user = follower.socket.user
    if not follower.member and user in entry.affects and user in rooms:
        follower.member = True
        follower.socket.connection.send(Push("room", evolve(rooms[user], announced_at=entry.seq - 1)))
    if follower.member:
        follower.socket.connection.send(push)
