"""The subscriptions to a room, and the pushes to each of them."""

from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve

from ..domain.entries import Banned, Entry, Invited, Left, Removed, Unbanned
from ..ids import RoomId, UserId
from ..ports.pushes import Push, Room, RoomGone
from .live_sockets import LiveSocket, Subscription


class Subscriptions:
    """The subscriptions to a room. A socket that subscribes again gets a new subscription."""

    __slots__ = ("_by_socket", "_number", "_room")

    def __init__(self, room: RoomId) -> None:
        self._room = room
        self._by_socket: dict[LiveSocket, Subscription] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._by_socket)

    def __contains__(self, subscription: Subscription) -> bool:
        return self._by_socket.get(subscription.socket) is subscription

    def __iter__(self) -> Iterator[Subscription]:
        """Iterate over a copy: a push may end a connection, and with it a subscription."""
        return iter(tuple(self._by_socket.values()))

    def add(self, subscription: Subscription) -> None:
        """Add a subscription."""
        self._number += 1
        subscription.number = self._number
        self._by_socket[subscription.socket] = subscription
        subscription.socket.subscriptions[self._room] = subscription

    def remove(self, subscription: Subscription) -> None:
        """Remove a subscription."""
        del self._by_socket[subscription.socket]
        del subscription.socket.subscriptions[self._room]

    def deliver(self, entry: Entry, rooms: Mapping[UserId, Room]) -> None:
        """Push an entry to every subscription at the seq before it. All sockets get the same push object."""
        push, seq, affects = Push("entry", entry), entry.seq, entry.affects
        for subscription in self:
            if subscription.seq != seq - 1:
                continue
            if affects:
                _advance(subscription, entry, push, rooms)
                continue
            subscription.seq = seq  # the same as `_advance`, with one call less for each subscription
            if subscription.member:
                subscription.socket.connection.send(push)

    def fill(self, subscription: Subscription, entries: Sequence[Entry], rooms: Mapping[UserId, Room]) -> None:
        """Push the entries that a subscription lacks, unless it has ended."""
        if subscription in self:
            for entry in entries:
                _advance(subscription, entry, Push("entry", entry), rooms)


def _advance(subscription: Subscription, entry: Entry, push: Push, rooms: Mapping[UserId, Room]) -> None:
    """Advance a subscription by one entry.

    A join pushes `room` before the entry, and an ended membership pushes `room.gone` after it.

    Args:
        rooms: the present view of each affected user who is a member or invited. A change that a later entry has
            undone is not pushed.
    """
    subscription.seq = entry.seq
    if subscription.socket.user in entry.affects:
        _change_membership(subscription, entry, push, rooms.get(subscription.socket.user))
    elif subscription.member:
        subscription.socket.connection.send(push)


def _change_membership(subscription: Subscription, entry: Entry, push: Push, room: Room | None) -> None:
    """Push an entry that changes the membership of the subscription's user."""
    socket = subscription.socket
    match entry.event:
        case Left() | Removed() | Banned():
            if subscription.member:
                socket.connection.send(push)
            if subscription.member or entry.room in socket.invited:
                _push_gone(socket, entry)
            subscription.member = False
            subscription.typists = ()
        case Invited() if room and room.state == "invited":
            socket.invited[entry.room] = entry.seq
            socket.connection.send(Push("room", room))
        case Invited() | Unbanned():
            pass
        case _:
            if not subscription.member and room and room.state == "member":
                subscription.member = True
                socket.invited.pop(entry.room, None)
                socket.connection.send(Push("room", evolve(room, announced_at=entry.seq - 1)))
            if subscription.member:
                socket.connection.send(push)


def _push_gone(socket: LiveSocket, entry: Entry) -> None:
    socket.invited.pop(entry.room, None)
    socket.gone_pushed[entry.room] = entry.seq
    socket.connection.send(Push("room.gone", RoomGone(entry.room)))
