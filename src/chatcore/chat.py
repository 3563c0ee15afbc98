"""The Chat: the domain with its ports plugged in. A process usually has one."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from functools import partial
from time import time_ns
from types import TracebackType
from typing import Self, TypeVar

import anyio
from attrs import frozen

from . import ids
from .authentication import Authentication, Shown
from .commands.command import Command, ReadingCommand, RoomCommand
from .commands.dispatcher import CommandDispatcher
from .commands.gate import GATE_S, Gate, HostChecks, Via
from .commands.rate_limits import CommandLimits
from .domain.decider import Rules
from .domain.entries import Entry
from .domain.serialization import from_milliseconds
from .errors import ChatError, Invalid, Unavailable
from .feed import FeedBatch, FeedSignal, open_feed
from .ids import UserId
from .live.background import Background
from .live.change_poller import ChangePoller
from .live.event_loop import Handover, LoopGuard
from .live.hint_queue import HintQueue
from .live.hub import Hub
from .live.in_flight import InFlight
from .live.leases import Leases
from .live.user_lookup import UserFinder, UserLookup
from .ports.authenticator import Principal, check_end, check_user_type
from .ports.bus import BlockHint, Bus, Hint, MarkerHint, PresenceHint, RevocationHint, RoomHint, TypingHint
from .ports.connection import Connection
from .ports.registry import SocketInfo, SocketRegistry
from .ports.store import Store
from .ports.user_directory import UserDirectory, UserSearch
from .socket import Socket
from .sockets import Authenticate, Sockets

DRAIN_S = 5
"""Seconds that a Chat waits for its pending commands when it is left."""
NOT_ENTERED = "enter the Chat first: `async with Chat(store) as chat`"
ENTERED_ONCE = "a Chat can be entered once; make a new one, which may have the same store"

A = TypeVar("A")


def utc_now() -> datetime:
    """Return the present time in UTC, cut to milliseconds as stores and clients keep it."""
    return from_milliseconds(time_ns() // 1_000_000)


@frozen(kw_only=True)
class Stats:
    """The counters of a Chat at one moment, on its node alone.

    Attributes:
        rooms: rooms that are live: with subscriptions or pending commands.
        users: users with open sockets.
        sockets: open sockets, including those that still connect.
        watched: users of whom a socket of this node watches the presence.
        in_flight: commands that are pending at their rooms.
        idle_tasks: background tasks that wait for work.
    """

    rooms: int
    users: int
    sockets: int
    watched: int
    in_flight: int
    idle_tasks: int


class Chat:
    """The chat of one process: ``async with Chat(store) as chat``. Entering it enters its store.

    A Chat can be entered once, and is used in the event loop in which it was entered.

    Args:
        store: keeps the logs. Several Chats may share it.
        bus: carries hints between nodes. Without one, other nodes on the same store see changes within 2 s.
        registry: knows every user's sockets on all nodes. Without one, only sockets of this node can be closed.
        directory: knows which users exist. Without one, every valid user id exists.
        people: finds users by the start of their id or name, for `people`. Without one, nobody is found.
        rules: the rights of members, and how many members a room may have.
        canonical: returns the canonical spelling of a user id, or None for an id that no user can have. If it raises,
            the command fails with `internal` and the exception is logged.
        limits: how often users may send, create and invite; None for no limit.
        gate: asked about every command of clients that appends, before it is queued. It returns the command, or a copy
            with another ``body``, ``data`` or ``title``, or raises a `ChatError`, which is the answer. The host's own
            `execute` is not asked. A retry whose key stands in the room gets its first answer.
        gate_s: seconds that the gate has; they count for the 5 s of a command.
        gate_open: what happens if the gate fails or is too slow: True lets the command pass, and logs it; False answers
            `unavailable`.
        presence: whether users see who of their rooms is online; False: everybody is offline.
        clock: returns the UTC time of entries, and at which users are last seen.
        new_id: returns a fresh id of at least 64 random bits.
        uniform: returns a random number between its two arguments. A node that lost a seq to another node waits that
            many seconds.
    """

    def __init__(
        self,
        store: Store,
        *,
        bus: Bus | None = None,
        registry: SocketRegistry | None = None,
        directory: UserDirectory | None = None,
        people: UserSearch | None = None,
        canonical: Callable[[UserId], UserId | None] | None = None,
        rules: Rules | None = None,
        limits: CommandLimits | None = None,
        gate: Gate | None = None,
        gate_s: float = GATE_S,
        gate_open: bool = False,
        presence: bool = True,
        clock: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = ids.new_id,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.node: str = new_id()
        rules = rules or Rules()
        self.store = store
        self._bus = bus
        self._clock = clock
        self._new_id = new_id
        self._hints = HintQueue()
        self._feeds = FeedSignal()
        self._background = Background()
        self._entered = AsyncExitStack()
        self._loop = LoopGuard()
        lookup = UserLookup(directory) if directory else None
        self._hub = Hub(
            store,
            self._background,
            node=self.node,
            now=clock,
            publish=self._publish,
            publish_marker=self._hints.put_one if bus else lambda _: None,
            publish_block=self._hints.put_one if bus else lambda _: None,
            publish_typing=self._hints.put_one if bus else lambda _: None,
            publish_presence=self._hints.put_one if bus else None,
            registry=registry,
            presence=presence,
            directory=lookup,
            rules=rules,
            uniform=uniform,
            room_refusal=limits.room_refusal if limits else lambda _: None,
        )
        self._dispatcher = CommandDispatcher(
            store=store,
            hub=self._hub,
            directory=lookup,
            people=UserFinder(people) if people else None,
            rights=rules.rights,
            canonical=canonical,
            new_id=new_id,
            in_flight=InFlight(),
            host_checks=HostChecks(gate, gate_s, gate_open=gate_open, rules=rules),
            limits=limits,
        )
        self._authentication = Authentication(self._dispatcher.canonical_user)
        self._sockets = Sockets(
            self._dispatcher,
            self._authentication,
            Leases(registry, self.node) if registry else None,
            loop=self._loop,
            clock=clock,
            publish=self._hints.put_one if bus else lambda _: None,
        )

    async def __aenter__(self) -> Self:
        """Enter the store and start to serve.

        Raises the exceptions of the store, and RuntimeError if the Chat was entered before.
        """
        if self._loop.entered:
            raise RuntimeError(ENTERED_ONCE)
        self._loop.enter()
        try:
            await self._open()
        except BaseException:
            await self._entered.aclose()
            raise
        self._hub.open = True
        return self

    async def _open(self) -> None:
        await self._entered.enter_async_context(self.store)
        start, blocks = await self.store.changes(None, 1), await self.store.new_blocks(None)
        await self._entered.enter_async_context(self._background)
        if self._bus:
            await self._entered.enter_async_context(self._bus.subscribe(self._take_hint))
            self._background.repeat("publishing hints", partial(self._hints.publish, self._bus))
        position = start.changes[-1].position if start.changes else 0
        poller = ChangePoller(self.store, self._hub, position, blocks.position)
        self._background.repeat("polling the store for changes", poller.poll, pause=0)
        self._background.repeat("checking memberships", self._hub.memberships.check)
        self._background.repeat("expiring commands", self._hub.timeouts.expire)
        self._background.repeat("watching who types", self._hub.typing.run)
        self._sockets.start_tasks(self._background)
        self._hub.presence.start_tasks(self._background)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close every socket, wait for pending commands for at most 5 s, and leave the store.

        Commands that are still pending then fail with `unavailable`: whether they were carried out is unknown.
        """
        self._sockets.leave()
        self._feeds.leave()
        with anyio.move_on_after(DRAIN_S, shield=True):
            await self._dispatcher.in_flight.at_most(0)
        await self._hub.presence.finish()
        self._hub.open = False
        try:
            await self._entered.__aexit__(kind, error, traceback)
        finally:
            self._hub.abandon()

    @property
    def is_entered(self) -> bool:
        """Whether the Chat has been entered, also if it was left since."""
        return self._loop.entered

    async def execute(self, user: UserId, command: Command[A], *, trusted: bool = False) -> A:
        """Carry out a command of the host for a user, and return its answer. The gate is not asked.

        When it returns, the command's entry has been pushed to all subscriptions of the room on this node. A queued
        command is carried out even if its caller is cancelled.

        Args:
            user: the author of what the command appends. The command has this user's rights.
            trusted: whether a command that appends is past the rights, the rules and the limits of the user. It is not
                past anything else: fields and keys, versions, bans, the two users of a private room, the last owner,
                the size of a room, and users that exist.

        Raises:
            ChatError: the command failed; `Unavailable` after the Chat was left.
            RuntimeError: the Chat was not entered, or was entered in another event loop.
            TypeError: ``user`` is not a str.
        """
        return await self._execute(user, command, None, trusted=trusted)

    async def _execute(self, user: UserId, command: Command[A], via: Via | None, *, trusted: bool = False) -> A:
        self._check_entered()
        self._loop.check()
        user = self.canonical(user)
        addressed = self._dispatcher.addressed(command)
        match addressed:
            case RoomCommand():
                return await self._append(user, addressed, via, trusted=trusted)
            case ReadingCommand():
                return await self._dispatcher.read(user, addressed, None)
            case _:
                raise TypeError(f"{command!r:.80} is no command, such as ListRooms()")

    async def request(self, user: UserId, command: Command[A]) -> A:
        """Carry out a command of a client, such as one that came over HTTP: what a transport calls.

        The gate is asked. Otherwise as `execute`, without ``trusted``.
        """
        return await self._execute(user, command, "http")

    async def authenticated(
        self, authenticate: Callable[[Shown], Awaitable[Principal | None]], shown: Shown
    ) -> Principal:
        """Return the principal of the credentials that a client has shown to a transport.

        The user has its canonical spelling. ``authenticate`` has 2 s. The log says why it failed.

        Raises:
            Unauthenticated: the credentials are not valid.
            Unavailable: ``authenticate`` failed or was too slow.
            ChatError: any other `ChatError` that ``authenticate`` raised.
        """
        return await self._authentication.principal(authenticate, shown)

    def canonical(self, user: UserId) -> UserId:
        """Return the canonical spelling of a user id.

        Raises:
            Invalid: no user can have this id.
            Internal: the host's ``canonical`` failed.
            TypeError: ``user`` is not a str.
        """
        check_user_type(user)
        canonical = self._dispatcher.canonical_user(user) if ids.is_user_id(user) else None
        if canonical is None:
            raise Invalid("Not a valid user id.", field="user")
        return canonical

    def _canonical_or_given(self, user: UserId) -> UserId:
        """Return the canonical spelling of a user id, or the id itself if the host's ``canonical`` fails.

        A host that ends a session with the canonical id must not fail because of that.
        """
        try:
            return self.canonical(user)
        except ChatError:
            return user

    def _check_entered(self) -> None:
        if not self._hub.open:
            raise Unavailable if self._sockets.leaving else RuntimeError(NOT_ENTERED)

    async def _append(self, user: UserId, command: RoomCommand[A], via: Via | None, *, trusted: bool) -> A:
        answered: Handover[A | ChatError] = Handover()
        if self._dispatcher.host_checks.is_needed and not trusted:
            await self._dispatcher.submit_checked(user, command, answered.give, via)
        else:
            self._dispatcher.submit(user, command, answered.give, trusted=trusted)
        result = await answered.take()
        if isinstance(result, ChatError):
            raise result
        return result

    def connect(
        self,
        connection: Connection,
        *,
        user: UserId,
        device: str | None = None,
        expires_at: datetime | None = None,
        session: str | None = None,
        authenticate: Authenticate | None = None,
    ) -> AbstractAsyncContextManager[Socket]:
        """Return a context manager that opens a socket for a user, and closes it when the block is left.

        Entering it pushes `ready`. From then on the socket is subscribed to all rooms of the user.

        Args:
            connection: takes the pushes. Its transport reads, and calls `Socket.receive` with each command.
            user: the user. The transport has authenticated this user.
            device: 1 to 64 characters, none of them a control character. If it is None, an id is generated.
            expires_at: UTC time at which the socket ends with `bye expired`.
            session: the session of the socket; see `close_session`.
            authenticate: asked at `auth.refresh`. It returns the principal of a token; for None that of what opened
                the socket, such as a cookie. Without it the client cannot refresh the socket's access.

        Raises:
            Invalid: ``user`` or ``device`` is not valid.
            Unavailable: the store cannot be reached, or the Chat is being left. Nothing has been pushed.
            RuntimeError: the Chat was not entered, or was entered in another event loop.
            TypeError: ``user`` is not a str, or ``expires_at`` has no time zone.
        """
        self._check_entered()
        user = self.canonical(user)
        check_end(expires_at)
        if device is not None and not ids.is_device(device):
            raise Invalid("device must be 1 to 64 characters, without control characters.", field="device")
        info = SocketInfo(
            id=connection.id,
            user=user,
            device=device or self._new_id(),
            node=self.node,
            since=self._clock(),
            session=session,
        )
        return self._sockets.open(connection, info, expires_at, authenticate)

    def feed(self, after: str | None = None) -> AsyncIterator[FeedBatch]:
        """Return an iterator over the entries of all rooms, for one consumer: batches, as they are written.

        Save the position of a batch together with what the batch has led to, and begin there the next time. The feed is
        at least once: then the last batch, and the entries of the last 10 s before it, may come again. Nothing is
        missing, and after its first entry a room comes in order and without a hole. Edits and deletions come as entries
        of their own. A deleted text does not come again: entries come as they are stored when they are read.

        The feed waits for new entries, and while the store is unavailable. It ends when the Chat is left.

        Args:
            after: the position of a batch; None: begin with the first entry of every room; "now": only entries that are
                written after the first batch was asked for.

        Raises:
            Invalid: ``after`` is no position.
            FeedReset: ``after`` is a position of another store, or of one that has lost entries since. The iteration
                raises it too. Forget what the feed has led to, and begin with None.
            TypeError: the store has no feed.
            Unavailable: the Chat was left.
            RuntimeError: the Chat was not entered, or was entered in another event loop.
        """
        self._check_entered()
        self._loop.check()
        return open_feed(self.store, after, self._feeds, self._loop)

    async def sockets(self, user: UserId) -> Sequence[SocketInfo]:
        """Return a user's open sockets, oldest first: of all nodes if there is a registry. Raises `Unavailable`."""
        self._loop.check()
        return await self._sockets.of_user(self._canonical_or_given(user))

    async def close_socket(self, user: UserId, socket: str) -> None:
        """Close a user's socket, on any node, with `bye kicked`. Raises `NotFound` and `Unavailable`."""
        self._loop.check()
        await self._sockets.close(self._canonical_or_given(user), socket)

    async def close_session(self, user: UserId, session: str) -> None:
        """Close every socket of a session with `bye signed_out`.

        Sockets of this node are closed at once, those of other nodes through the registry. Raises `Unavailable`.
        """
        self._loop.check()
        await self._sockets.close_session(self._canonical_or_given(user), session)

    async def close_sockets(self, user: UserId) -> None:
        """Close every socket of a user, on all nodes, with `bye signed_out`.

        Sockets of this node are closed at once, those of other nodes through the registry. Raises `Unavailable`.
        """
        self._loop.check()
        await self._sockets.close_all(self._canonical_or_given(user))

    def stats(self) -> Stats:
        """Return the present counters of this Chat."""
        return Stats(
            rooms=self._hub.rooms_count,
            users=self._hub.users_count,
            sockets=len(self._sockets.here),
            watched=self._hub.presence.watched_count,
            in_flight=self._dispatcher.in_flight.count,
            idle_tasks=self._background.idle,
        )

    def _publish(self, entries: Sequence[Entry]) -> None:
        self._feeds.note_entries()
        if self._hub.presence.is_watched:
            for entry in entries:
                self._hub.presence.note_memberships(entry.affects)
        if self._bus:
            self._hints.put_entries(entries)

    def _take_hint(self, hint: Hint) -> None:
        match hint:
            case RoomHint():
                self._feeds.note_entries()
                self._hub.take_hint(hint.room, hint.seq, hint.affects, hint.entry)
            case MarkerHint():
                self._hub.markers.take_hint(hint)
            case RevocationHint():
                self._sockets.take_hint(hint)
            case BlockHint():
                self._hub.note_block(hint.user, hint.other)
            case TypingHint():
                self._hub.take_typing_hint(hint)
            case PresenceHint():
                self._hub.presence.take_hint(hint)
