"""A room's subscriptions, and what is pushed to each."""

from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve

from ..domain.entries import Banned, Entry, Invited, Left, Removed, Unbanned
from ..ids import RoomId, UserId
from ..ports.pushes import Push, Room, RoomGone
from .live_sockets import LiveSocket, Subscription


class Subscriptions:
    """The subscriptions to a room. A socket that ends its subscription and starts again has another one."""

    def __init__(self, room: RoomId) -> None:
        self._room = room
        self._by_socket: dict[LiveSocket, Subscription] = {}

    def __len__(self) -> int:
        return len(self._by_socket)

    def __contains__(self, subscription: Subscription) -> bool:
        return self._by_socket.get(subscription.socket) is subscription

    def __iter__(self) -> Iterator[Subscription]:
        """Goes over a copy: a push may end a connection, and with it a subscription."""
        return iter(tuple(self._by_socket.values()))

    def add(self, subscription: Subscription) -> None:
        self._by_socket[subscription.socket] = subscription
        subscription.socket.subscriptions[self._room] = subscription

    def remove(self, subscription: Subscription) -> None:
        del self._by_socket[subscription.socket]
        del subscription.socket.subscriptions[self._room]

    def deliver(self, entry: Entry, rooms: Mapping[UserId, Room]) -> None:
        """Push an entry to every socket whose subscription stands just before it; all get the same push object."""
        push = Push("entry", entry)
        before = [subscription for subscription in self._by_socket.values() if subscription.seq == entry.seq - 1]
        if entry.affects:
            for subscription in before:
                _advance(subscription, entry, push, rooms)
            return
        for subscription in before:  # what `_advance` does here: one call less for each of them
            subscription.seq = entry.seq
            if subscription.member:
                subscription.socket.connection.send(push)

    def fill(self, subscription: Subscription, entries: Sequence[Entry], rooms: Mapping[UserId, Room]) -> None:
        """Push the entries that one subscription lacks, unless it has ended."""
        if subscription in self:
            for entry in entries:
                _advance(subscription, entry, Push("entry", entry), rooms)


def _advance(subscription: Subscription, entry: Entry, push: Push, rooms: Mapping[UserId, Room]) -> None:
    """Take a subscription over one entry, live or filled: the user's joining first, then the entry, then the removal.

    Args:
        rooms: the room as each user sees it who is a member or invited by now. A change that was undone is not pushed.
    """
    subscription.seq = entry.seq
    if subscription.socket.user in entry.affects:
        _change_membership(subscription, entry, push, rooms.get(subscription.socket.user))
    elif subscription.member:
        subscription.socket.connection.send(push)


def _change_membership(subscription: Subscription, entry: Entry, push: Push, room: Room | None) -> None:
    """Take a subscription over an entry that changes its own user's membership."""
    socket = subscription.socket
    match entry.event:
        case Left() | Removed() | Banned():
            if subscription.member:
                socket.connection.send(push)
            if subscription.member or entry.room in socket.invited:
                _push_gone(socket, entry)
            subscription.member = False
        case Invited() if room and room.standing == "invited":
            socket.invited[entry.room] = entry.seq
            socket.connection.send(Push("room", room))
        case Invited() | Unbanned():
            pass
        case _:
            if not subscription.member and room and room.standing == "member":
                subscription.member = True
                socket.invited.pop(entry.room, None)
                socket.connection.send(Push("room", evolve(room, announced_at=entry.seq - 1)))
            if subscription.member:
                socket.connection.send(push)


def _push_gone(socket: LiveSocket, entry: Entry) -> None:
    socket.invited.pop(entry.room, None)
    socket.gone[entry.room] = entry.seq
    socket.connection.send(Push("room.gone", RoomGone(entry.room)))
