"""This node's sockets in the registry. A fault of the registry never fails a connect: the next renewal repairs it."""

import logging
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager

import anyio

from ..errors import ChatError
from ..ids import UserId
from ..ports.fault_log import reason
from ..ports.pushes import ByeCode
from ..ports.registry import SocketInfo, SocketRegistry

RENEWAL_S = 10
PATIENCE_S = 1

log = logging.getLogger(__name__)


class Leases:
    """The sockets of this node, and what keeps the registry in step with them."""

    def __init__(self, registry: SocketRegistry, node: str) -> None:
        self._registry = registry
        self._node = node
        self._sockets: dict[str, SocketInfo] = {}
        self._doubted = anyio.Event()

    async def add(self, socket: SocketInfo) -> None:
        self._sockets[socket.id] = socket
        with anyio.move_on_after(PATIENCE_S), _tolerated():
            await self._registry.add(socket)

    async def remove(self, socket: SocketInfo) -> None:
        del self._sockets[socket.id]
        with anyio.move_on_after(PATIENCE_S, shield=True), _tolerated():
            await self._registry.remove(socket)

    async def of_user(self, user: UserId) -> Sequence[SocketInfo]:
        """The user's sockets on all nodes, oldest first. Raises `Unavailable`."""
        return await self._registry.of_user(user)

    async def revoke(self, sockets: Collection[SocketInfo], code: ByeCode) -> frozenset[str]:
        """Have sockets of other nodes closed; the ids of those that are. Raises `Unavailable`."""
        elsewhere = [one for one in sockets if one.id not in self._sockets]
        if elsewhere:
            await self._registry.revoke(elsewhere, code)
        return frozenset(one.id for one in elsewhere)

    def doubt(self, sockets: Collection[str]) -> None:
        """Some of these sockets may have been revoked elsewhere: renew now, not at the next turn."""
        if not self._sockets.keys().isdisjoint(sockets):
            self._doubted.set()

    async def renew(self, close: Callable[[str, ByeCode], None]) -> None:
        """Renew, add what was lost, and ``close`` what is to be closed; then wait for 10 s, or a doubt."""
        renewed = await self._registry.renew(self._node, list(self._sockets.values()))
        for socket, code in renewed.to_close.items():
            close(socket, code)
        for lost in sorted(renewed.lost):
            await self._add_again(lost)
        with anyio.move_on_after(RENEWAL_S):
            await self._doubted.wait()
        self._doubted = anyio.Event()

    async def _add_again(self, lost: str) -> None:
        if socket := self._sockets.get(lost):
            await self._registry.add(socket)
            if lost not in self._sockets:
                # It ended meanwhile, and its removal may have come before.
                await self._registry.remove(socket)


@contextmanager
def _tolerated() -> Generator[None]:
    try:
        yield
    except ChatError as error:
        log.warning("the socket registry can't be reached: %s; it is repaired with the next renewal", reason(error))
    except Exception:
        log.exception("the socket registry failed; it is repaired with the next renewal")
