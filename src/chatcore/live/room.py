"""A live room: one task that appends, catches up and delivers. The rules are in ``docs/live.md``."""

import logging
from collections import deque
from collections.abc import Container, Mapping, Sequence

import anyio
from attrs import evolve as changed

from ..domain.decider import AppendCommand, Facts, decide, evolve
from ..domain.entries import Deleted, Edited, Entry, Reacted
from ..domain.state import RoomState
from ..errors import ChatError, Internal, Unavailable
from ..ids import Key, RoomId, Seq, UserId
from ..ports.connection import Bye, Push
from .command_queue import CommandDone, CommandQueue, PendingCommand, outcome_of
from .entry_buffer import EntryBuffer
from .event_loop import current_time
from .facts import gather, hold
from .live_sockets import LiveSocket
from .pushes import MarkerPush, Room
from .room_context import RoomContext
from .subscriptions import RoomPosition, Subscription, Subscriptions

MISSING_MAX = 200
"""A follower that lacks more than this is cut as slow: paging brings it up again."""
BATCH_MAX = 500
STEP_S = 5
"""Seconds until a step is given up. Between two points at which it makes progress a step asks the store at most twice,
and a store answers within 2 s: a step takes longer only where the store breaks that promise."""
PAUSE_MIN_S, PAUSE_MAX_S = 0.02, 0.5

log = logging.getLogger(__name__)


class LiveRoom:
    """One room on this node. ``head`` is the last entry processed here, ``known`` the highest seq that anything told.

    At most one task runs per room; it alone changes head and state. Everybody else adds a follower, adds a command
    or raises ``known``, and wakes it.
    """

    def __init__(self, room: RoomId, around: RoomContext) -> None:
        self.room = room
        self.head: Seq | None = None
        self.started: Seq | None = None
        """The head at which this object began: what it has not seen pass lies at or below."""
        self.known: Seq = 0
        self._followers = Subscriptions(room)
        self._around = around
        self._state: RoomState | None = None
        self._state_ahead: RoomState | None = None
        self._tail = EntryBuffer()
        self._waiting = CommandQueue()
        self._behind: deque[Subscription] = deque()
        self._hinted: Entry | None = None
        self._unsure = False
        self._running = False
        self._pause = PAUSE_MIN_S

    # What others may do.

    def submit(self, waiting: PendingCommand) -> None:
        """Queue a command; it is answered exactly once."""
        self._waiting.append(waiting)
        self._wake()

    def has_queued(self, socket: LiveSocket) -> bool:
        """Return whether a command of ``socket`` is queued and not answered."""
        return self._waiting.has_of(socket)

    def follow(self, socket: LiveSocket, place: RoomPosition, known: Seq) -> None:
        """Give the socket every entry above its place, once and in order. ``known`` is the highest seq told with it."""
        follower = self._followers.add(socket, place)
        socket.rooms[self.room] = self
        if self.head is None:
            self.head = self.started = place.after
        elif place.after < self.head:
            self._behind.append(follower)
        self.raise_known(max(place.after, known))
        self._wake()

    def unfollow(self, socket: LiveSocket) -> RoomPosition:
        """Stop following; the place up to which the socket was served."""
        del socket.rooms[self.room]
        place = self._followers.remove(socket)
        self._rest()
        return place

    def will_tell(self, socket: LiveSocket, since: Seq) -> bool:
        """Whether the socket follows, and has heard or will hear of its user's standing since ``since``: one who is no
        member any more may still stand here behind that."""
        place = self._followers.place(socket)
        return place is not None and (place.member or place.after < since)

    def raise_known(self, seq: Seq, entry: Entry | None = None) -> None:
        """Somebody said that the room has reached ``seq``; ``entry`` is the one there, where it came along."""
        if seq > self.known:
            self.known = seq
            self._hinted = entry
            self._wake()

    def tell(self, moved: MarkerPush, *, everyone: bool, but: LiveSocket | None) -> None:
        """Push a marker: to its user's sockets, ``but`` one, with what is for the user alone; and to ``everyone``."""
        own, others = Push("marker", moved), Push("marker", changed(moved, unread=None))
        for follower in tuple(self._followers):
            if not follower.member:
                continue
            if follower.socket.user == moved.user:
                if follower.socket is not but:
                    follower.socket.connection.send(own)
            elif everyone:
                follower.socket.connection.send(others)

    def expire(self, now: float) -> float | None:
        """Fail the commands whose deadline has passed. Returns the first deadline of those that are left, if any."""
        return self._waiting.expire(now)

    def fail(self, error: ChatError) -> None:
        """Answer all that waits with an error."""
        self._waiting.fail(error)

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
        step = self._step
        while self._pending():
            try:
                await step()
            except Unavailable:
                await self._hold()
            except Exception:
                log.exception("room %s: its task failed and starts again from the store", self.room)
                self._state = self._state_ahead = None
                self._behind.extend(self._followers)  # head may have passed an entry that was not delivered
                self.fail(Internal())
                await self._hold()
            step = self._step_with_limit
        self._running = False
        self._rest()

    async def _step_with_limit(self) -> None:
        """Take a step, and give it up after `STEP_S`, in case the store never answers.

        The first step of a run has no limit: a scope costs 10 % of a command, and a store answers within 2 s.
        """
        with anyio.CancelScope(deadline=current_time() + STEP_S):
            await self._step()

    async def _step(self) -> None:
        if self._behind and self.head is not None:
            await self._fill(self.head)
        elif self.head is not None and (self._unsure or self._lags()):
            await self._catch_up(self.head)
        elif self._waiting and (state := await self._load()):
            await self._serve(state)

    async def _hold(self) -> None:
        """Wait a little after a fault, longer each time until a write succeeds."""
        await anyio.sleep(self._pause)
        self._pause = min(2 * self._pause, PAUSE_MAX_S)

    def _rest(self) -> None:
        """Where nothing is left to do, drop followers who did not become members, and end where nobody follows."""
        if self._running or self._pending():
            return
        for socket in self._followers.outsiders():
            del socket.rooms[self.room]
            self._followers.remove(socket)
        if not self._followers:
            self._around.idle(self)

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
            raise Unavailable("The store returned an older state than before.")
        if state.head == self.head:
            self._state = state
        else:
            self._state_ahead = state
        self.known = max(self.known, state.head)
        return None if self._lags() else self._state

    async def _apply(self, entries: Sequence[Entry]) -> None:
        """Take the room over entries that follow its head: answers first, then everyone who stands just before."""
        rooms: Mapping[UserId, Room] = {}
        if any(entry.affects for entry in entries):
            self._admit(entries)
            # For everyone with a socket here: who connects, or whose `sync` ends, may begin to follow while it is read.
            rooms = await self._announcements(entries, self._around.users)
        for entry in entries:
            self._waiting.finish_from(entry)
            self._advance(entry)
            self._followers.deliver(entry, rooms)

    def _admit(self, entries: Sequence[Entry]) -> None:
        """Let every socket here of a user whose membership changes follow, or note it where the socket can't yet."""
        for entry in entries:
            for user in entry.affects:
                if live := self._around.users.get(user):
                    for socket in tuple(live.sockets.values()):
                        if not socket.note_join(self.room, entry.seq) and socket not in self._followers:
                            self.follow(socket, RoomPosition(entry.seq - 1, member=False), known=entry.seq)

    async def _announcements(self, entries: Sequence[Entry], users: Container[UserId]) -> Mapping[UserId, Room]:
        """The room as each of ``users`` sees it now who belongs to it by ``entries``."""
        joining = sorted({user for entry in entries for user in entry.affects if user in users})
        if not joining:
            return {}
        store = self._around.store
        views = await store.views(self.room, joining)
        return {
            user: Room(user=user, epoch=store.epoch, view=view)
            for user, view in views.items()
            if view.member and view.member.standing != "banned"
        }

    def _advance(self, entry: Entry) -> None:
        self.head = entry.seq
        self.known = max(self.known, entry.seq)
        if isinstance(entry.event, Edited | Deleted | Reacted):
            self._waiting.forget(entry.event.target, entry.seq)
        self._tail.append(entry)
        if self._state is not None:
            self._state = evolve(self._state, entry)
        elif self._state_ahead is not None and self._state_ahead.head == entry.seq:
            self._state, self._state_ahead = self._state_ahead, None

    # Filling.

    async def _fill(self, head: Seq) -> None:
        """Bring the followers below head up to it."""
        while self._behind:
            follower = self._behind[0]
            if self._followers.stands(follower):
                await self._fill_one(follower, head)
            self._behind.popleft()

    async def _fill_one(self, follower: Subscription, head: Seq) -> None:
        if head - follower.at > MISSING_MAX:
            follower.socket.connection.close(Bye(code="slow"))
            return
        missing = await self._between(follower.at, head)
        rooms = await self._announcements(missing, (follower.socket.user,))
        self._followers.fill(follower, missing, rooms)

    async def _between(self, after: Seq, upto: Seq) -> Sequence[Entry]:
        """The entries above ``after`` up to ``upto``, which is not above head: from the tail, or from the store."""
        remembered = self._tail.between(after, upto)
        if remembered is not None:
            return remembered
        news = await self._around.store.read_on(self.room, after, upto - after)
        return news.entries

    # Deciding.

    async def _serve(self, state: RoomState) -> None:
        """Append what the waiting commands come to, up to the first that writes nothing; or answer such ones."""
        seen = await gather(self._waiting, state, self._around.store, self._around.directory)
        if seen > state.head:
            self.known = max(self.known, seen)
            return
        batch = self._decide_batch(state)
        if batch:
            await self._append(batch)
        else:
            await self._settle(state)

    def _decide_batch(self, state: RoomState) -> list[tuple[PendingCommand, Entry]]:
        batch: list[tuple[PendingCommand, Entry]] = []
        keys: set[tuple[UserId, Key]] = set()
        touched: set[Seq | None] = set()
        head = state.head
        for waiting in self._waiting:
            command = waiting.command
            if isinstance(command, ChatError) or len(batch) == BATCH_MAX or not hold(waiting, command, head):
                break
            # What an undurable entry of this batch touches is decided once that entry is durable.
            if (waiting.user, waiting.key) in keys or command.target in touched:
                break
            if batch:
                state = evolve(state, batch[-1][1])
            entry = self._decide(state, waiting, command)
            if not isinstance(entry, Entry):
                break
            batch.append((waiting, entry))
            keys.add((waiting.user, waiting.key))
            touched |= {entry.seq, command.target} if command.changes_target else {entry.seq}
        return batch

    def _decide(self, state: RoomState, waiting: PendingCommand, command: AppendCommand) -> Entry | ChatError | None:
        facts, around = waiting.facts or Facts(), self._around
        try:
            outcome = decide(state, facts, waiting.user, command, waiting.key, around.now(), around.rules)
        except Exception:
            log.exception("room %s: a command could not be decided", self.room)
            return Internal()
        if waiting.limited and isinstance(outcome, Entry):
            if refusal := around.room_refusal(self.room):
                return refusal
            waiting.limited = False
        return outcome

    async def _append(self, batch: Sequence[tuple[PendingCommand, Entry]]) -> None:
        began = current_time()
        tried = [waiting.tried_above for waiting, _ in batch]
        for waiting, entry in batch:
            if waiting.tried_above is None or entry.seq <= waiting.tried_above:
                waiting.tried_above = entry.seq - 1
        self._unsure = True
        appended = await self._around.store.append([entry for _, entry in batch])
        self._unsure = False
        self._pause = PAUSE_MIN_S
        written = [entry for _, entry in batch[: appended.written]]
        left = batch[appended.written :]
        for (waiting, _), before in zip(left, tried[appended.written :], strict=True):
            waiting.tried_above = before
        if written:
            self.known = max(self.known, written[-1].seq)
            self._around.publish(written)
            await self._apply(written)
        if left and appended.taken:
            self._meet(*left[0], appended.taken)
        elif left:
            self.known = max(self.known, left[0][1].seq)
            took = current_time() - began
            await anyio.sleep(self._around.uniform(0, min(2 * took, PAUSE_MAX_S)))

    def _meet(self, waiting: PendingCommand, entry: Entry, taken: Entry) -> None:
        """The key of ``waiting`` stands in ``taken``: an answer now, or when the room has come so far."""
        self.known = max(self.known, taken.seq)
        if taken.seq < entry.seq and not waiting.answered and not isinstance(waiting.command, ChatError):
            self._waiting.finish(waiting, outcome_of(waiting, waiting.command, taken))

    async def _settle(self, state: RoomState) -> None:
        """Answer the first commands that write nothing, once the store has shown that nothing lies above ``state``."""
        if self._refuse_first():
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
            if isinstance(waiting.command, ChatError) or not hold(waiting, waiting.command, state.head):
                return
            if entry := news.first.get((waiting.user, waiting.key)):
                self._waiting.finish(waiting, outcome_of(waiting, waiting.command, entry))
                continue
            outcome = self._decide(state, waiting, waiting.command)
            if isinstance(outcome, Entry):
                return
            self._waiting.finish(waiting, outcome or CommandDone(None))

    def _refuse_first(self) -> bool:
        """Answer the refusals before the first command. Returns False where there are none."""
        found = False
        while (first := self._waiting.first()) and isinstance(first.command, ChatError):
            self._waiting.finish(first, first.command)
            found = True
        return found
