"""The leases of this node's sockets. No connection fails because of the registry: the next renewal repairs it."""

import logging
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from typing import Final

import anyio

from ..errors import ChatError
from ..fault_log import reason
from ..ids import UserId
from ..ports.pushes import ByeCode
from ..ports.registry import SocketInfo, SocketRegistry

RENEWAL_S = 10
"""Seconds between two renewals."""
CHANGES_S = 0.5
"""Seconds for which changes of sockets are collected before they are written."""
TIMEOUT_S = 1
"""The most seconds for which opening or closing a socket waits for the registry."""
UNREMOVED_MAX = 1_000
"""The most ended sockets whose removal is repeated. The leases of the others end by themselves."""

log: Final = logging.getLogger(__name__)


class Leases:
    """Adds, renews and removes the sockets of this node in the registry."""

    def __init__(self, registry: SocketRegistry, node: str) -> None:
        self._registry = registry
        self._node = node
        self._sockets: dict[str, SocketInfo] = {}
        self._unremoved: dict[str, SocketInfo] = {}
        self._requested = anyio.Event()
        self._changed: dict[str, None] = {}
        self._any_changed = anyio.Event()

    async def add(self, socket: SocketInfo) -> None:
        """Add a socket. An error of the registry is logged."""
        self._sockets[socket.id] = socket
        with anyio.move_on_after(TIMEOUT_S), _tolerated():
            await self._registry.add(socket)

    async def remove(self, socket: SocketInfo) -> None:
        """Remove a socket, also if the task is cancelled. An error is logged, and `renew` removes the socket again."""
        del self._sockets[socket.id]
        with anyio.move_on_after(TIMEOUT_S, shield=True), _tolerated():
            await self._registry.remove(socket)
            return
        if len(self._unremoved) < UNREMOVED_MAX:
            self._unremoved[socket.id] = socket
            self._requested.set()

    def change(self, socket: SocketInfo) -> None:
        """Let `write_changes` write a socket whose ``away`` has changed."""
        if socket.id in self._sockets:
            self._sockets[socket.id] = socket
            self._changed[socket.id] = None
            self._any_changed.set()

    async def write_changes(self) -> None:
        """Wait for changed sockets, and write them. Raises `Unavailable`."""
        await self._any_changed.wait()
        await anyio.sleep(CHANGES_S)
        while self._changed:
            changed = next(iter(self._changed))
            # Before the write: the socket may change again meanwhile.
            del self._changed[changed]
            try:
                await self._add_again(changed)
            except BaseException:
                self._changed[changed] = None
                raise
        self._any_changed = anyio.Event()

    async def of_user(self, user: UserId) -> Sequence[SocketInfo]:
        """Return the user's sockets on all nodes, oldest first. Raises `Unavailable`."""
        return await self._registry.of_user(user)

    async def revoke(self, sockets: Collection[SocketInfo], code: ByeCode) -> frozenset[str]:
        """Revoke those of ``sockets`` that other nodes have, and return their ids. Raises `Unavailable`."""
        elsewhere = [socket for socket in sockets if socket.id not in self._sockets]
        if elsewhere:
            await self._registry.revoke(elsewhere, code)
        return frozenset(socket.id for socket in elsewhere)

    def renew_soon(self, sockets: Collection[str]) -> None:
        """Renew at once if this node has one of ``sockets``, which another node may have revoked."""
        if not self._sockets.keys().isdisjoint(sockets):
            self._requested.set()

    async def renew(self, close: Callable[[str, ByeCode], None]) -> None:
        """Renew, close revoked sockets, add lost ones and remove ended ones again; then wait for 10 s or `renew_soon`.

        ``close`` takes the id of a revoked socket and the code of its `bye`. Raises `Unavailable`.
        """
        renewed = await self._registry.renew(self._node, list(self._sockets.values()))
        for socket, code in renewed.to_close.items():
            close(socket, code)
        for lost in sorted(renewed.lost):
            await self._add_again(lost)
        while self._unremoved:
            ended = next(iter(self._unremoved.values()))
            await self._registry.remove(ended)
            del self._unremoved[ended.id]
        with anyio.move_on_after(RENEWAL_S):
            await self._requested.wait()
        self._requested = anyio.Event()

    async def _add_again(self, lost: str) -> None:
        if socket := self._sockets.get(lost):
            await self._registry.add(socket)
            if lost not in self._sockets:
                # The socket has ended meanwhile, and its removal may have come before it was added.
                await self._registry.remove(socket)


@contextmanager
def _tolerated() -> Generator[None]:
    try:
        yield
    except ChatError as error:
        log.warning("socket registry not reached: reason=%s. The next renewal repairs it.", reason(error))
    except Exception:
        log.exception("socket registry failed. The next renewal repairs it.")
