"""Sockets that a host closes: one of a user's, or all of a session; and what must come of it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from ...errors import ChatError, NotFound
from ...ids import UserId
from .faults import Injected
from .line import Line
from .owners import Owner
from .registry import RegistryWorld
from .world import World

if TYPE_CHECKING:
    from .cluster import Cluster, Node

Closing: TypeAlias = "Callable[[Node], Awaitable[None]]"

HEARD_S = 2
RENEWED_S = 10
""" "Sockets closed within 2 s with a bus, 10 s without." """
CALLS_S = 2
"""What the registry's calls in between take on an ordinary day."""
PATIENCE_S = (0.05, 1)


class Closings:
    """All closings of a world. A host tries again, at any node, until it succeeds or the socket is not found."""

    def __init__(self, world: World, cluster: "Cluster", registry: RegistryWorld) -> None:
        self._world = world
        self._cluster = cluster
        self._registry = registry
        self._lines: dict[str, tuple[Line, Node]] = {}

    def opened(self, line: Line, node: "Node") -> None:
        """A client has connected to a node."""
        self._lines[line.id] = line, node

    def kick(self, user: UserId, socket: str, at: "Node | None") -> None:
        """Close one socket of a user."""
        self._world.closable.add(("kicked", socket))
        self._world.tell("%s is to be kicked off %s", user, socket)
        self._try(partial(self._kick, user, socket), at)

    def sign_out(self, user: UserId, session: str, at: "Node | None") -> None:
        """Close every socket of a session."""
        self._world.closable.add(("signed_out", session))
        self._world.tell("%s is to be signed out of %s", user, session)
        self._try(partial(self._sign_out, user, session), at)

    def heard(self, node: Owner, sockets: Collection[str]) -> None:
        """A hint has reached a node: these sockets may have been revoked."""
        for line, at in (self._lines[socket] for socket in sorted(sockets)):
            if at.owner is node:
                self._expect(line, at, HEARD_S)

    def _try(self, closing: Closing, at: "Node | None") -> None:
        node = at if at in self._cluster.up else self._cluster.any()
        if node is None:
            self._later(closing)
        else:
            node.owner.start(self._carry_out(closing, node)).add_done_callback(partial(self._tried, closing))

    def _later(self, closing: Closing) -> None:
        self._world.later(self._world.random.uniform(*PATIENCE_S), self._try, closing, None)

    def _tried(self, closing: Closing, task: asyncio.Task[bool]) -> None:
        if task.cancelled() or not task.result():
            self._later(closing)

    async def _carry_out(self, closing: Closing, node: "Node") -> bool:
        try:
            await closing(node)
        except NotFound:
            return True
        except (ChatError, Injected):
            return False
        return True

    async def _kick(self, user: UserId, socket: str, node: "Node") -> None:
        known = socket in self._known(user)
        try:
            await self._world.cancellation.of("close", node.chat.close_socket(user, socket))
        except NotFound:
            if known and socket in self._known(user):
                self._world.fault(f"{user} has the socket {socket}, which was not found")
            raise
        self._expect(*self._lines[socket], RENEWED_S + CALLS_S)

    async def _sign_out(self, user: UserId, session: str, node: "Node") -> None:
        here = [line for line in node.lines if line.ready_at < inf and (line.user, line.session) == (user, session)]
        known = [one for one in self._known(user) if self._lines[one][0].session == session]
        try:
            await self._world.cancellation.of("close", node.chat.close_session(user, session))
        finally:
            for line in here:
                if line.open:
                    self._world.fault(f"{line} is open after {session} was signed out on its node")
        for socket in known:
            self._expect(*self._lines[socket], RENEWED_S + CALLS_S)

    def _known(self, user: UserId) -> list[str]:
        return [one.id for one in self._registry.known(user)]

    def _expect(self, line: Line, node: "Node", within_s: float) -> None:
        """The line must have ended in so many seconds in which nothing goes wrong with its node."""
        self._world.later(within_s, self._look, line, node, within_s, self._world.now)

    def _look(self, line: Line, node: "Node", within_s: float, since: float) -> None:
        if not line.open or node.owner.dead:
            return
        if node.disturbed_since(since):
            self._expect(line, node, within_s)
        else:
            self._world.fault(f"{line} is open {within_s} s after it was revoked")
