"""The sockets of a node: their opening, deadlines and closing, also from other nodes."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TypeAlias

import anyio

from .authentication import Authentication
from .commands.dispatcher import CommandDispatcher
from .commands.rooms import page_that_fits
from .domain.state import RoomView
from .errors import NotFound, Unauthenticated, Unavailable
from .ids import RoomId, Seq, UserId
from .live.access_expiry import AccessExpiry
from .live.background import Background
from .live.event_loop import LoopGuard
from .live.guarded_connection import GuardedConnection
from .live.in_flight import InFlight
from .live.leases import Leases
from .live.live_sockets import LiveSocket
from .ports.authenticator import Principal
from .ports.bus import RevocationHint
from .ports.connection import Connection
from .ports.pushes import Bye, ByeCode, Expiring, Push, Ready, Room
from .ports.registry import SocketInfo
from .ports.room_views import Overview, RoomMembership, RoomPage
from .socket import Socket

ROOMS_READY = 50
"""The most rooms that `ready` shows."""
GREETINGS_MAX = 16
"""Sockets whose rooms are read at the same time. After a restart all clients connect at once: each read that begins
finishes in time, and the store may answer some of them together, while the other sockets wait for their turn."""
TURN_S = 10
"""Seconds that a socket waits for its turn until it is refused as `unavailable`."""

Authenticate: TypeAlias = Callable[[str | None], Awaitable[Principal | None]]


class Sockets:
    """Opens and closes the sockets of this node.

    Args:
        leases: knows the sockets of all nodes; None without a registry.
        publish: tells other nodes by a hint that their sockets may have been revoked.

    Attributes:
        here: the open sockets of this node, by id.
        leaving: whether the Chat is being left. No socket opens then.
    """

    def __init__(
        self,
        dispatcher: CommandDispatcher,
        authentication: Authentication,
        leases: Leases | None,
        *,
        loop: LoopGuard,
        clock: Callable[[], datetime],
        publish: Callable[[RevocationHint], None],
    ) -> None:
        self.here: dict[str, Socket] = {}
        self.leaving: bool = False
        self._dispatcher = dispatcher
        self._authentication = authentication
        self._store, self._hub = dispatcher.store, dispatcher.hub
        self._leases = leases
        self._loop = loop
        self._clock = clock
        self._publish = publish
        self._turns = anyio.Semaphore(GREETINGS_MAX)
        self._access_expiry = AccessExpiry(clock, self._warn, partial(self._close, code="expired"))

    def start_tasks(self, background: Background) -> None:
        """Watch deadlines and renew leases while ``background`` is entered."""
        background.repeat("watching deadlines", self._access_expiry.watch)
        if self._leases:
            background.repeat("renewing leases", partial(self._leases.renew, self._close))
            background.repeat("telling the registry who is away", self._leases.write_changes)

    def leave(self) -> None:
        """Close all sockets with `bye shutdown`, and open no further ones."""
        self.leaving = True
        for socket in tuple(self.here):
            self._close(socket, "shutdown")

    @asynccontextmanager
    async def open(
        self,
        connection: Connection,
        info: SocketInfo,
        expires_at: datetime | None,
        authenticate: Authenticate | None,
    ) -> AsyncGenerator[Socket]:
        """Open a socket; see `Chat.connect`."""
        self._loop.check()
        live = LiveSocket(GuardedConnection(connection), info.user, InFlight(self._dispatcher.in_flight))
        if authenticate:
            live.refresh = partial(self._refresh, info, authenticate)
        socket = Socket(self._dispatcher, live, info, self._loop)
        live.note_away = socket.note_away if self._leases is None else partial(self._note_away, socket, self._leases)
        self._hub.enter(live)
        self.here[info.id] = socket
        try:
            if self._leases:
                await self._leases.add(info)
            await self._greet(live, info, expires_at)
            yield socket
        finally:
            self._hub.leave(live)
            del self.here[info.id]
            self._access_expiry.forget(info.id)
            socket.end()
            live.refresh = live.note_away = (
                None  # they refer to the socket, and to the transport that refers to it: cycles
            )
            if self._leases:
                await self._leases.remove(info)

    async def _greet(self, live: LiveSocket, info: SocketInfo, expires_at: datetime | None) -> None:
        overview, page = await self._overview(info.user)
        if self.leaving:
            raise Unavailable
        # No await from here on: `ready` is the first push, and each subscription starts at the head that it shows.
        live.connection.send(Push("ready", self._ready(info, page, expires_at)))
        # If the page, which is not older, is the whole list, a membership that it does not show has ended.
        rows: list[RoomMembership | RoomView] = [*overview.memberships, *overview.page.rooms] if page.next else []
        latest = {row.room: row for row in [*rows, *page.rooms]}
        heads: dict[RoomId, Seq] = {}
        for room, row in latest.items():
            if (member := row.member) and member.state == "member":
                heads[room] = row.head
            elif member and member.state == "invited":
                live.invited[room] = member.since
        self._hub.subscribe_connected(live, heads)
        if expires_at:
            self._access_expiry.set(info.id, expires_at)

    async def _overview(self, user: UserId) -> tuple[Overview, RoomPage]:
        """Read what a socket shows and subscribes to, in turn with other sockets that open.

        Returns the overview, and the page to show: its own, or a later one with fewer rooms that fits into a push.
        """
        try:
            self._turns.acquire_nowait()
        except anyio.WouldBlock:
            with anyio.move_on_after(TURN_S) as waiting:
                await self._turns.acquire()
            if waiting.cancelled_caught:
                raise Unavailable from None
        try:
            overview = await self._store.overview(user, ROOMS_READY)
            return overview, await page_that_fits(overview.page, lambda fewer: self._store.page(user, None, fewer))
        finally:
            self._turns.release()

    def _ready(self, info: SocketInfo, page: RoomPage, expires_at: datetime | None) -> Ready:
        epoch = self._store.epoch
        return Ready(
            epoch=epoch,
            features=self._hub.presence.features,
            user=info.user,
            device=info.device,
            socket=info.id,
            node=info.node,
            rooms=[Room(user=info.user, epoch=epoch, view=view) for view in page.rooms],
            next=page.next,
            expires_in=self._seconds_until(expires_at) if expires_at else None,
        )

    async def _refresh(self, info: SocketInfo, authenticate: Authenticate, token: str | None) -> int | None:
        principal = await self._authentication.principal(authenticate, token)
        if (principal.user, principal.session) != (info.user, info.session):
            raise Unauthenticated
        if info.id not in self.here:
            raise Unavailable("The socket was closed.")
        if principal.expires_at is None:
            self._access_expiry.forget(info.id)
            return None
        self._access_expiry.set(info.id, principal.expires_at)
        return self._seconds_until(principal.expires_at)

    def _note_away(self, socket: Socket, leases: Leases, away: bool) -> None:
        socket.note_away(away)
        leases.change(socket.info)

    def _seconds_until(self, moment: datetime) -> int:
        return max(0, int((moment - self._clock()).total_seconds()))

    def _warn(self, socket: str, end: datetime) -> None:
        if opened := self.here.get(socket):
            opened.send(Push("auth.expiring", Expiring(self._seconds_until(end))))

    async def of_user(self, user: UserId) -> Sequence[SocketInfo]:
        """Return a user's sockets; see `Chat.sockets`."""
        if self._leases:
            return await self._leases.of_user(user)
        infos = [socket.info for socket in self.here.values() if socket.info.user == user]
        return sorted(infos, key=lambda info: (info.since, info.id))

    async def close(self, user: UserId, socket: str) -> None:
        """Close a socket; see `Chat.close_socket`."""
        infos = [info for info in await self.of_user(user) if info.id == socket]
        if not infos:
            raise NotFound
        await self._end(infos, "kicked")

    async def close_session(self, user: UserId, session: str) -> None:
        """Close the sockets of a session; see `Chat.close_session`."""
        infos = [socket.info for socket in self.here.values()]
        for info in infos:
            if (info.user, info.session) == (user, session):
                self._close(info.id, "signed_out")
        await self._end([info for info in await self.of_user(user) if info.session == session], "signed_out")

    async def close_all(self, user: UserId) -> None:
        """Close a user's sockets; see `Chat.close_sockets`."""
        for socket in tuple(self.here.values()):
            if socket.info.user == user:
                self._close(socket.info.id, "signed_out")
        await self._end(await self.of_user(user), "signed_out")

    def take_hint(self, hint: RevocationHint) -> None:
        """Take a hint that sockets may have been revoked on another node."""
        if self._leases:
            self._leases.renew_soon(hint.sockets)

    async def _end(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        for socket in sockets:
            self._close(socket.id, code)
        if self._leases and (elsewhere := await self._leases.revoke(sockets, code)):
            self._publish(RevocationHint(sockets=elsewhere))

    def _close(self, socket: str, code: ByeCode) -> None:
        if opened := self.here.get(socket):
            opened.close(Bye(code=code))
