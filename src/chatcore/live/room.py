"""A live room: one task that appends, catches up and delivers. The rules are in ``docs/live.md``."""

import logging
import random
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any

import anyio
from attrs import define, frozen
from attrs import evolve as changed

from ..domain.entries import Entry
from ..domain.rooms import Facts, Intent, decide, evolve
from ..domain.state import RoomState
from ..errors import ChatError, Internal, Unavailable
from ..ids import Key, RoomId, Seq, UserId
from ..ports.connection import Bye, Push
from ..ports.directory import Directory
from ..ports.store import Store
from .pushes import Room
from .user import LiveSocket, LiveUser
from .waiting import Done, Queue, Waiting, outcome_of

TAIL = 64
"""Entries that a room remembers, from which a follower that is a little behind is filled."""
MISSING_MAX = 200
"""A follower that lacks more than this is cut as slow: paging brings it up again."""
BATCH_MAX = 500
DIRECTORY_S = 2
PAUSE_MIN_S, PAUSE_MAX_S = 0.02, 0.5

log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Surroundings:
    """What a live room reaches outside itself; the same for all rooms of a Chat."""

    store: Store
    users: Mapping[UserId, LiveUser]
    now: Callable[[], datetime]
    start: Callable[[Callable[[], Coroutine[Any, Any, None]]], None]
    publish: Callable[[Sequence[Entry]], None]
    idle: Callable[["LiveRoom"], None]
    directory: Directory | None = None


@frozen
class Place:
    """Where a socket stands in a room: the seq of the last entry that it has, and whether its user is a member."""

    after: Seq
    member: bool


@define(eq=False)
class Follower:
    """A socket that gets the room's entries; ``at`` is the seq of the last one that it has, or needs not have."""

    socket: LiveSocket
    at: Seq
    member: bool


class LiveRoom:
    """One room on this node. ``head`` is the last entry processed here, ``known`` the highest seq that anything told.

    At most one task runs per room; it alone changes head and state. Everybody else adds a follower, adds a command
    or raises ``known``, and wakes it.
    """

    def __init__(self, room: RoomId, around: Surroundings) -> None:
        self.room = room
        self.head: Seq | None = None
        self.started: Seq | None = None
        """The head at which this object began: what it has not seen pass lies at or below."""
        self.known: Seq = 0
        self.followers: dict[LiveSocket, Follower] = {}
        self._around = around
        self._state: RoomState | None = None
        self._state_ahead: RoomState | None = None
        self._tail: deque[Entry] = deque(maxlen=TAIL)
        self._waiting = Queue()
        self._behind: list[Follower] = []
        self._hinted: Entry | None = None
        self._unsure = False
        self._running = False
        self._pause = PAUSE_MIN_S

    # What others may do.

    def submit(self, waiting: Waiting) -> None:
        """Queue a command; it is answered exactly once."""
        self._waiting.append(waiting)
        self._wake()

    def follow(self, socket: LiveSocket, after: Seq, *, member: bool, known: Seq) -> None:
        """Give the socket every entry above ``after``, once and in order. ``known`` is the highest seq told with it."""
        follower = Follower(socket, after, member)
        self.followers[socket] = follower
        socket.rooms[self.room] = self
        if self.head is None:
            self.head = self.started = after
        elif after < self.head:
            self._behind.append(follower)
        self.raise_known(max(after, known))

    def unfollow(self, socket: LiveSocket) -> Place:
        """Stop following; the place up to which the socket was served."""
        follower = self.followers.pop(socket)
        del socket.rooms[self.room]
        self._rest()
        return Place(follower.at, follower.member)

    def raise_known(self, seq: Seq, entry: Entry | None = None) -> None:
        """Somebody said that the room has reached ``seq``; ``entry`` is the one there, where it came along."""
        if seq > self.known:
            self.known = seq
            self._hinted = entry
        self._wake()

    # The one task.

    def _wake(self) -> None:
        if not self._running and self._pending():
            self._running = True
            self._around.start(self._run)

    def _pending(self) -> bool:
        return bool(self._waiting or self._behind or self._unsure) or self._lags()

    def _lags(self) -> bool:
        return self.head is not None and self.head < self.known

    async def _run(self) -> None:
        self._pause = PAUSE_MIN_S
        while self._pending():
            try:
                await self._step()
            except Unavailable:
                await self._hold()
            except Exception:
                log.exception("room %s: its task failed and starts again from the store", self.room)
                self._state = self._state_ahead = None
                self._fail_all(Internal())
                await self._hold()
        self._running = False
        self._rest()

    async def _step(self) -> None:
        self._expire()
        if self._behind and self.head is not None:
            await self._fill(self.head)
        elif self.head is not None and (self._unsure or self._lags()):
            await self._catch_up(self.head)
        elif self._waiting and (state := await self._load()):
            await self._serve(state)

    async def _hold(self) -> None:
        """Wait a little after a fault, longer each time until a write succeeds, but not beyond the first deadline."""
        first = self._waiting.first()
        left = first.deadline - anyio.current_time() if first else self._pause
        await anyio.sleep(max(0.0, min(self._pause, left)))
        self._pause = min(2 * self._pause, PAUSE_MAX_S)

    def _rest(self) -> None:
        """Where nothing is left to do, drop followers who did not become members, and end where nobody follows."""
        if self._running or self._pending():
            return
        for follower in [one for one in self.followers.values() if not one.member]:
            del self.followers[follower.socket]
            del follower.socket.rooms[self.room]
        if not self.followers:
            self._around.idle(self)

    def _expire(self) -> None:
        now = anyio.current_time()
        while (first := self._waiting.first()) and first.deadline <= now:
            self._waiting.finish(first, Unavailable())

    def _fail_all(self, error: ChatError) -> None:
        for waiting in self._waiting:
            if not waiting.answered:
                self._waiting.finish(waiting, error)

    # Catching up.

    async def _catch_up(self, head: Seq) -> None:
        told, hinted = self.known, self._hinted
        if hinted and not self._unsure and hinted.seq == told == head + 1:
            await self._apply([hinted])
            return
        news = await self._around.store.read_on(self.room, head, MISSING_MAX)
        self.known = max(self.known, news.head)
        if news.entries:
            await self._apply(news.entries)
        if self.head == news.head:
            self._unsure = False
            if self.known == told:
                # The store has nothing above its head, whoever told of more.
                self.known = news.head

    async def _load(self) -> RoomState | None:
        """The state as of head; None where the store is ahead of head, which is caught up first."""
        if self._state is not None:
            return self._state
        state = await self._around.store.state(self.room)
        if self.head is None:
            self.head = self.started = state.head
        if state.head < self.head:
            raise Unavailable("The store answers with an older state than it had.")
        if state.head == self.head:
            self._state = state
        else:
            self._state_ahead = state
        self.known = max(self.known, state.head)
        return None if self._lags() else self._state

    async def _apply(self, entries: Sequence[Entry]) -> None:
        """Take the room over entries that follow its head: answers first, then everyone who stands just before."""
        self._admit(entries)
        rooms = await self._announcements(entries, self.followers.values())
        for entry in entries:
            self._waiting.finish_from(entry)
            self._advance(entry)
            self._deliver(entry, rooms)

    def _admit(self, entries: Sequence[Entry]) -> None:
        """Let every socket here of a user whose membership changes follow, or note it where the socket can't yet."""
        for entry in entries:
            for user in entry.affects:
                if live := self._around.users.get(user):
                    for socket in tuple(live.sockets.values()):
                        if not socket.note_join(self.room, entry.seq) and socket not in self.followers:
                            self.follow(socket, entry.seq - 1, member=False, known=entry.seq)

    def _advance(self, entry: Entry) -> None:
        self.head = entry.seq
        self.known = max(self.known, entry.seq)
        self._tail.append(entry)
        if self._state is not None:
            self._state = evolve(self._state, entry)
        elif self._state_ahead is not None and self._state_ahead.head == entry.seq:
            self._state, self._state_ahead = self._state_ahead, None

    # Delivering.

    def _deliver(self, entry: Entry, rooms: Mapping[UserId, Room]) -> None:
        push = Push("entry", entry)
        before = entry.seq - 1
        for follower in tuple(self.followers.values()):
            if follower.at == before:
                _pass(follower, entry, push, rooms)

    async def _announcements(self, entries: Sequence[Entry], followers: Collection[Follower]) -> Mapping[UserId, Room]:
        """The room as each user sees it now who becomes a member by one of ``entries`` and has sockets that follow."""
        affected = {user for entry in entries for user in entry.affects}
        joining = affected & {one.socket.user for one in followers if not one.member}
        if not joining:
            return {}
        store = self._around.store
        views = await store.views(self.room, sorted(joining))
        return {
            user: Room(user=user, epoch=store.epoch, view=view)
            for user, view in views.items()
            if view.member and view.member.standing == "member"
        }

    async def _fill(self, head: Seq) -> None:
        """Bring the followers below head up to it, from the tail or the store."""
        while self._behind:
            follower = self._behind[0]
            if self._stands(follower):
                await self._fill_one(follower, head)
            self._behind.pop(0)

    async def _fill_one(self, follower: Follower, head: Seq) -> None:
        if head - follower.at > MISSING_MAX:
            follower.socket.connection.close(Bye(code="slow"))
            return
        missing = await self._between(follower.at, head)
        rooms = await self._announcements(missing, [follower])
        if not self._stands(follower):
            return
        for entry in missing:
            _pass(follower, entry, Push("entry", entry), rooms)

    def _stands(self, follower: Follower) -> bool:
        """Whether this is still how its socket follows: one that stopped and follows again is a new follower."""
        return self.followers.get(follower.socket) is follower

    async def _between(self, after: Seq, head: Seq) -> Sequence[Entry]:
        if self._tail and self._tail[0].seq <= after + 1:
            return [entry for entry in self._tail if entry.seq > after]
        news = await self._around.store.read_on(self.room, after, head - after)
        return news.entries

    # Deciding.

    async def _serve(self, state: RoomState) -> None:
        """Append what the waiting commands come to, up to the first that writes nothing; or answer such ones."""
        await self._gather_facts(state)
        batch = self._decide_batch(state)
        if batch:
            await self._append(batch)
        else:
            await self._settle(state)

    async def _gather_facts(self, state: RoomState) -> None:
        named: dict[Waiting, frozenset[UserId]] = {}
        for waiting in self._waiting:
            if waiting.facts is None and not isinstance(waiting.command, ChatError):
                waiting.facts = Facts()
                if names := waiting.command.wants(state):
                    named[waiting] = frozenset(names)
            if waiting.facts and waiting.facts.target is None:
                await self._find_target(state, waiting, waiting.facts)
        if named and self._around.directory:
            await self._look_up(self._around.directory, named)

    async def _look_up(self, directory: Directory, named: Mapping[Waiting, frozenset[UserId]]) -> None:
        try:
            with anyio.fail_after(DIRECTORY_S):
                exist = await directory(frozenset[UserId]().union(*named.values()))
        except Exception as error:
            if not isinstance(error, ChatError | TimeoutError):
                log.exception("room %s: the directory failed", self.room)
            for waiting in named:
                waiting.command = error if isinstance(error, ChatError) else Unavailable()
            return
        for waiting, names in named.items():
            waiting.facts = changed(waiting.facts or Facts(), unknown_users=names - exist.keys())

    async def _find_target(self, state: RoomState, waiting: Waiting, facts: Facts) -> None:
        target = None if isinstance(waiting.command, ChatError) else waiting.command.target
        if target is not None and target <= state.head:
            found = await self._between(target - 1, target)
            waiting.facts = changed(facts, target=found[0])

    def _decide_batch(self, state: RoomState) -> list[tuple[Waiting, Entry]]:
        batch: list[tuple[Waiting, Entry]] = []
        keys: set[tuple[UserId, Key]] = set()
        head = state.head
        for waiting in self._waiting:
            if isinstance(waiting.command, ChatError) or waiting.facts is None or len(batch) == BATCH_MAX:
                break
            # What an undurable entry of this batch touches is decided once that entry is durable.
            if (waiting.user, waiting.key) in keys or (batch and (waiting.command.target or 0) > head):
                break
            entry = self._decide(state, waiting, waiting.command, waiting.facts)
            if not isinstance(entry, Entry):
                break
            batch.append((waiting, entry))
            keys.add((waiting.user, waiting.key))
            state = evolve(state, entry)
        return batch

    def _decide(self, state: RoomState, waiting: Waiting, command: Intent, facts: Facts) -> Entry | ChatError | None:
        try:
            return decide(state, facts, waiting.user, command, waiting.key, self._around.now())
        except Exception:
            log.exception("room %s: a command could not be decided", self.room)
            return Internal()

    async def _append(self, batch: Sequence[tuple[Waiting, Entry]]) -> None:
        began = anyio.current_time()
        tried = [waiting.tried for waiting, _ in batch]
        for waiting, _ in batch:
            waiting.tried = True
        self._unsure = True
        appended = await self._around.store.append([entry for _, entry in batch])
        self._unsure = False
        self._pause = PAUSE_MIN_S
        written = [entry for _, entry in batch[: appended.written]]
        left = batch[appended.written :]
        for (waiting, _), before in zip(left, tried[appended.written :], strict=True):
            waiting.tried = before
        if written:
            self.known = max(self.known, written[-1].seq)
            self._around.publish(written)
            await self._apply(written)
        if left and appended.taken:
            self._meet(*left[0], appended.taken)
        elif left:
            self.known = max(self.known, left[0][1].seq)
            await anyio.sleep(random.uniform(0, 2 * (anyio.current_time() - began)))

    def _meet(self, waiting: Waiting, entry: Entry, taken: Entry) -> None:
        """The key of ``waiting`` stands in ``taken``: an answer now, or when the room has come so far."""
        self.known = max(self.known, taken.seq)
        if taken.seq < entry.seq and not isinstance(waiting.command, ChatError):
            self._waiting.finish(waiting, outcome_of(waiting, waiting.command, taken))

    async def _settle(self, state: RoomState) -> None:
        """Answer the first commands that write nothing, once the store has shown that nothing lies above ``state``."""
        first = self._waiting.first()
        if first and isinstance(first.command, ChatError):
            self._waiting.finish(first, first.command)
            return
        items = list(self._waiting)[:BATCH_MAX]
        keys = list({(one.user, one.key): None for one in items})
        news = await self._around.store.read_on(self.room, state.head, MISSING_MAX, keys)
        self.known = max(self.known, news.head)
        if news.entries:
            await self._apply(news.entries)
            return
        for waiting in items:
            if waiting.answered:
                continue
            if isinstance(waiting.command, ChatError) or waiting.facts is None:
                return
            if entry := news.first.get((waiting.user, waiting.key)):
                self._waiting.finish(waiting, outcome_of(waiting, waiting.command, entry))
                continue
            outcome = self._decide(state, waiting, waiting.command, waiting.facts)
            if isinstance(outcome, Entry):
                return
            self._waiting.finish(waiting, outcome or Done(None))


def _pass(follower: Follower, entry: Entry, push: Push, rooms: Mapping[UserId, Room]) -> None:
    """Take one follower over one entry, live or filled: its own joining first, and as a member the entry."""
    follower.at = entry.seq
    if entry.affects and not follower.member and (room := rooms.get(follower.socket.user)):
        follower.member = follower.socket.user in entry.affects
        if follower.member:
            follower.socket.connection.send(Push("room", changed(room, announced_at=entry.seq - 1)))
    if follower.member:
        follower.socket.connection.send(push)
