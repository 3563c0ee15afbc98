"""Who types now: at most one push per room in 500 ms, of at most 5 users. Nothing of it is stored."""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import count, islice
from math import inf
from typing import Final, TypeAlias

import anyio
from attrs import define, field

from ..domain.blocks import BlockedPair
from ..domain.entries import Banned, Entry, Left, Message, Removed
from ..errors import Unavailable
from ..ids import RoomId, UserId
from ..ports.blocks import Blocks
from ..ports.bus import TypingHint
from ..ports.pushes import Push, TypingPush
from .background import Background
from .event_loop import current_time
from .live_sockets import LiveSocket, Subscription

TYPING_S = 6
"""Seconds after the last ``on`` at which typing ends."""
INTERVAL_S = 0.5
"""Seconds between two pushes of a room, two hints of a user in a room, and two reads of blocks for a room."""
SHOWN_MAX = 5
"""The most users of a push."""
TYPISTS_MAX = 10
"""The most typists of a room. Another user's typing counts from the first ``on`` for which there is a place."""
SOCKET_ROOMS_MAX = 10
"""The most rooms in which a socket may begin to type within 500 ms, or type at a time. Further ones are ignored."""
KNOWN_S = 10
"""Seconds after the end of typing for which the user's blocks are known. They are read again if it begins later."""
KNOWN_MAX = 50
"""The most users of a room whose blocks are known."""
IDLE_MAX = 10_000
"""The most rooms without typists that are remembered for the blocks of their last typists."""
PAIRS_MAX = 1_000
"""The most pairs of users in one read of blocks."""

Source: TypeAlias = LiveSocket | str | None
"""What said last that a user types: a socket of this node, another node by its id, or None for the host."""

log: Final = logging.getLogger(__name__)


@define(eq=False)
class _Typist:
    """A user who types in a room, or typed there within the last 10 s.

    Attributes:
        until: the time at which typing ends.
        asked: the highest number of the subscriptions for which ``blocked`` is complete.
        blocked: subscribed users of whom one has blocked the other.
        known_until: the time at which this is forgotten, if the user does not type.
        hint_due: whether other nodes are to be told what has changed, or that the user still types.
        hinted: whether the last hint said that the user types.
        hints_from: the time from which the next hint may be published.
        taken: the node and the number of the last hint that was taken.
    """

    user: UserId
    by: Source = None
    until: float = -inf
    asked: int = 0
    blocked: set[UserId] = field(factory=set)
    known_until: float = -inf
    hint_due: bool = False
    hinted: bool = False
    hints_from: float = -inf
    taken: tuple[str, int] = ("", 0)

    def is_shown_to(self, subscription: Subscription) -> bool:
        """Return whether the subscription's user may see that this one types, as far as blocks are known.

        After a `sync` a socket has a new subscription, and was shown the typists of the old one.
        """
        user = subscription.socket.user
        if user == self.user or user in self.blocked:
            return False
        return subscription.number <= self.asked or self.user in subscription.typists


@define(eq=False)
class _Room:
    """A room with typists, or with such as ended within the last 10 s.

    Attributes:
        typists: those who type, in the order in which they began.
        known: the typists, and further users whose blocks are known, the last beginner last.
        changed: whether subscriptions may lack a push.
        wrote: users who have written or left while a push was due. It is empty while none is.
        pushes_from: the time from which the next push may be sent.
        unasked: whether blocks have to be read before all typists are shown to all subscriptions.
        asking: whether blocks are being read.
        asks_from: the time from which they may be read.
        due: the time of the next look at this room.
    """

    room: RoomId
    typists: dict[UserId, _Typist] = field(factory=dict)
    known: dict[UserId, _Typist] = field(factory=dict)
    changed: bool = False
    wrote: set[UserId] = field(factory=set)
    pushes_from: float = -inf
    unasked: bool = False
    asking: bool = False
    asks_from: float = -inf
    due: float = inf


class Typing:
    """Pushes to the sockets of this node who types, and publishes hints of it.

    All deadlines are those of one task, `run`, which waits for an event while there are none. Methods that note a
    change let it look at the room in the next turn of the event loop; so changes of one turn lead to one push.

    A user is shown to a subscription once their blocks have been read: in chunks, for all subscriptions that came since
    the last read, and at most once in 500 ms. Blocks that are made meanwhile are noted (`note_block`).

    Args:
        members: returns the subscriptions of members to a room on this node, oldest first.
        publish: publishes a hint to other nodes.

    Attributes:
        rooms: the rooms that have or had typists. Callers look here first, and call nothing for other rooms.
        sockets: the sockets that have said that their user types, and when, by room. Other sockets need no `leave`.
    """

    def __init__(
        self,
        background: Background,
        store: Blocks,
        node: str,
        members: Callable[[RoomId], Sequence[Subscription]],
        publish: Callable[[TypingHint], None],
    ) -> None:
        self.rooms: dict[RoomId, _Room] = {}
        self.sockets: dict[LiveSocket, dict[RoomId, float]] = {}
        self._background = background
        self._store = store
        self._node = node
        self._members = members
        self._publish = publish
        self._numbers = count(1)
        self._idle: dict[_Room, None] = {}
        """The rooms without typists, longest first."""
        self._rooms_of: dict[UserId, dict[RoomId, None]] = {}
        """The rooms in which the blocks of a user are known."""
        self._queue: list[tuple[float, int, _Room]] = []
        """When to look at which room: a heap. An entry counts if its time is the ``due`` of its room."""
        self._earlier = anyio.Event()

    # What is said.

    def say(self, room: RoomId, user: UserId, by: LiveSocket | None, *, on: bool) -> None:
        """Take the word of a member. ``on`` False ends only what the same socket has said last."""
        if by is not None and by.ended:
            return
        now = current_time()
        if on:
            if by is None or self._may_say(by, room, user, now):
                self._begin(room, user, by, now, is_local=True)
        elif (found := self.rooms.get(room)) and (typist := found.typists.get(user)) and typist.by is by:
            self._end(found, typist, is_told=True)

    def take_hint(self, hint: TypingHint) -> None:
        """Take the word of another node about a room that is live here."""
        found = self.rooms.get(hint.room)
        typist = found.known.get(hint.user) if found else None
        if typist is not None:
            node, number = typist.taken
            if hint.node == node and hint.number <= number:
                return
            typist.taken = hint.node, hint.number
        if hint.on:
            self._begin(hint.room, hint.user, hint.node, current_time(), is_local=False, number=hint.number)
        elif found and typist and typist.by == hint.node and hint.user in found.typists:
            self._end(found, typist, is_told=False)

    def leave(self, socket: LiveSocket) -> None:
        """End the typing that a socket said last, because the socket has ended."""
        for room in self.sockets.pop(socket, {}):
            if (found := self.rooms.get(room)) and (typist := found.typists.get(socket.user)) and typist.by is socket:
                self._end(found, typist, is_told=True)

    def take_entry(self, entry: Entry) -> None:
        """Take an entry of one of ``rooms`` that was just delivered: it may end typing, or make a user a member."""
        found = self.rooms[entry.room]
        match entry.event:
            case Message():
                ended: Collection[UserId] = (entry.author,)
            case Left() | Removed() | Banned():
                ended = entry.affects
            case _:
                ended = ()
                if entry.affects:
                    self._ask_soon(found)
        for user in ended:
            if typist := found.typists.get(user):
                self._end(found, typist, is_told=True)
        if found.changed:
            found.wrote.update(ended)

    def subscribed(self, room: RoomId, shown: Collection[UserId] = ()) -> None:
        """Let a member who subscribed to ``room``, or whose subscription became a member's, know who types there.

        Args:
            shown: the typists whom an earlier subscription of the socket has shown. They may have ended meanwhile.
        """
        found = self._room(room)
        self._ask_soon(found)
        if shown and not found.typists:
            self._changed(found)

    def note_block(self, user: UserId, other: UserId) -> None:
        """Note that ``user`` may have blocked ``other``: neither sees the other from the next push on."""
        for typist, receiver in ((user, other), (other, user)):
            for room in self._rooms_of.get(typist, ()):
                found = self.rooms[room]
                found.known[typist].blocked.add(receiver)
                if typist in found.typists:
                    self._changed(found)

    def restart(self, room: RoomId) -> None:
        """Note that a room has no subscriptions on this node: later ones are numbered from the beginning."""
        if found := self.rooms.get(room):
            for typist in found.known.values():
                typist.asked = 0

    # Beginning and ending.

    def _may_say(self, socket: LiveSocket, room: RoomId, user: UserId, now: float) -> bool:
        """Return whether a socket may say that its user types, and note when it does."""
        said = self.sockets.setdefault(socket, {})
        if room not in said and len(said) >= SOCKET_ROOMS_MAX:
            for other in tuple(said):
                found = self.rooms.get(other)
                typist = found.typists.get(user) if found else None
                if (typist is None or typist.by is not socket) and said[other] + INTERVAL_S <= now:
                    del said[other]
            if len(said) >= SOCKET_ROOMS_MAX:
                return False
        said[room] = now
        return True

    def _begin(
        self, room: RoomId, user: UserId, by: Source, now: float, *, is_local: bool, number: int | None = None
    ) -> None:
        found = self._room(room)
        typist = found.typists.get(user)
        if typist is None:
            if len(found.typists) >= TYPISTS_MAX:
                return
            typist = self._known(found, user)
            found.typists[user] = typist
            self._idle.pop(found, None)
            self._ask_soon(found)
            self._changed(found)
        typist.by, typist.until = by, now + TYPING_S
        if number is not None and isinstance(by, str):
            typist.taken = by, number
        typist.hint_due, typist.hinted = is_local, typist.hinted and is_local
        self._look_at(found, typist.until)
        if is_local:
            self._look_at(found, max(now, typist.hints_from))

    def _known(self, found: _Room, user: UserId) -> _Typist:
        """Return what is known of a user who begins to type."""
        typist = found.known.pop(user, None)
        if typist is None:
            typist = _Typist(user)
            self._rooms_of.setdefault(user, {})[found.room] = None
            if len(found.known) >= KNOWN_MAX:
                self._forget_user(found, next(other for other in found.known if other not in found.typists))
        found.known[user] = typist
        return typist

    def _end(self, found: _Room, typist: _Typist, *, is_told: bool) -> None:
        """End the typing of a user. ``is_told`` says whether other nodes are told so, if they were told of it."""
        del found.typists[typist.user]
        typist.by, typist.known_until = None, current_time() + KNOWN_S
        typist.hint_due = is_told and typist.hinted
        if not is_told:
            typist.hinted = False
        self._changed(found)
        if not found.typists:
            self._note_idle(found)

    def _note_idle(self, found: _Room) -> None:
        self._idle[found] = None
        if len(self._idle) > IDLE_MAX:
            longest = next(iter(self._idle))
            if not longest.changed:
                self._drop(longest)

    def _room(self, room: RoomId) -> _Room:
        found = self.rooms.get(room)
        if found is None:
            found = self.rooms[room] = _Room(room)
            self._note_idle(found)
        return found

    def _forget_user(self, found: _Room, user: UserId) -> None:
        del found.known[user]
        rooms = self._rooms_of[user]
        del rooms[found.room]
        if not rooms:
            del self._rooms_of[user]

    def _drop(self, found: _Room) -> None:
        for user in tuple(found.known):
            self._forget_user(found, user)
        found.due = inf
        self._idle.pop(found, None)
        del self.rooms[found.room]

    # Looking at rooms when something is due.

    def _changed(self, found: _Room) -> None:
        found.changed = True
        self._look_at(found, max(current_time(), found.pushes_from))

    def _ask_soon(self, found: _Room) -> None:
        if found.typists:
            found.unasked = True
            self._look_at(found, max(current_time(), found.asks_from))

    def _look_at(self, found: _Room, at: float) -> None:
        """Look at a room at the time ``at``, or earlier."""
        if at < found.due:
            found.due = at
            heappush(self._queue, (at, next(self._numbers), found))
            if self._queue[0][2] is found:
                self._earlier.set()

    async def run(self) -> None:
        """Look at the rooms that are due, then wait until another one is."""
        now = current_time()
        while self._queue and self._queue[0][0] <= now:
            at, _, found = heappop(self._queue)
            if at == found.due:
                found.due = inf
                self._look(found, now)
        self._earlier = anyio.Event()
        with anyio.CancelScope(deadline=self._queue[0][0] if self._queue else inf):
            await self._earlier.wait()

    def _look(self, found: _Room, now: float) -> None:
        for typist in tuple(found.typists.values()):
            if typist.until <= now:
                self._end(found, typist, is_told=False)
        for typist in tuple(found.known.values()):
            if typist.hint_due and typist.hints_from <= now:
                self._hint(found, typist, now)
            if typist.user not in found.typists and not typist.hint_due and typist.known_until <= now:
                self._forget_user(found, typist.user)
        if found.changed and found.pushes_from <= now:
            found.changed = False
            if self._push(found):
                found.pushes_from = now + INTERVAL_S
            found.wrote.clear()
        found.unasked = found.unasked and bool(found.typists)
        if found.unasked and not found.asking and found.asks_from <= now:
            found.unasked, found.asking = False, True
            self._background.start(partial(self._ask, found))
        if found.known or found.changed or found.asking:
            found.due = inf
            self._look_at(found, self._next_look(found))
        else:
            self._drop(found)

    def _next_look(self, found: _Room) -> float:
        times = [found.pushes_from if found.changed else inf]
        if found.unasked and not found.asking:
            times.append(found.asks_from)
        for typist in found.known.values():
            times.append(typist.until if typist.user in found.typists else typist.known_until)
            if typist.hint_due:
                times.append(typist.hints_from)
        return min(times)

    def _hint(self, found: _Room, typist: _Typist, now: float) -> None:
        typist.hint_due = False
        on = typist.user in found.typists
        if on or typist.hinted:
            typist.hinted, typist.hints_from = on, now + INTERVAL_S
            self._publish(
                TypingHint(node=self._node, room=found.room, user=typist.user, on=on, number=next(self._numbers))
            )

    def _push(self, found: _Room) -> bool:
        """Push who types to the subscriptions that show something else. Returns whether there were any.

        A client may take a user off its list with the user's message. So the same list is pushed again if one of its
        users has written, and types again, since the last push.
        """
        typists = list(found.typists.values())
        everyone = tuple(typist.user for typist in typists[:SHOWN_MAX])
        apart = found.typists.keys() | set[UserId]().union(*(typist.blocked for typist in typists))
        asked = min((typist.asked for typist in typists), default=inf)
        pushes: dict[tuple[UserId, ...], Push] = {}
        for subscription in self._members(found.room):
            if subscription.socket.user in apart or subscription.number > asked:
                shown = (typist.user for typist in typists if typist.is_shown_to(subscription))
                users = tuple(islice(shown, SHOWN_MAX))
            else:
                users = everyone
            if users == subscription.typists and found.wrote.isdisjoint(users):
                continue
            subscription.typists = users
            push = pushes.get(users)
            if push is None:
                push = pushes[users] = Push("typing", TypingPush(room=found.room, users=users))
            subscription.socket.connection.send(push)
        return bool(pushes)

    # Blocks.

    async def _ask(self, found: _Room) -> None:
        """Read the blocks between the typists of a room and the subscriptions for which they are not known."""
        try:
            for typist in tuple(found.typists.values()):
                await self._ask_for(found, typist)
        except Unavailable:
            found.unasked = True
        except Exception:
            log.exception("blocks not read for typing: room=%s", found.room)
            found.unasked = True
        finally:
            found.asking = False
            found.asks_from = current_time() + INTERVAL_S
            if self.rooms.get(found.room) is found:
                self._changed(found)

    async def _ask_for(self, found: _Room, typist: _Typist) -> None:
        user = typist.user
        new = [subscription for subscription in self._members(found.room) if subscription.number > typist.asked]
        others = {subscription.socket.user: None for subscription in new if subscription.socket.user != user}
        for pairs in _chunks(user, list(others)):
            if found.typists.get(user) is not typist:
                return
            for pair in await self._store.blocks_among(pairs):
                typist.blocked.update(pair)
        typist.blocked.discard(user)
        if new:
            typist.asked = max(typist.asked, *(subscription.number for subscription in new))


def _chunks(user: UserId, others: Sequence[UserId]) -> Iterator[Sequence[BlockedPair]]:
    """Yield the pairs of ``user`` and each of ``others``, in both directions."""
    step = PAIRS_MAX // 2
    for start in range(0, len(others), step):
        some = others[start : start + step]
        yield [*((user, other) for other in some), *((other, user) for other in some)]
