"""A live room: it appends, catches up and pushes. ``docs/live.md`` has the rules."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import anyio
from attrs import evolve as changed

from ..domain.blocks import private_room_pairs
from ..domain.decider import AppendCommand, Facts, decide, evolve
from ..domain.entries import Deleted, Edited, Entry, Reacted
from ..domain.idempotency import CommandDone, outcome_of_used_key
from ..domain.state import RoomState
from ..errors import ChatError, Internal, Unavailable
from ..ids import Key, RoomId, Seq, UserId
from ..ports.entry_log import AppendResult
from ..ports.pushes import Bye, MarkerPush, Push, Room
from .announcements import announcements
from .command_queue import CommandQueue, PendingCommand
from .entry_buffer import EntryBuffer
from .event_loop import current_time
from .facts import facts_hold, gather_facts, note_facts
from .live_sockets import LiveSocket, Subscription
from .room_context import RoomContext
from .subscriptions import Subscriptions

MISSING_MAX = 200
"""A socket that lacks more entries is cut with `bye slow`: its client reads them with `history`."""
BATCH_MAX = 500
"""The most entries of one append."""
STEP_S = 5
"""Seconds until a step is cancelled. A step makes progress after at most two calls of the store, which answers within
2 s: a longer step means that the store breaks its contract."""
PAUSE_MIN_S, PAUSE_MAX_S = 0.02, 0.5
"""The shortest and the longest pause after a failed step, in seconds."""
_NO_COMMANDS: Final = CommandQueue()
_NO_ENTRIES: Final = EntryBuffer()
"""What all rooms share that had no command, or no entry, while they were live: most of those with subscriptions."""

log: Final = logging.getLogger(__name__)


class LiveRoom:
    """A room that this node serves.

    At any time the room waits for its `Appender`, or its task runs, or it rests. Head and state change in no other way.
    Other tasks add a subscription, queue a command or raise ``known``, and wake the room.

    Attributes:
        head: the seq of the last entry that this object has processed.
        started: the head at which this object began. Entries at or below it were not processed here.
        known: the highest seq that a hint, a command or the store has reported.
    """

    __slots__ = (
        "_batch",
        "_behind",
        "_blocks_changes",
        "_commands",
        "_context",
        "_hinted",
        "_pause",
        "_recent_entries",
        "_state",
        "_state_ahead",
        "_subscriptions",
        "_unsure",
        "_working",
        "head",
        "known",
        "room",
        "started",
    )

    def __init__(self, room: RoomId, context: RoomContext) -> None:
        self.room: RoomId = room
        self.head: Seq | None = None
        self.started: Seq | None = None
        self.known: Seq = 0
        self._subscriptions = Subscriptions(room)
        self._context = context
        self._state: RoomState | None = None
        self._state_ahead: RoomState | None = None
        self._recent_entries = _NO_ENTRIES
        self._commands = _NO_COMMANDS
        self._behind: list[Subscription] = []
        self._hinted: Entry | None = None
        self._unsure = False
        """Whether the outcome of a write is unknown."""
        self._batch: Sequence[tuple[PendingCommand, Entry]] = ()
        """The entries that the appender appends, with their commands."""
        self._working = False
        """Whether the room's task runs, or the appender has the room."""
        self._pause = PAUSE_MIN_S
        self._blocks_changes = 0

    # Called by other tasks.

    def submit(self, pending: PendingCommand) -> None:
        """Queue a command. It is answered exactly once."""
        if self._commands is _NO_COMMANDS:
            self._commands = CommandQueue()
        if self._commands.append(pending) == 1:
            self._context.has_commands(self.room)
        if not self._working:
            self._start_work()

    def has_queued(self, socket: LiveSocket) -> bool:
        """Return whether a command of ``socket`` is pending."""
        return self._commands.has_from(socket)

    def subscribe(self, subscription: Subscription, known: Seq) -> None:
        """Push every entry above the subscription's seq to its socket, once and in order.

        Args:
            known: the highest reported seq, not below the subscription's.
        """
        self._subscriptions.add(subscription)
        head, seq = self.head, subscription.seq
        if head is None:
            head = self.head = self.started = seq
        elif seq < head:
            self._behind.append(subscription)
        if known > self.known or seq > self.known:
            self.known, self._hinted = max(seq, known), None
        if self._behind or head < self.known:
            self._wake()

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""
        self._subscriptions.remove(subscription)
        if not (self._working or self._pending()):
            self._drop_if_unused()

    def raise_known(self, seq: Seq, entry: Entry | None = None) -> None:
        """Note that the room has reached ``seq``. ``entry`` is the entry at ``seq`` if it is known."""
        if seq > self.known:
            self.known = seq
            self._hinted = entry
            self._wake()

    def note_block(self) -> None:
        """Forget the state: one of the two users of this private room may have blocked the other since it was read."""
        self._blocks_changes += 1
        self._state = self._state_ahead = None

    def members(self) -> Sequence[Subscription]:
        """Return the subscriptions of members, oldest first."""
        return [subscription for subscription in self._subscriptions if subscription.member]

    def push_marker(self, push: MarkerPush, *, everyone: bool, but: LiveSocket | None) -> None:
        """Push a marker to its user's sockets except ``but``; if ``everyone``, to others without ``unread``."""
        own, others = Push("marker", push), Push("marker", changed(push, unread=None))
        for subscription in self._subscriptions:
            if not subscription.member:
                continue
            socket = subscription.socket
            if socket.user == push.user:
                if socket is not but:
                    socket.connection.send(own)
            elif everyone:
                socket.connection.send(others)

    def expire(self, now: float) -> float | None:
        """Fail expired commands. Returns the first deadline of the commands that are left, if any."""
        return self._commands.expire(now)

    def fail(self, error: ChatError) -> None:
        """Answer all pending commands with an error."""
        self._commands.fail(error)

    def _wake(self) -> None:
        if not self._working and self._pending():
            self._start_work()

    def _start_work(self) -> None:
        self._working = True
        if self._state is not None and self._is_current():
            self._context.appender.add(self)
        else:
            self._context.start(self._run)

    def _pending(self) -> bool:
        return bool(self._commands) or not self._is_current()

    def _is_current(self) -> bool:
        """Return whether every subscription is at head, and head is at the highest seq that is known."""
        return not self._behind and not self._unsure and not self._lags()

    def _lags(self) -> bool:
        return self.head is not None and self.head < self.known

    def _rest(self) -> None:
        self._working = False
        self._pause = PAUSE_MIN_S
        self._drop_if_unused()

    def _drop_if_unused(self) -> None:
        """End the subscriptions of users who are not members, and drop an unused room. The room has no work."""
        for subscription in self._subscriptions:
            if not subscription.member:
                self._subscriptions.remove(subscription)
        if not self._subscriptions:
            self._context.idle(self.room)

    # The room's task.

    async def _run(self, step: Callable[[], Awaitable[None]] | None = None) -> None:
        """Take steps, ``step`` first, until nothing is pending or the appender has a batch."""
        step = step or self._step
        while True:
            try:
                with anyio.CancelScope(deadline=current_time() + STEP_S):
                    await step()
            except Unavailable:
                await self._pause_after_failure()
            except Exception:
                log.exception("room task failed, starts again from the store: room=%s", self.room)
                self._start_over()
                await self._pause_after_failure()
            if self._batch:
                return
            if not self._pending():
                break
            step = self._step
        self._rest()

    def _start_over(self) -> None:
        """Forget what a failed step may have left in disorder."""
        self._state = self._state_ahead = None
        self._behind.extend(self._subscriptions)  # head may have passed an entry that was not delivered
        self.fail(Internal())

    async def _step(self) -> None:
        if self._behind and self.head is not None:
            await self._fill(self.head)
        elif self.head is not None and (self._unsure or self._lags()):
            await self._catch_up(self.head)
        elif self._commands and (state := await self._load()):
            await self._serve(state)

    async def _pause_after_failure(self) -> None:
        """Pause after a failed step. Each pause is twice as long as the last one, until a write succeeds."""
        await anyio.sleep(self._pause)
        self._pause = min(2 * self._pause, PAUSE_MAX_S)

    # Catching up.

    async def _catch_up(self, head: Seq) -> None:
        known, hinted = self.known, self._hinted
        if hinted and not self._unsure and hinted.seq == known == head + 1:
            await self._apply([hinted])
            return
        above = await self._context.store.read_on(self.room, head, MISSING_MAX)
        self.known = max(self.known, above.head)
        if above.entries:
            await self._apply(above.entries)
        if self.head == above.head:
            self._unsure = False
            if self.known == known:
                # A hint reported a seq above the head, but the store has no such entry.
                self.known = above.head

    async def _load(self) -> RoomState | None:
        """Return the state as of head; None if the room has to catch up first, or to read the state again."""
        if self._state is not None:
            return self._state
        blocks_changes = self._blocks_changes
        state = await self._context.store.state(self.room)
        if blocks_changes != self._blocks_changes:
            return None
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
        """Process the entries that follow head: each one answers its command first, then is pushed."""
        rooms: Mapping[UserId, Room] = {}
        if changes := [entry for entry in entries if entry.affects]:
            self._admit(changes)
            # For all users with sockets here: a socket that connects or ends a `sync` may subscribe during this read.
            rooms = await announcements(self._context.store, self.room, changes, self._context.users)
        self._deliver(entries, rooms)

    def _deliver(self, entries: Sequence[Entry], rooms: Mapping[UserId, Room]) -> None:
        typing = self._context.typing
        for entry in entries:
            self._commands.finish_by_key(entry)
            self._advance(entry)
            self._subscriptions.deliver(entry, rooms)
            if self.room in typing.rooms:
                typing.take_entry(entry)

    def _admit(self, entries: Sequence[Entry]) -> None:
        """Subscribe the sockets of users who become members or invited, or defer the join."""
        for entry in entries:
            for user in entry.affects:
                if live := self._context.users.get(user):
                    for socket in tuple(live.sockets.values()):
                        if not socket.defer_join(self.room, entry.seq) and self.room not in socket.subscriptions:
                            self.subscribe(Subscription(socket, entry.seq - 1, member=False), known=entry.seq)

    def _advance(self, entry: Entry) -> None:
        self.head = entry.seq
        self.known = max(self.known, entry.seq)
        match entry.event:
            case Edited() | Deleted() | Reacted():
                self._commands.forget(entry.event.target, entry.seq)
            case _:
                pass
        if self._recent_entries is _NO_ENTRIES:
            self._recent_entries = EntryBuffer()
        self._recent_entries.append(entry)
        if self._state is not None:
            self._state = evolve(self._state, entry)
        elif self._state_ahead is not None and self._state_ahead.head == entry.seq:
            self._state, self._state_ahead = self._state_ahead, None

    # Filling subscriptions that are behind.

    async def _fill(self, head: Seq) -> None:
        """Push to the subscriptions below head the entries that they lack."""
        while self._behind:
            subscription = self._behind[0]
            if subscription in self._subscriptions:
                await self._fill_one(subscription, head)
            del self._behind[0]

    async def _fill_one(self, subscription: Subscription, head: Seq) -> None:
        if head - subscription.seq > MISSING_MAX:
            subscription.socket.connection.close(Bye(code="slow"))
            return
        missing = await self._between(subscription.seq, head)
        rooms = await announcements(self._context.store, self.room, missing, (subscription.socket.user,))
        self._subscriptions.fill(subscription, missing, rooms)
        if self.room in self._context.typing.rooms:
            self._context.typing.subscribed(self.room)

    async def _between(self, after: Seq, upto: Seq) -> Sequence[Entry]:
        """Return the entries above ``after`` up to ``upto``, which is not above head: from memory or from the store."""
        remembered = self._recent_entries.between(after, upto)
        if remembered is not None:
            return remembered
        return (await self._context.store.read_on(self.room, after, upto - after)).entries

    # Deciding.

    async def _serve(self, state: RoomState) -> None:
        """Hand a batch of pending commands to the appender; or answer first commands that append nothing."""
        pending = self._commands.all()
        seen = await gather_facts(pending, state, self._context.store, self._context.directory)
        if seen > state.head:
            self.known = max(self.known, seen)
            return
        self._batch = self._decide_batch(state, self._commands.all())
        if self._batch:
            self._context.appender.add(self)
        else:
            await self._settle(state)

    def _decide_batch(
        self, state: RoomState, commands: Sequence[PendingCommand]
    ) -> Sequence[tuple[PendingCommand, Entry]]:
        """Decide commands up to the first that appends nothing or that depends on an entry of the batch.

        An entry of the batch is not durable yet. A command that uses the same key depends on it. So does a command
        about a message that the batch changes, for which `gather_facts` reads no facts.
        """
        batch: list[tuple[PendingCommand, Entry]] = []
        keys: set[tuple[UserId, Key]] = set()
        head = state.head
        for pending in commands:
            command = pending.command
            if isinstance(command, ChatError) or len(batch) == BATCH_MAX or not facts_hold(pending, head):
                break
            if (pending.user, pending.key) in keys:
                break
            if batch:
                state = evolve(state, batch[-1][1])
            entry = self._decide(state, pending, command)
            if not isinstance(entry, Entry):
                break
            batch.append((pending, entry))
            keys.add((pending.user, pending.key))
        return batch

    def _decide(self, state: RoomState, pending: PendingCommand, command: AppendCommand) -> Entry | ChatError | None:
        facts, context = pending.facts or Facts(), self._context
        try:
            outcome = decide(state, facts, pending.user, command, pending.key, context.now(), context.rules)
        except Exception:
            log.exception("command not decided: room=%s", self.room)
            return Internal()
        if pending.refusal and isinstance(outcome, Entry):
            return pending.refusal
        if pending.uncounted and isinstance(outcome, Entry):
            if refusal := context.room_refusal(self.room):
                return refusal
            pending.uncounted = False
        return outcome

    # Appending.

    def next_batch(self) -> Sequence[Entry]:
        """Return the next entries; see `Appending`. If none can be decided without a read, start the room's task."""
        if not self._batch:
            with suppress(Exception):  # the other rooms go on; the room's task meets the exception again, and logs it
                self._batch = self._decided_at_once()
        if not self._batch:
            self._context.start(self._run)
            return ()
        for pending, entry in self._batch:
            pending.tried_at(entry.seq)
        self._unsure = True
        return [entry for _, entry in self._batch]

    def _decided_at_once(self) -> Sequence[tuple[PendingCommand, Entry]]:
        state = self._state
        if state is None or not self._is_current():
            return ()
        commands = self._commands.all()
        note_facts(commands, state, self._context.directory)
        return self._decide_batch(state, commands)

    def appended(self, outcome: AppendResult | Exception, began: float) -> None:
        """Take the outcome of an append; see `Appending`."""
        batch, self._batch = self._batch, ()
        if not isinstance(outcome, AppendResult) or outcome.written < len(batch):
            self._context.start(partial(self._run, partial(self._finish_append, batch, outcome, began)))
            return
        written = self._note_written(batch)
        if [entry for entry in written if entry.affects]:
            self._context.start(partial(self._run, partial(self._apply, written)))
            return
        try:
            self._deliver(written, {})
        except Exception:
            log.exception("room failed, starts again from the store: room=%s", self.room)
            self._start_over()
            self._context.start(partial(self._run, self._pause_after_failure))
            return
        if self._pending():
            self._start_work()
        else:
            self._rest()

    async def _finish_append(
        self, batch: Sequence[tuple[PendingCommand, Entry]], outcome: AppendResult | Exception, began: float
    ) -> None:
        """Take the outcome of an append that did not write the whole batch."""
        if isinstance(outcome, Exception):
            raise outcome
        for pending, _ in batch[outcome.written :]:
            pending.not_tried()
        written = self._note_written(batch[: outcome.written])
        if written:
            await self._apply(written)
        pending, entry = batch[outcome.written]
        if outcome.taken:
            self._answer_from_taken(pending, entry, outcome.taken)
        else:
            self.known = max(self.known, entry.seq)
            took = current_time() - began
            await anyio.sleep(self._context.uniform(0, min(2 * took, PAUSE_MAX_S)))

    def _note_written(self, batch: Sequence[tuple[PendingCommand, Entry]]) -> Sequence[Entry]:
        """Note that the outcome of the append is known, and publish the entries that were written."""
        self._unsure = False
        self._pause = PAUSE_MIN_S
        written = [entry for _, entry in batch]
        if written:
            self.known = max(self.known, written[-1].seq)
            self._context.publish(written)
        return written

    def _answer_from_taken(self, pending: PendingCommand, entry: Entry, taken: Entry) -> None:
        """Answer a command from ``taken``, which has its key: now, or once the room has processed that entry."""
        self.known = max(self.known, taken.seq)
        if taken.seq < entry.seq and pending in self._commands and not isinstance(pending.command, ChatError):
            self._commands.finish(pending, outcome_of_used_key(pending.command, taken, pending.unsure_above))

    async def _settle(self, state: RoomState) -> None:
        """Answer the first commands that append nothing, once the store has shown that ``state`` is current."""
        if self._refuse_first():
            return
        commands = self._commands.all()[:BATCH_MAX]
        if state.blocked and not await self._has_blocks(state):
            return
        keys = list({(pending.user, pending.key): None for pending in commands})
        above = await self._context.store.read_on(self.room, state.head, MISSING_MAX, keys)
        self.known = max(self.known, above.head)
        if above.entries:
            await self._apply(above.entries)
            return
        for pending in commands:
            if pending not in self._commands:
                continue
            if isinstance(pending.command, ChatError) or not facts_hold(pending, state.head):
                return
            if entry := above.by_key.get((pending.user, pending.key)):
                self._commands.finish(pending, outcome_of_used_key(pending.command, entry, pending.unsure_above))
                continue
            outcome = self._decide(state, pending, pending.command)
            if isinstance(outcome, Entry):
                return
            self._commands.finish(pending, outcome or CommandDone(None))

    async def _has_blocks(self, state: RoomState) -> bool:
        """Return whether the blocks of ``state`` are those of the store; if not, forget the state.

        A new block is noted (`note_block`), the end of one is not: it is found here, before a command is refused.
        """
        blocks = await self._context.store.blocks_among(private_room_pairs(self.room))
        if state.blocked == {other for _, other in blocks}:
            return True
        self._state = None
        return False

    def _refuse_first(self) -> bool:
        """Answer the refused commands at the front of the queue. Returns whether there were any."""
        refused = False
        while (first := self._commands.first()) and isinstance(first.command, ChatError):
            self._commands.finish(first, first.command)
            refused = True
        return refused
